"""What the compiler is told: little is kept, numbers are made once, images stay as they lie."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.fx.experimental.proxy_tensor import make_fx

from bench.nn.clock import Clock
from bench.nn.compiler import compile_step
from bench.nn.contract import Surrogate
from bench.nn.graph_passes import OWN_PLACE, abridge, compute_once, moments, partition
from bench.nn.integer_conv import MULTIPLIES_BYTES, WRITES_HALVES
from bench.nn.layers import Layers
from bench.nn.sign import piecewise, upto
from bench.registry import BACKBONES, ESTIMATORS
from bench.spec.cell import Binarization

CPU = torch.device("cpu")
OLDEST = torch.__version__.startswith("2.11.")
compile_any: Callable[..., Any] = compile_step  # what gives several numbers, too


def bits_of(true: Tensor) -> Tensor:
    """Booleans as bytes; torch 2.11 refuses to compile a view of them, whoever asks."""
    return true.to(torch.uint8) if OLDEST else true.view(torch.uint8)


def resnet() -> nn.Module:
    """ResNet-20's stages of one block each, with ReSTE: six binary convolutions."""
    clock, plugin = Clock(), ESTIMATORS.build("reste", {})
    layers = Layers(lambda role, shape: plugin.binarizer(role, shape, clock, 0), Binarization())
    torch.manual_seed(0)
    short = type("Short", (type(BACKBONES.build("resnet20", {})),), {"blocks": (1, 1, 1)})
    net = short().build(10, 3, layers)
    clock.set(0.5)
    net.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    return net.train()


def step(net: nn.Module) -> tuple[Any, Tensor]:
    """A compiled loss of images, and images."""
    images = torch.randn(8, 3, 32, 32, generator=torch.Generator().manual_seed(1))

    def loss(x: Tensor) -> Tensor:
        return net(x).square().mean()

    return compile_step(loss, CPU), images.contiguous(memory_format=torch.channels_last)


def test_what_compiles_nothing_imports_no_compiler() -> None:
    """Plugins, the trainer and data sets are imported without it: it takes a second and a half."""
    code = "import sys, bench.plugin, bench.train.trainer, bench.train.model, bench.data.download"
    code += "; print([x for x in ('torch._dynamo', 'torch._inductor') if x in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


@pytest.mark.slow
def test_what_a_compiled_step_keeps_and_how_it_lies() -> None:
    """
    Signs in a byte and sums in half a word for each convolution, no mask, no slope.

    Where int8 is not multiplied the backward pass alone needs signs in a byte, and may make them
    again of what is kept anyway; as real numbers they are kept nowhere.
    No kernel transposes images, or takes bits through memory; loops ask ahead for what they read.
    """
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
    signs = sum(t.dtype == torch.int8 for t in kept)
    assert signs == 6 if MULTIPLIES_BYTES else signs <= 6
    assert not any(t.is_floating_point() and t.abs().unique().numel() <= 2 for t in kept)
    halves = sum(t.dtype == torch.float16 for t in kept)
    assert halves == (6 if WRITES_HALVES else 0)
    # what the other convolutions gave, and what a shortcut adds to
    assert sum(t.dtype == torch.float32 for t in kept) <= 1 + 7 + 4 - halves
    assert len(code) >= 2  # forward and backward
    # without convolutions of its own a backward graph is laid out by this torch's own rules
    assert not MULTIPLIES_BYTES or "transpose_mxn" not in "".join(code)
    assert "bit_cast" not in "".join(code)
    assert "__builtin_prefetch" in code[0]
    assert "__builtin_prefetch" in code[-1]


@pytest.mark.slow
def test_other_graphs_are_compiled_as_they_would_be() -> None:
    """What this project tells the compiler, no graph of a plugin's or a user's own hears."""
    from torch._inductor.utils import run_and_get_code

    def other(r: Tensor, x: Tensor) -> Tensor:
        ints = (r.view(torch.int32) >> 1) + bits_of(x > 0) + x.view(torch.int32)
        return ints * torch.tanh(x).clamp(min=0)

    compile_step(torch.sin, CPU)(torch.randn(64))
    x = torch.randn(64, 64)
    found, code = run_and_get_code(torch.compile(other), x[:, :1], x)  # pyright: ignore[reportUnknownVariableType]

    torch.testing.assert_close(found, other(x[:, :1], x))
    assert all(word in "".join(code) for word in ("bit_cast", "tanh()", "vec::maximum"))
    assert "__builtin_prefetch" not in "".join(code)
    assert "vec::cast" not in "".join(code)


@pytest.mark.slow
def test_bits_of_any_type() -> None:
    """What is compiled here may look at bits of whatever has the same width."""

    def bits(x: Tensor) -> Tensor:
        return bits_of(x > 0) + x.view(torch.int32) + x.double().view(torch.int64)

    x = torch.randn(100, generator=torch.Generator().manual_seed(0))

    assert torch.equal(compile_step(bits, CPU)(x), bits(x))


