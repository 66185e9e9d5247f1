"""What every estimator owes the harness, and the numbers that the papers print."""

import math
from importlib import import_module

import pytest
import torch

from bench.plugin import Surrogate
from bench.properties.check import check_estimator
from bench.properties.training_claims import compiles, stays_one_graph
from bench.registry import ESTIMATORS

QUICK = [n for n in ESTIMATORS.names() if issubclass(ESTIMATORS.load(n), Surrogate)]
EACH = [
    n if n in QUICK else pytest.param(n, marks=pytest.mark.slow)  # a method is trained a little
    for n in ESTIMATORS.names()
]


@pytest.mark.parametrize("name", EACH)
def test_contract(name: str) -> None:
    """Every claim of `bench check` holds: slope, backward, finiteness, dtype, sign(0)."""
    report = check_estimator(ESTIMATORS.build(name, {}))

    assert [c for c in report.checks if not c.ok] == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ESTIMATORS.names())
def test_one_graph(name: str) -> None:
    """Forward and loss are one graph, compiled once however far the schedule is."""
    problem, _ = stays_one_graph(ESTIMATORS.build(name, {}))

    assert problem == ""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["biper", "ovsw", "rebnn", "siman"])
def test_compiled_is_eager(name: str) -> None:
    """
    Three compiled steps are three eager ones, to 1e-12, in float64.

    Of a loss, of gradients, of weights that are changed, and of buffers; `bench check` asks it of
    any, in half a minute.
    """
    problem, _ = compiles(ESTIMATORS.build(name, {}))

    assert problem == ""


@pytest.mark.parametrize("name", ESTIMATORS.names())
def test_file_reads_like_the_paper(name: str) -> None:
    """A reader finds forward, backward, knob and the paper's equations at the top of the file."""
    built = ESTIMATORS.build(name, {})
    text = import_module(type(built).__module__).__doc__ or ""

    headings = ["forward ", "backward ", "Reference: "]
    for heading in headings + (["value ", "knob "] if isinstance(built, Surrogate) else []):
        assert heading in text


def test_the_derived_slope_is_the_closed_one() -> None:
    """Leaving `slope` out changes nothing but speed: autograd of value agrees off the kinks."""
    z = torch.linspace(-2.937, 2.937, 997, dtype=torch.float64)
    for name in ("dsq", "ede", "fda", "rbnn", "reste", "ste"):
        f = surrogate(name)
        for p in (0.0, 0.4, 0.999):
            knob = torch.tensor(f.path(p), dtype=torch.float64)
            torch.testing.assert_close(f.slope(z, knob), Surrogate.slope(f, z, knob))


@pytest.mark.parametrize(
    ("z", "slopes"),
    [
        (0.0, (1, 3.1623, 4.6416, 7.9433)),
        (0.1, (1, 3.1623, 4.6416, 7.9433)),
        (0.1000001, (1, 1.5811, 1.5472, 0.7943)),
        (0.5, (1, 0.7071, 0.5291, 0.1866)),
        (1.0, (1, 0.5, 0.3333, 0.1)),
        (1.5, (1, 0.4082, 0.2544, 0.0694)),
        (1.5000001, (0, 0, 0, 0)),
        (math.inf, (0, 0, 0, 0)),
    ],
)
def test_reste_regions(z: float, slopes: tuple[float, ...]) -> None:
    """ReSTE's slope at o = 1, 2, 3, 10 in its three regions, borders on the side they belong to."""
    for o, slope in zip((1, 2, 3, 10), slopes, strict=True):
        for side in (z, -z):
            assert at("reste", side, o) == pytest.approx(slope, abs=6e-5)


def test_reste_at_one_is_the_clipped_identity() -> None:
    """o = 1 is the identity inside |z| ≤ t, whatever m is."""
    z = torch.linspace(-1.5, 1.5, 301)

    torch.testing.assert_close(surrogate("reste").value(z, torch.tensor(1.0)), z)


def test_fda_ratio_is_the_sum() -> None:
    """The closed ratio equals the sum of cosines, at 0 and where sin ωz = 0 too."""
    f = surrogate("fda", omega=1.0, clip=math.inf)
    z = torch.cat([torch.linspace(-7, 7, 501), torch.tensor([0.0, math.pi, -2 * math.pi])])
    z = z.double()
    for n in (0, 1, 9, 18):
        total = sum((torch.cos((2 * i + 1) * z) for i in range(n + 1)), torch.zeros_like(z))
        torch.testing.assert_close(
            f.slope(z, torch.tensor(float(n))), 4 / math.pi * total, rtol=1e-9, atol=1e-7
        )


