"""Knob schedules against the numbers of the papers and codes."""

import pytest

from bench.plugin import Surrogate
from bench.registry import ESTIMATORS
from bench.spec.schedule import SCHEDULES, ScheduleName


@pytest.mark.parametrize(
    ("epochs", "e", "o"),
    [
        (250, 0, 1), (250, 125, 1.5858), (250, 187, 2.2288), (250, 249, 2.98743),
        (1000, 0, 1), (1000, 250, 1.1522), (1000, 500, 1.5858), (1000, 750, 2.2346),
        (1000, 999, 2.99686), (2000, 500, 1.1522), (2000, 1999, 2.99843),
    ],
)  # fmt: skip
def test_reste_follows_the_release(epochs: int, e: int, o: float) -> None:
    """o(e) = 1 + (1 - cos(πe/2E))(o_end - 1) gives the released values, and never o_end."""
    assert _surrogate("reste").path(e / epochs) == pytest.approx(o, abs=6e-5)


@pytest.mark.parametrize(
    ("name", "values"),
    [("ede", (0.1, 1.0, 9.954)), ("rbnn", (0.01, 0.3162, 9.931)), ("fda", (9, 13, 17))],
)
def test_other_knobs(name: str, values: tuple[float, ...]) -> None:
    """EDE and RBNN are log-linear in e/T, FDA adds a term nine times, at e = 0, T/2, T - 1."""
    path = [_surrogate(name).path(e / 1000) for e in (0, 500, 999)]

    assert path == pytest.approx(values, rel=1e-4)


def test_fda_steps_on_time() -> None:
    """n = 9 + floor(9e/T) for every e and T, rounding errors or not."""
    path = _surrogate("fda").path
    for epochs in (3, 9, 10, 45, 49, 81, 400):
        for e in range(epochs):
            assert path(e / epochs) == 9 + 9 * e // epochs


def test_rbnn_activations_start_at_one() -> None:
    """RBNN's activations use max(t, 1): flat for two thirds of the way, then sharpening."""
    surrogate = _surrogate("rbnn")

    assert [surrogate.path(p, "A") for p in (0, 0.5)] == [1, 1]
    assert surrogate.path(0.999, "A") == surrogate.path(0.999, "W") > 9


@pytest.mark.parametrize(
    ("name", "middle"),
    [("cosine", 1.5858), ("linear", 2), ("power", 1.5), ("exp", 3**0.5), ("fixed", 3)],
)
def test_formulas(name: ScheduleName, middle: float) -> None:
    """Every schedule but `fixed` starts at start and tends to end; halfway as its formula says."""
    at = SCHEDULES[name].at

    assert at(1, 3, 0) == pytest.approx(3 if name == "fixed" else 1)
    assert at(1, 3, 0.5) == pytest.approx(middle, abs=5e-5)
    assert at(1, 3, 1) == pytest.approx(3)


def _surrogate(name: str) -> Surrogate:
    built = ESTIMATORS.build(name, {})
    assert isinstance(built, Surrogate)
    return built
