"""
The limits of a machine, measured: products of matrices, and copies; and what work asks of them.

A limit is a way to do a piece of work like any other: the seconds in which the machine would do
it if nothing else were to be done. A processor that has no products of a precision may still
multiply in it, hundreds of times slower: matrices are as large as a second allows.
"""

from collections.abc import Callable, Generator
from contextlib import contextmanager

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from bench.speed.survey.timing import time_call, time_repeatedly

SIDES = {"cpu": 2048, "cuda": 8192}  # of the matrices that are multiplied, at most
SMALLEST = 128  # side of the first that are tried
PRODUCT_S = 0.25  # seconds that one product may take
COPIED = {"cpu": 2**27, "cuda": 2**30}  # bytes of what is copied
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def count_flops(build: Callable[[], nn.Module], image: tuple[int, ...]) -> int:
    """
    Operations of forward and backward of one image; nothing is computed.

    Products and sums of convolutions and linear maps: three times the forward's, less the gradient
    of the images, which nobody asks for.
    """
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        build()(torch.empty(2, *image)).sum().backward()  # BatchNorm wants two
    return counter.get_total_flops() // 2


def time_products(work: int, device: torch.device, dtype: torch.dtype) -> Callable[[], float]:
    """Seconds of `work` operations at the rate at which large matrices are multiplied."""
    n = choose_side(device, dtype)
    run = time_repeatedly(_product(n, device, dtype), device)

    def seconds() -> float:
        with _as_convolutions(device):
            return run() * work / (2 * n**3)

    return seconds


def choose_side(device: torch.device, dtype: torch.dtype) -> int:
    """How large the matrices are: the largest whose product takes no longer than it may."""
    most = SIDES[device.type]
    n = min(SMALLEST, most)
    while n < most:
        once = time_call(_product(n, device, dtype), device)
        if 8 * once > PRODUCT_S:  # twice the side is eight times the work
            break
        n = min(2 * n, most)
    return n


def _product(n: int, device: torch.device, dtype: torch.dtype) -> Callable[[], object]:
    a, b = (torch.randn(n, n, device=device).to(dtype) for _ in range(2))
    out = torch.empty_like(a)
    return lambda: torch.mm(a, b, out=out)


@contextmanager
def _as_convolutions(device: torch.device) -> Generator[None, None, None]:
    """Within, a GPU rounds what it multiplies as its convolutions may: to TF32."""
    before = torch.get_float32_matmul_precision()
    if device.type == "cuda" and torch.backends.cudnn.allow_tf32:
        torch.set_float32_matmul_precision("high")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def time_traffic(z: torch.Tensor) -> Callable[[], float]:
    """
    Seconds to move what an estimator must: five passes over a tensor like `z`.

    Forward it reads z and writes y, backward it reads z and dy and writes dz.
    """
    z, dy = z.detach(), torch.randn_like(z)
    y, dz = torch.empty_like(z), torch.empty_like(z)

    def move() -> None:
        torch.neg(z, out=y)
        torch.mul(z, dy, out=dz)

    return time_repeatedly(move, z.device)


def measure_rates(device: torch.device) -> dict[str, float]:
    """
    Operations a second of matrix products by precision, and bytes a second of a large copy.

    A precision that the device does not multiply in is left out.
    """
    rates: dict[str, float] = {}
    for name, dtype in PRECISIONS.items():
        try:
            run = time_products(1, device, dtype)
        except RuntimeError:  # torch has no such product here
            continue
        rates[name] = 1 / min(run() for _ in range(3))
    source = torch.zeros(COPIED[device.type], dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    copy = time_repeatedly(lambda: target.copy_(source), device)
    return rates | {"copy": 2 * len(source) / min(copy() for _ in range(3))}