@pytest.mark.parametrize("z", [1e-4, 1e-5, 9e-6, 1e-7, math.pi + 1e-7])
def test_fda_ratio_near_its_limit(z: float) -> None:
    """Where the sine all but vanishes, the ratio's limit stands for the sum to 1e-9 of it."""
    f, x = surrogate("fda", omega=1.0, clip=math.inf), torch.tensor([z], dtype=torch.float64)
    total = sum((torch.cos((2 * i + 1) * x) for i in range(19)), torch.zeros_like(x))

    torch.testing.assert_close(
        f.slope(x, torch.tensor(18.0)), 4 / math.pi * total, rtol=1e-9, atol=0
    )


@pytest.mark.parametrize(("n", "gain"), [(9, 1.273), (18, 2.419)])
def test_fda_gain(n: int, gain: float) -> None:
    """f'(0) = 4ω(n+1)/π; at n = 18 the slope at 1 is negative, -0.39."""
    assert at("fda", 0.0, n) == pytest.approx(gain, abs=6e-4)
    if n == 18:
        assert at("fda", 1.0, n) == pytest.approx(-0.39, abs=6e-3)


@pytest.mark.parametrize(
    ("alpha", "k", "at_0", "at_1"),
    [(0.2, 1.0986, 1.373, 0.494), (0.4, 0.693, 1.155, 0.739), (0.5, 0.549, 1.099, 0.824)],
)
def test_dsq_at_one_bit(alpha: float, k: float, at_0: float, at_1: float) -> None:
    """DSQ with l, u = ∓1 passes through (±1, ±1) with the slopes of s tanh(kz)."""
    f = surrogate("dsq")
    ends = f.value(torch.tensor([-1.0, 1.0, 5.0]), torch.tensor(alpha))

    torch.testing.assert_close(ends, torch.tensor([-1.0, 1.0, 1.0]))
    assert 0.5 * math.log(2 / alpha - 1) == pytest.approx(k, abs=6e-4)
    assert at("dsq", 0.0, alpha) == pytest.approx(at_0, abs=6e-4)
    assert at("dsq", 1.0, alpha) == pytest.approx(at_1, abs=6e-4)
    assert at("dsq", 1.0001, alpha) == 0


@pytest.mark.parametrize(("t", "gain"), [(0.1, 1), (1, 1), (10, 10)])
def test_ede_gain(t: float, gain: float) -> None:
    """EDE's gain k t is 1 until t = 1, then t."""
    assert at("ede", 0.0, t) == pytest.approx(gain)


def test_rbnn_holds_its_vertex() -> None:
    """RBNN's gain at 0 is √2 k t; its slope is 0 from √2/t on, where f has reached k."""
    assert at("rbnn", 0.0, 0.01) == pytest.approx(math.sqrt(2))
    assert at("rbnn", 0.0, 10) == pytest.approx(14.142, abs=1e-3)
    assert at("rbnn", 0.15, 10) == 0
    vertex = surrogate("rbnn").value(torch.tensor([3.0]), torch.tensor(10.0)).item()
    assert vertex == pytest.approx(1)


def test_ste_clips_where_it_is_told() -> None:
    """|z| ≤ clip, border included; clip: .inf is the identity."""
    z = torch.tensor([-1.5, -1.0, 0.0, 1.0, 1.0001])

    assert surrogate("ste").slope(z, torch.tensor(0.0)).tolist() == [0, 1, 1, 1, 0]
    assert surrogate("ste", clip=math.inf).slope(z, torch.tensor(0.0)).min() == 1


def test_dsq_learns_its_alpha_within_bounds() -> None:
    """α gets a gradient in both roles, and can come back from its bound."""
    from bench.nn.clock import Clock

    module = surrogate("dsq").binarizer("A", (3,), Clock(), 0)
    (parameter,) = module.parameters()
    with torch.no_grad():
        parameter.fill_(0.7)
    module(torch.randn(64)).square().mul(torch.randn(64)).sum().backward()

    assert parameter.grad is not None
    assert parameter.grad.abs() > 0
    assert list(surrogate("dsq", learn="off").binarizer("A", (3,), Clock(), 0).parameters()) == []


def surrogate(name: str, **params: object) -> Surrogate:
    built = ESTIMATORS.build(name, dict(params))
    assert isinstance(built, Surrogate)
    return built


def at(name: str, z: float, knob: float) -> float:
    """The slope of one estimator at one z."""
    knob_tensor = torch.tensor(float(knob), dtype=torch.float64)
    return surrogate(name).slope(torch.tensor([z], dtype=torch.float64), knob_tensor).item()
