"""
What training costs: `make bench`, and `make bench COMPILE=1` with what is compiled, too.

No test asserts a time. A case's ways are measured in turn, in one go; pytest-benchmark is told of
it by a clock that moves by what was measured.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from bench.speed.survey.cases import Case


class Replay:
    """A clock for pytest-benchmark, which moves by what was measured elsewhere."""

    def __init__(self) -> None:
        self.now = 0.0
        self.spans: Iterator[float] = iter(())

    def __call__(self) -> float:
        return self.now

    def turn(self) -> None:
        self.now += next(self.spans)


CLOCK = Replay()


@pytest.mark.benchmark(timer=CLOCK, disable_gc=False)
def test_speed(
    benchmark: Any, measured: Callable[[Case], dict[str, list[float]]], case: Case, way: str
) -> None:
    """One way to do the work of a case."""
    found = measured(case)[way]
    CLOCK.spans = iter(found)
    benchmark.group = f"{case.group}: {case.name}"
    benchmark.name = way
    benchmark.pedantic(CLOCK.turn, rounds=len(found))
