"""Bits of an estimator: what it has, and what a suite's W/A makes of it."""

import pytest
from pydantic import ValidationError
from torch import nn

from bench.nn.clock import Clock
from bench.nn.contract import Estimator
from bench.registry import ESTIMATORS
from bench.spec.cell import Role


class Quantizer(Estimator):
    weight_bits: int = 1
    input_bits: int = 1
    scale: float = 1.0

    def binarizer(self, role: Role, shape: tuple[int, ...], clock: Clock, zero: int) -> nn.Module:
        return nn.Identity()


class Ternary(Quantizer):
    def bits(self, role: Role) -> int:
        return 2 if role == "W" else 1


def test_an_estimator_without_fields_of_bits_has_one() -> None:
    ste = ESTIMATORS.build("ste", {})
    assert (ste.bits("W"), ste.bits("A")) == (1, 1)
    assert ste.with_bits({"W": 2, "A": 2}) is ste
    assert Ternary().with_bits({"W": 1}).bits("W") == 2


def test_fields_of_bits_are_set_to_what_the_suite_asks_for() -> None:
    made = Quantizer(scale=2).with_bits({"W": 1, "A": 2})
    assert (made.bits("W"), made.bits("A"), made.scale) == (1, 2, 2)
    assert Quantizer().with_bits({"W": 3}) == Quantizer(weight_bits=3)


def test_bits_that_the_suite_gave_as_a_parameter_stay() -> None:
    assert Quantizer(input_bits=4).with_bits({"W": 2, "A": 2}) == Quantizer(
        weight_bits=2, input_bits=4
    )


def test_bits_that_the_field_does_not_take_are_refused() -> None:
    class Coarse(Quantizer):
        def model_post_init(self, context: object) -> None:
            if self.weight_bits > 2:
                message = "at most 2 bits"
                raise ValueError(message)

    with pytest.raises(ValidationError, match="at most 2 bits"):
        Coarse().with_bits({"W": 3})
