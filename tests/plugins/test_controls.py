"""What takes ReSTE apart: gains, plateaus, the constant alone, the ramp that it tends to."""

import math
from pathlib import Path

import pytest
import torch

from bench.nn.layers import Layers, binary_layers
from bench.planning.resolved_suite import resolve
from bench.plugin import Surrogate
from bench.properties.check import check_estimator
from bench.registry import BACKBONES, ESTIMATORS
from bench.spec.cell import Binarization
from bench.spec.suite_file import find_suite

SURROGATES = ("dsq", "ede", "fda", "ramp", "rbnn", "reste", "ste", "ste_gain")


def surrogate(name: str, **params: object) -> Surrogate:
    found = ESTIMATORS.build(name, params)
    assert isinstance(found, Surrogate)
    return found


def at(f: Surrogate, z: float, knob: float) -> float:
    return f.df(torch.tensor([z], dtype=torch.float64), torch.tensor(knob).double()).item()


@pytest.mark.parametrize("name", SURROGATES)
def test_unit_gain_is_one_at_zero(name: str) -> None:
    """`gain: unit`: the slope at 0 is 1 in both roles and all through the schedule."""
    f = surrogate(name, gain="unit")
    for role in ("W", "A"):
        for p in (0.0, 0.3, 0.7, 0.999):
            assert at(f, 0.0, f.path(p, role)) == pytest.approx(1, rel=1e-12)


@pytest.mark.parametrize("name", SURROGATES)
def test_unit_gain_keeps_the_shape(name: str) -> None:
    """It divides f and f' by one number: ratios between points are those of `raw`."""
    raw, unit = surrogate(name), surrogate(name, gain="unit")
    z = torch.linspace(-2, 2, 401, dtype=torch.float64)
    knob = torch.tensor(raw.path(0.6), dtype=torch.float64)
    gain = raw.slope(torch.zeros((), dtype=torch.float64), knob)

    torch.testing.assert_close(unit.df(z, knob) * gain, raw.df(z, knob))
    torch.testing.assert_close(unit.f(z, knob) * gain, raw.f(z, knob))


@pytest.mark.slow
@pytest.mark.parametrize("name", SURROGATES)
def test_unit_gain_keeps_the_contract(name: str) -> None:
    """`bench check` holds: what training multiplies by is the derivative of what is declared."""
    assert [c for c in check_estimator(surrogate(name, gain="unit")).checks if not c.ok] == []