@pytest.mark.slow
def test_a_bound_or_a_number_that_is_nan_stays_nan() -> None:
    """
    Of two vectors and of numbers written down, larger or smaller, of any type.

    In torch 2.11 one bound alone that is written down as NaN is none when nothing is compiled.
    """
    nan, inf = float("nan"), float("inf")

    def bounded(a: Tensor, b: Tensor) -> Tensor:
        pairs = torch.maximum(a, b), torch.minimum(a, b)
        return torch.stack([*pairs, a.clamp(-1, 1), a.clamp(max=inf), a.clamp(min=nan)])

    def wanted(a: Tensor, b: Tensor) -> Tensor:
        return torch.stack([*bounded(a, b)[:-1], torch.full_like(a, nan)])

    a = torch.tensor([nan, 1, 2, -inf, inf, 0, -3, nan])
    b = torch.tensor([nan, nan, 1, 3, nan, -inf, inf, -1])
    types = torch.float32, torch.bfloat16, torch.float64
    given = [  # of unlike lengths, each in loops of its own
        (a.repeat(n).to(dtype), b.repeat(n).to(dtype)) for n, dtype in enumerate(types, start=6)
    ]
    call = compile_any(lambda pairs: [bounded(*pair) for pair in pairs], CPU)

    torch.testing.assert_close(call(given), [wanted(*pair) for pair in given], equal_nan=True)


@pytest.mark.slow
def test_bounds_make_no_numbers_of_masks() -> None:
    """One instruction where a bound is written down, three where it may be NaN."""
    from torch._inductor.utils import run_and_get_code

    def bounded(a: Tensor, b: Tensor) -> Tensor:
        return a.clamp(min=-1) + torch.minimum(a, b)

    a, b = torch.randn(2, 64)
    _, code = run_and_get_code(compile_step(bounded, CPU), a, b)  # pyright: ignore[reportUnknownVariableType]
    text = "".join(code)

    assert "vec::maximum" not in text
    assert "vec::minimum" not in text
    assert text.count("clamp_min(") == 1
    assert text.count("clamp_max(") == 2


def test_division_by_a_knob_is_made_once() -> None:
    """In float64, of narrow numbers; not by what is no knob, nor of a knob itself."""

    def divided(x: Tensor, o: Tensor, n: Tensor) -> tuple[Tensor, ...]:
        return x / o, x / n, x / 3, x / x, o / 2, x.double() / o

    x, o = torch.tensor([1.0, 2.0]), torch.tensor(3.0, dtype=torch.float64)
    given = x, o, torch.tensor(1e-40)
    traced = make_fx(divided, tracing_mode="fake")(*given)
    abridge(traced.graph)
    traced.recompile()
    left = traced.graph.find_nodes(op="call_function", target=torch.ops.aten.div.Tensor)

    assert len(left) == 5
    for ours, wanted in zip(traced(*given), divided(*given), strict=True):
        torch.testing.assert_close(ours, wanted)


class Factor(torch.autograd.Function):
    """Sign, whose gradient is a factor."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, factor: int) -> Tensor:
        ctx.factor = factor
        return x.sign()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        return ctx.factor * grads[0], None


@pytest.mark.slow
def test_a_step_is_traced_once_and_kept_with_its_backward_pass() -> None:
    """A knob begins no second tracing; a kept step is one of the same gradient."""
    from torch._dynamo.utils import compilation_time_metrics, counters

    config: Any = torch._functorch.config  # pyright: ignore
    hits, traced = [], []
    for factor, kept in ((2, False), (2, True), (2, True), (3, True)):
        x, knob = torch.randn(64, requires_grad=True), torch.tensor(0.5, dtype=torch.float64)
        compilation_time_metrics.clear()
        counters.clear()
        step = compile_step(lambda x, k, n=factor: (Factor.apply(x, n) * k).sum(), CPU)  # pyright: ignore
        with config.patch(enable_autograd_cache=kept):
            step(x, knob).backward()
        hits.append(counters["aot_autograd"]["autograd_cache_hit"])
        traced.append(len(compilation_time_metrics["bytecode_tracing"]))

        assert torch.equal(x.grad, torch.full((64,), 0.5 * factor))  # pyright: ignore[reportArgumentType]
    assert hits[2] == 1
    assert traced == [1, 1, 1, 1]


@pytest.mark.slow
def test_running_statistics_when_compiled() -> None:
    """A BatchNorm's mean and variance, of images far from zero, are those that it has eagerly."""
    images = torch.randn(8, 4, 6, 6, generator=torch.Generator().manual_seed(0)) * 3 + 100
    norms = [nn.BatchNorm2d(4) for _ in range(2)]
    outs = [norms[0](images), compile_step(norms[1], CPU)(images)]

    torch.testing.assert_close(*outs, rtol=1e-4, atol=1e-4)
    for ours, theirs in zip(*(norm.state_dict().values() for norm in norms), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=0)


