"""f and f' as a plot gets them."""

import math

import pytest
import torch

from bench.errors import UsageError
from bench.nn.contract import Surrogate
from bench.plugin import Clock, Estimator, Role
from bench.properties.curve import build_surrogate, space_evenly, tabulate_curve
from bench.registry import ESTIMATORS

SURROGATES = ("dsq", "ede", "fda", "ramp", "rbnn", "reste", "ste", "ste_gain")


def test_figure_3() -> None:
    """The drawn curve at o = 3: cut at t = 1.5, the slope held at f'(0.05) = 2.46 near 0."""
    words = ["small_mode=clamp", "m=0.05", "schedule=fixed"]
    found = tabulate_curve(build_surrogate("reste", words), "W", [0.999], space_evenly(-2, 2, 401))
    f, df = (dict(zip(found["z"], found[name], strict=True)) for name in ("f", "df"))

    assert set(found["knob"]) == {3.0}
    assert df[0.0] == df[0.05] == pytest.approx(0.05 ** (1 / 3 - 1) / 3)
    assert df[0.0] == pytest.approx(2.46, abs=5e-3)
    assert df[1.5] > 0
    assert df[1.51] == df[-1.51] == 0
    assert f[1.51] == f[1.5]


@pytest.mark.parametrize("name", SURROGATES)
def test_every_estimator_is_its_own_f(name: str) -> None:
    """What is written is f and df at the knob of p and role, finite everywhere."""
    estimator = ESTIMATORS.build(name, {"gain": "unit"})
    assert isinstance(estimator, Surrogate)
    found = tabulate_curve(
        build_surrogate(name, ["gain=unit"]), "A", [0, 0.5, 1], space_evenly(-2, 2, 41)
    )
    block = found[found["p"] == 0.5]
    knob = torch.tensor(estimator.path(0.5, "A"), dtype=torch.float64)
    z = torch.tensor(block["z"].tolist(), dtype=torch.float64)

    assert [*found.columns] == ["p", "knob", "z", "f", "df"]
    assert len(found) == 3 * 41
    assert bool(found.map(math.isfinite).all(axis=None))
    assert block["f"].tolist() == estimator.f(z, knob).tolist()
    assert block["df"].tolist() == estimator.df(z, knob).tolist()


def test_the_grid_meets_its_borders() -> None:
    """Every z is the double that its decimal names, 0 among them."""
    found = space_evenly(-2, 2, 401)

    assert found == [float(f"{(i - 200) / 100:.2f}") for i in range(401)]
    assert 0.0 in space_evenly(-1.1, 1.1, 23)
    assert space_evenly(0, 1, 2) == [0, 1]


def test_an_estimator_without_f_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """One whose forward is its own has nothing to draw."""

    class Own(Estimator):
        def binarizer(
            self, role: Role, shape: tuple[int, ...], clock: Clock, zero: int
        ) -> torch.nn.Module:
            return torch.nn.Identity()

    monkeypatch.setattr(ESTIMATORS, "load", lambda _: Own)  # pyright: ignore
    with pytest.raises(UsageError, match="own is no surrogate: it has no f to draw"):
        build_surrogate("own", [])
