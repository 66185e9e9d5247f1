"""
A determinism receipt: two short trainings on this machine, and whether they agree to the bit.

They train what cells train (binary convolutions, BatchNorm, the surrogate's backward, the probe,
fused SGD, the trainer's own loop) on images that are the same everywhere. A results folder keeps
one for each environment on each machine since it was started, for two of a kind need not compute
alike: making it costs a run a quarter of a second once.

    ROOT/receipts/<hash of environment, host and boot>.json
"""

import contextlib
import functools
import hashlib
import platform
from collections.abc import Generator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import torch
from pydantic import ValidationError
from torch import Tensor, nn

from bench.base import machine
from bench.base.files import write_file
from bench.base.text import count
from bench.data.dataset import Tensors, Transform
from bench.errors import EnvironmentProblem
from bench.nn.clock import Clock
from bench.nn.contract import Knob, Surrogate
from bench.nn.layers import Layers
from bench.nn.resnet import ResNet
from bench.results import store
from bench.results.provenance import cpu_name, device_name, installed_version
from bench.results.record import Receipt
from bench.results.record_diff import first_differing_step
from bench.spec.cell import CORE, Binarization, Recipe, Role
from bench.train import model, trainer
from bench.train.devices import move_network
from bench.train.outcome import Progress
from bench.train.random_state import read_random_state, set_random_state
from bench.train.ranks import ALONE, Ranks
from bench.train.weights import copy_weights, digest

RECIPE = Recipe(epochs=2, batch_size=16, lr=0.1, histograms=(1,))
IMAGES = 48  # three steps an epoch
SIDE = 16


class _Tanh(Surrogate):
    """An estimator whose slope autograd derives, on a schedule."""

    def knob(self, role: Role = "W") -> Knob:
        return Knob("t", 1.0, 4.0, limits=(0.0, 100.0))

    def value(self, z: Tensor, t: Tensor, /) -> Tensor:
        return torch.tanh(t * z)


class _Net(ResNet):
    """Two blocks, the second of another width and stride."""

    blocks = (1, 1)


@functools.cache
def find_or_make_receipt(
    root: Path, device: str, threads: int, compiled: bool = False, ranks: Ranks = ALONE
) -> Receipt:
    """
    The receipt of this machine and environment that `root` keeps, made and kept if there is none.

    A folder that cannot be written is no problem: the receipt is then this process's alone.

    Args:
        ranks: processes that train together, and make it together; the one that leads keeps it.
    """
    path = _path(root, describe_environment(device, threads, compiled, ranks.size))
    found = _read(path)
    if found is not None and path != _path(root, found.environment):
        found = None
    receipt = ranks.told(found)
    if receipt is None:
        receipt = make_receipt(device, threads, compiled, ranks)
        if ranks.leads:
            with contextlib.suppress(EnvironmentProblem):
                file = store.path_inside(root, "receipts", path.name)
                write_file(file, receipt.model_dump_json() + "\n")
    return receipt


def make_receipt(
    device: str, threads: int, compiled: bool = False, ranks: Ranks = ALONE
) -> Receipt:
    """
    Train twice, here and now.

    Random generators and the number of threads are left as they were.
    """
    with _apart(torch.device(device), threads):
        first, second = (_train(torch.device(device), compiled, ranks) for _ in range(2))
    return Receipt(
        environment=describe_environment(device, threads, compiled, ranks.size),
        steps=first,
        first_difference=first_differing_step(first, second),
        made=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def read_receipts(root: Path) -> Iterator[Receipt]:
    """Every receipt that can be read under `root`."""
    found = (_read(path) for path in sorted((root / "receipts").glob("*.json")))
    yield from (receipt for receipt in found if receipt)


def describe_environment(
    device: str, threads: int, compiled: bool = False, processes: int = 1
) -> str:
    """One line of what numbers may depend on beside a cell."""
    words = [f"python {platform.python_version()}", f"torch {torch.__version__}"]
    words += [f"numpy {installed_version('numpy')}"]
    if device == "mps":
        place = device_name(device)
        words += [f"macOS {platform.mac_ver()[0]}"]
    elif device.startswith("cuda"):
        place = torch.cuda.get_device_name(device)
        words += [f"CUDA {torch.version.cuda}", f"cuDNN {torch.backends.cudnn.version()}"]
        words += [f"driver {driver_version()}"]
    else:
        place = f"{cpu_name()}, {torch.backends.cpu.get_cpu_capability()}"
        words += [f"oneDNN {'on' if torch.backends.mkldnn.is_available() else 'off'}"]
    words += [count(threads, "thread"), "compiled" if compiled else "eager"]
    words += [count(processes, "process")] if processes > 1 else []
    return ", ".join([place, *words, f"core {CORE}"])


def driver_version() -> str:
    """The version of NVIDIA's driver, or nothing."""
    try:
        line = Path("/proc/driver/nvidia/version").read_text(encoding="utf-8").partition("\n")[0]
    except OSError:
        return ""
    return next((word for word in line.split() if word[:1].isdigit() and "." in word), "")


def _path(root: Path, environment: str) -> Path:
    whole = f"{environment}, {platform.node()} {machine.boot()}"
    name = hashlib.sha256(whole.encode()).hexdigest()[:16]
    return root / "receipts" / f"{name}.json"


def _read(path: Path) -> Receipt | None:
    try:
        return Receipt.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


@contextlib.contextmanager
def _apart(device: torch.device, threads: int) -> Generator[None, None, None]:
    """As a cell trains, and afterwards as it was before."""
    before = torch.get_num_threads(), torch.backends.cudnn.deterministic
    drawn = read_random_state(device)
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        torch.backends.cudnn.deterministic = before[1]
        set_random_state(drawn, device)


def _train(device: torch.device, compiled: bool, ranks: Ranks) -> list[str]:
    """The digest of the weights after each step."""
    model.seed_everything(0)
    clock, estimator, options = Clock(), _Tanh(), Binarization()

    def binarizer(role: Role, shape: tuple[int, ...]) -> nn.Module:
        return estimator.binarizer(role, shape, clock, options.sign0)

    net = _Net(width=16, shortcut="B_binary").build(10, 3, Layers(binarizer, options))
    move_network(net, device)
    steps: list[str] = []

    def watch(progress: Progress) -> None:
        if progress.acc is None:  # a step, not the end of an epoch
            steps.append(digest(copy_weights(net)))

    data = _data().to(device)
    trainer.train(net, clock, data, RECIPE, 0, compiled=compiled, watch=watch, ranks=ranks)
    return steps


def _data() -> Tensors:
    """Noise whose label moves its mean, the same on every machine."""
    rng = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 10, (IMAGES,), generator=rng)
    noise = torch.randint(0, 156, (IMAGES, 3, SIDE, SIDE), generator=rng)
    images = (noise + 10 * labels[:, None, None, None]).to(torch.uint8)
    split = images, labels
    return Tensors("noise", split, split, 10, Transform((0.5,) * 3, (0.25,) * 3, pad=2, flip=True))