@pytest.mark.parametrize("shift", [0.0, 100.0])
@pytest.mark.parametrize("spread", [1e-3, 1.0, 1e4])
def test_moments(shift: float, spread: float) -> None:
    """As exact as float32 numbers of that mean and spread let them be."""
    x = torch.randn(32, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * spread + shift
    exact = torch.var_mean(x.double(), (0, 2, 3), correction=0, keepdim=True)
    found = moments(x)

    torch.testing.assert_close(found[0].double(), exact[0], rtol=1e-5, atol=0)
    assert (found[1] - exact[1]).abs().max() < 1e-6 * (spread + shift)
    assert found[0].shape == exact[0].shape


def test_moments_where_one_number_is_far_off() -> None:
    x = torch.randn(32, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    x[0, :, 0, 0] = 1000
    exact = torch.var_mean(x.double(), (0, 2, 3), correction=0, keepdim=True)

    for ours, wanted in zip(moments(x), exact, strict=True):
        torch.testing.assert_close(ours.double(), wanted, rtol=1e-5, atol=1e-6)


def test_moments_of_what_does_not_vary() -> None:
    var, mean = moments(torch.full((4, 2, 3, 3), 7.3))

    assert torch.equal(var, torch.zeros(1, 2, 1, 1))
    assert torch.equal(mean, torch.full((1, 2, 1, 1), 7.3))


def test_moments_take_the_place_of_two_passes() -> None:
    """Of images by channel, and of nothing else; what is computed stays the same."""
    images = [0, 2, 3]

    def both(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        var, mean = torch.var_mean(x, images, correction=0, keepdim=True)
        return mean, var, torch.var_mean(x, [3], correction=0, keepdim=True)[0]

    x = torch.randn(4, 3, 5, 5, generator=torch.Generator().manual_seed(0))
    traced = make_fx(both, tracing_mode="fake")(x)
    abridge(traced.graph)
    traced.recompile()
    left = traced.graph.find_nodes(op="call_function", target=torch.ops.aten.var_mean.correction)

    assert [node.args[1] for node in left] == [[3]]
    for ours, wanted in zip(traced(x), both(x), strict=True):
        torch.testing.assert_close(ours, wanted)


def test_numbers_of_a_knob_are_made_once() -> None:
    """Of ReSTE's slope: its exponent and its secant, which images are combined with."""
    reste = ESTIMATORS.build("reste", {})
    assert isinstance(reste, Surrogate)
    o = torch.tensor(2.0, dtype=torch.float64)
    traced = make_fx(lambda z, o: reste.slope(z, o), tracing_mode="fake")(torch.randn(3), o).graph
    compute_once(traced)
    marked = [n for n in traced.nodes if n.meta.get(OWN_PLACE)]

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
def test_pieces_when_compiled() -> None:
    """Numbers of any type are what they are eagerly."""

    def both(r: Tensor) -> Tensor:
        return piecewise(r, 0.25, *torch.tensor([1, 2], dtype=torch.float64)) + 4 * upto(r, 0.5)

    types = torch.float32, torch.bfloat16, torch.float64
    given = [
        torch.tensor([0.0, 0.25, 0.5, 3.0] * n, dtype=dtype)
        for n, dtype in enumerate(types, start=1)
    ]
    found = compile_any(lambda many: [both(r) for r in many], CPU)(given)

    assert [r.dtype for r in found] == [both(r).dtype for r in given] == [*types]
    assert all(torch.equal(ours, both(r)) for ours, r in zip(found, given, strict=True))


@pytest.mark.slow
def test_compiled_slopes_are_slopes() -> None:
    """To a few roundings of the largest, but where a slope jumps and its edge is rounded."""
    knobs = {"dsq": 0.2, "ede": 10.0, "fda": 12.0, "rbnn": 3.0, "reste": 2.5}
    plugins = {name: ESTIMATORS.build(name, {}) for name in knobs}
    given = {  # of unlike lengths, each in loops of its own
        name: (torch.linspace(-3, 3, 20_001 + n), torch.tensor(knob, dtype=torch.float64))
        for n, (name, knob) in enumerate(knobs.items())
    }

    def slope(name: str, z: Tensor, at: Tensor) -> Tensor:
        plugin = plugins[name]
        assert isinstance(plugin, Surrogate)
        return plugin.slope(z, at)

    call = compile_any(lambda: [slope(name, *given[name]) for name in knobs], CPU)
    for found, (name, (z, at)) in zip(call(), given.items(), strict=True):
        exact = slope(name, z.double(), at)
        wrong = (found - exact).abs() > 5e-7 * exact.abs().max()
        assert int(wrong.sum()) <= 4, name