@pytest.mark.parametrize("derived", [False, True])
def test_unit_gain_teaches_dsq_its_knob(derived: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A learned knob's gradient is that of f/f'(0), with the slope given or derived."""
    from bench.nn.clock import Clock

    dsq = surrogate("dsq", gain="unit")
    if derived:
        monkeypatch.setattr(type(dsq), "slope", Surrogate.slope)
    z = torch.linspace(-0.85, 0.9, 19)
    module = dsq.binarizer("W", (19,), Clock(), 0)
    (module(z) * torch.arange(19)).sum().backward()
    (alpha,) = module.parameters()
    h = 1e-6
    weigh = torch.arange(19).double()
    ends = [
        (dsq.f(z.double(), torch.tensor(0.2 + s, dtype=torch.float64)) * weigh).sum()
        for s in (h, -h)
    ]
    expected = ((ends[0] - ends[1]) / (2 * h)).item()

    assert alpha.grad is not None
    assert alpha.grad.item() == pytest.approx(expected, rel=1e-4)
    assert abs(expected) > 1


@pytest.mark.parametrize(
    ("mode", "m", "height", "beyond"),
    [
        ("secant", 0.1, 4.6416, 1.5472),  # text and code
        ("secant", 0.05, 7.3681, 2.4560),
        ("clamp", 0.1, 1.5472, 1.5472),
        ("clamp", 0.05, 2.4560, 2.4560),  # figure 3
    ],
)
def test_plateaus_of_reste(mode: str, m: float, height: float, beyond: float) -> None:
    """At o = 3 the secant jumps by o at m; held at f'(m) the slope is continuous."""
    f = surrogate("reste", small_mode=mode, m=m)

    assert at(f, 0.5 * m, 3) == pytest.approx(height, abs=6e-5)
    assert at(f, m * (1 + 1e-9), 3) == pytest.approx(beyond, abs=6e-5)


def test_the_pole_stays_without_a_plateau() -> None:
    """`small_mode: none` is the printed power function, cut only beyond t."""
    f = surrogate("reste", small_mode="none")

    assert at(f, 1e-6, 3) == pytest.approx(1e-6 ** (1 / 3 - 1) / 3, rel=1e-9)
    assert at(f, 1.6, 3) == 0


@pytest.mark.parametrize("small", ["secant", "clamp"])
def test_value_and_slope_agree_with_a_plateau(small: str) -> None:
    """The slope is the derivative of the value, which is continuous at m."""
    assert [
        c for c in check_estimator(surrogate("reste", small_mode=small)).checks if not c.ok
    ] == []


@pytest.mark.parametrize(
    ("mode", "m", "uniform", "normal"),
    [
        ("secant", 0.1, (1.72, 4.25), (2.33, 5.86)),
        ("clamp", 0.1, (0.44, 0.09), (0.57, 0.12)),
        ("clamp", 0.05, (0.61, 0.16), (0.80, 0.21)),
        ("secant", 0.05, (2.22, 7.41), (3.02, 10.2)),
        ("secant", 0.01, (3.93, 26.9), (5.38, 37.1)),
    ],
)
def test_gain_of_a_layer(
    mode: str, m: float, uniform: tuple[float, float], normal: tuple[float, float]
) -> None:
    """E[f'²] over o = 1, for z uniform on (0, 1.5) and normal, at o = 3 and 10."""
    f = surrogate("reste", small_mode=mode, m=m)
    z = (torch.arange(600_000, dtype=torch.float64) + 0.5) * 1e-5  # (0, 6)
    weights = {"u": (z < 1.5).double(), "n": torch.exp(-(z**2) / 2)}

    def moment(o: float, over: str) -> float:
        slope = f.df(z, torch.tensor(o, dtype=torch.float64))
        return (slope**2 * weights[over]).sum().item()

    for over, printed in (("u", uniform), ("n", normal)):
        for o, expected in zip((3, 10), printed, strict=True):
            ratio = moment(o, over) / moment(1, over)
            assert ratio == pytest.approx(expected, rel=0.006, abs=0.006)


def test_ste_with_the_gain_is_reste_inside_its_plateau() -> None:
    """While |w| ≤ m the two multiply by the same number, bit for bit."""
    w = torch.linspace(-0.1, 0.1, 1001)
    reste, control = surrogate("reste"), surrogate("ste_gain")
    for o in (1.0, 1.5858, 2.2346, 3.0):
        knob = torch.tensor(o, dtype=torch.float64)
        assert torch.equal(reste.df(w, knob), control.df(w, knob))


def test_the_ramp_is_where_truncated_reste_ends() -> None:
    """o → ∞ leaves 1/m inside m and nothing beyond: the ramp of k = 10."""
    z = torch.linspace(-1.5, 1.5, 3001, dtype=torch.float64)
    z = z[(z.abs() - 0.1).abs() > 1e-9]
    end = surrogate("reste").df(z, torch.tensor(1e9, dtype=torch.float64))
    ramp = surrogate("ramp").df(z, torch.tensor(10.0, dtype=torch.float64))

    torch.testing.assert_close(end, ramp, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("net", "share"),
    [
        ("resnet20", 85.6),
        ("resnet18", 100.0),
        ("vgg_small", 99.94),
        pytest.param("resnet18_imagenet", 99.7, marks=pytest.mark.slow),
        pytest.param("resnet34_imagenet", 99.7, marks=pytest.mark.slow),
    ],
)
def test_weights_are_born_in_the_plateau(net: str, share: float) -> None:
    """The share of binary weights with |w| ≤ 0.1 at initialization, where ReSTE is a constant."""
    torch.manual_seed(0)
    from bench.nn.clock import Clock

    def binarizer(role: str, shape: tuple[int, ...]) -> torch.nn.Module:
        return surrogate("reste").binarizer("W", shape, Clock(), 0)

    model = BACKBONES.build(net, {}).build(10, 3, Layers(binarizer, Binarization()))
    weights = torch.cat([layer.weight.detach().flatten() for _, layer in binary_layers(model)])

    assert 100 * (weights.abs() <= 0.1).double().mean().item() == pytest.approx(share, abs=0.25)


def test_the_controls_take_one_thing_away() -> None:
    """The suite's labels are what they say: role, clip, plateau, schedule, gain."""
    resolved = resolve(find_suite(Path("controls")))
    suite, axes = resolved.suite, resolved.axes
    found = {
        label: {r: n.plugin for r, n in roles.items()} for label, roles in axes.estimators.items()
    }

    assert [found[x]["A"].clip for x in ("ste", "ste_clip_1.5", "ste_identity")] == [
        1,
        1.5,
        math.inf,
    ]
    for label, weights, activations in (
        ("ste_gain_w", "STEGain", "STE"),
        ("reste_w", "ReSTE", "STE"),
        ("reste_a", "STE", "ReSTE"),
    ):
        kinds = [type(found[label][role]).__name__ for role in ("W", "A")]
        assert kinds == [weights, activations]
    assert found["reste_a"]["W"].clip == found["reste_w"]["A"].clip == 1.5
    assert {
        p.gain for label, roles in found.items() if "unit" in label for p in roles.values()
    } == {"unit"}
    assert {net.plugin.order for net in axes.backbones.values()} == {"relu_bn", "bn_hardtanh"}
    assert suite.baseline == "ste"
