"""Formulas as papers print them, read where they have one meaning."""

import pytest
import torch
from torch import Tensor

from bench.nn.contract import Knob, Surrogate
from bench.properties.check import BACKWARD, FORMULA, check_estimator
from bench.properties.printed_formula import read_formula
from bench.registry import ESTIMATORS

CLAIM = "value is the printed formula"


class Soft(Surrogate):
    """tanh(tz), whatever it says."""

    formula = "f(z) = tanh(tz)"
    scale: float = 1.0

    def value(self, z: Tensor, knob: Tensor) -> Tensor:
        return torch.tanh(knob * z)

    def knob(self, role: str = "W") -> Knob:
        return Knob("t", 1.0, 3.0, (0.0, 10.0))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("f(z) = (1 + t) z / (1 + t|z|)", 4 * 0.3 / 1.9),
        ("f(z) = 2σ(αz) - 1", 2 / (1 + 2.718281828459045**-0.6) - 1),
        ("f(z) = tz^2/2 + √2 tz - ½z³", 0.135 + 2**0.5 * 0.9 - 0.0135),
        ("f(z) = ||z| - 1| t^(1/t)", 0.7 * 3 ** (1 / 3)),
        ("f(z) = -z²", -0.09),
        ("f(z) = 9^9^9^9 z", float("inf")),
    ],
)
def test_what_has_one_meaning_is_read(text: str, value: float) -> None:
    """A letter is a quantity, what stands side by side is multiplied, a power binds first."""
    formula = read_formula(text, ["t", "alpha"])

    assert formula
    z = torch.tensor([0.3], dtype=torch.float64)
    assert formula({"z": z, "t": 3.0, "alpha": 2.0}).item() == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize(
    "text",
    [
        *("w_eff = sign(w)", "f(z) = Σ sin(iz)/i", "f(z) = tanh 3z", "f(z) = z/2t", ""),
        *("f(z) = z/(2)t", "f(z) = sign(z) |z|, t learned", "f(z) = u z", "f(z) = z if t else 0"),
        *("f(z) = |z", "f(z)=", "f(z) = __import__", "f(z) = ()", "f(z) = " + "(" * 150),
    ],
)
def test_all_else_is_for_people(text: str) -> None:
    """Sums, words, what may mean two things, and what is no formula."""
    assert read_formula(text, ["t"]) is None


@pytest.mark.parametrize(
    ("text", "holds"),
    [(Soft.formula, True), ("f(z) = sqrt(|z|)", False), ("f(z) = tanh(t)", False)],
)
def test_a_formula_that_is_not_value_fails(text: str, holds: bool) -> None:
    """The line of the table says what trains."""
    plugin = type("Told", (Soft,), {"formula": text})()
    (check,) = [c for c in check_estimator(plugin).checks if c.name == CLAIM]

    assert check.ok is holds
    assert ("printed" in check.detail) is not holds


def test_what_is_compared_with_nothing_is_said() -> None:
    """A method's backward and formula; a surrogate's formula, if it is no arithmetic."""
    told = type("Told", (Soft,), {"formula": "f(z) = a soft step"})()

    assert check_estimator(ESTIMATORS.build("bnn", {})).unchecked == [BACKWARD, FORMULA]
    assert check_estimator(told).unchecked == [FORMULA]
    assert check_estimator(Soft()).unchecked == []
