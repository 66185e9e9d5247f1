"""What the compiler is told: little is kept, numbers are made once, images stay as they lie."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.fx.experimental.proxy_tensor import make_fx

from bench.binary import Clock, piecewise, upto
from bench.cell import Binarization
from bench.contract import Surrogate
from bench.graph import compute_once, graph, partition
from bench.layers import Layers
from bench.registry import BACKBONES, ESTIMATORS

CPU = torch.device("cpu")


def resnet(name: str = "reste", width: int = 16) -> nn.Module:
    clock, plugin = Clock(), ESTIMATORS.build(name, {})
    layers = Layers(lambda role, shape: plugin.binarizer(role, shape, clock, 0), Binarization())
    torch.manual_seed(0)
    net = BACKBONES.build("resnet20", {"width": width}).build(10, 3, layers)
    clock.set(0.5)
    net.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    return net.train()


def step(net: nn.Module) -> tuple[Any, Tensor]:
    """A compiled loss of images, and images."""
    images = torch.randn(8, 3, 32, 32, generator=torch.Generator().manual_seed(1))

    def loss(x: Tensor) -> Tensor:
        return net(x).square().mean()

    return graph(loss, CPU), images.contiguous(memory_format=torch.channels_last)


@pytest.mark.slow
def test_what_a_compiled_step_keeps_and_how_it_lies() -> None:
    """Signs in a byte for each convolution, no mask, no slope; and no kernel transposes images."""
    from torch._inductor.utils import run_and_get_code

    found: list[Tensor] = []
    call, images = step(resnet())

    def both() -> None:
        with saved_tensors_hooks(lambda t: found.append(t) or t, lambda t: t):
            loss = call(images)
        loss.backward()

    _, code = run_and_get_code(both)  # pyright: ignore[reportUnknownVariableType]
    kept = [t for t in found if t.ndim == 4 and t.shape[0] == 8]

    assert torch.bool not in {t.dtype for t in found}
    assert sum(t.dtype == torch.int8 for t in kept) == 18
    # what a convolution gave, and what a shortcut adds to
    assert sum(t.dtype == torch.float32 for t in kept) <= 1 + 19 + 10
    assert len(code) >= 2  # forward and backward
    assert "transpose_mxn" not in "".join(code)


def test_numbers_of_a_knob_are_made_once() -> None:
    """Of ReSTE's slope: its exponent and its secant, which images are combined with."""
    reste = ESTIMATORS.build("reste", {})
    assert isinstance(reste, Surrogate)
    o = torch.tensor(2.0, dtype=torch.float64)
    traced = make_fx(lambda z, o: reste.slope(z, o), tracing_mode="fake")(torch.randn(3), o).graph
    compute_once(traced)
    marked = [n for n in traced.nodes if n.meta.get("inductor_realize_to_strides")]

    assert len(marked) == 2
    assert all(n.meta["val"].ndim == 0 for n in marked)
    assert all(any(u.meta["val"].ndim for u in n.users) for n in marked)


def test_what_the_forward_pass_needs_stays_there() -> None:
    """Also where it is needed through what nobody marked: of x -> 2x -> exp, 2x; not cos x."""
    traced = make_fx(lambda x: (torch.exp(x * 2), torch.cos(x)))(torch.randn(3)).graph
    double, exp, cos = (n for n in traced.nodes if n.op == "call_function")
    exp.meta["partitioner_tag"] = "is_forward"
    partition(traced)

    assert "partitioner_tag" not in double.meta
    assert cos.meta["partitioner_tag"] == "must_be_in_backward"


def test_nothing_is_moved_where_nobody_said_what_is_forward() -> None:
    """A version of torch without these marks compiles as it would."""
    traced = make_fx(lambda z: z.exp() * 2)(torch.randn(3)).graph
    partition(traced)

    assert not any("partitioner_tag" in n.meta for n in traced.nodes)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_pieces(dtype: torch.dtype) -> None:
    """Either piece comes out as it is, from numbers of any type, eager as under a compiler."""
    r = torch.tensor([0.0, 0.25, 0.5, 3.0], dtype=dtype)
    inner, outer = torch.tensor(1e-3, dtype=torch.float64), r * 1e6
    wanted = torch.where(r <= 0.25, inner.to(dtype), outer)

    assert torch.equal(piecewise(r, 0.25, inner, outer), wanted)
    assert piecewise(r, 0.25, inner, outer).dtype == dtype


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_pieces_when_compiled(dtype: torch.dtype) -> None:
    r = torch.tensor([0.0, 0.25, 0.5, 3.0], dtype=dtype)

    def both(r: Tensor) -> Tensor:
        return piecewise(r, 0.25, *torch.tensor([1, 2], dtype=torch.float64)) + 4 * upto(r, 0.5)

    assert torch.equal(graph(both, CPU)(r), both(r))
    assert graph(both, CPU)(r).dtype == both(r).dtype == dtype


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "knob"), [("dsq", 0.2), ("ede", 10.0), ("fda", 12.0), ("rbnn", 3.0), ("reste", 2.5)]
)
def test_compiled_slopes_are_slopes(name: str, knob: float) -> None:
    """To a few roundings of the largest, but where a slope jumps and its edge is rounded."""
    plugin = ESTIMATORS.build(name, {})
    assert isinstance(plugin, Surrogate)
    at, z = torch.tensor(knob, dtype=torch.float64), torch.linspace(-3, 3, 20_001)
    exact = plugin.slope(z.double(), at)
    wrong = (graph(lambda z: plugin.slope(z, at), CPU)(z) - exact).abs() > 5e-7 * exact.abs().max()

    assert int(wrong.sum()) <= 4
