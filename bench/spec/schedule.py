"""
Schedules: the named ways a knob travels from its start to its end.

A schedule is a function of training progress p = e/E in [0, 1). It is evaluated once per epoch in
double precision. A compiled graph never holds its value: the knob's tensor is refilled.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

ScheduleName: TypeAlias = Literal["cosine", "linear", "power", "exp", "fixed"]


@dataclass(frozen=True)
class Schedule:
    """
    A path of a knob.

    Attributes:
        formula: the path as text.
        at: the knob's value, given start, end and the progress p.
        note: where the path is from.
    """

    formula: str
    at: Callable[[float, float, float], float]
    note: str


SCHEDULES: dict[ScheduleName, Schedule] = {
    "cosine": Schedule(
        "start + (1 - cos(πp/2)) (end - start)",
        lambda start, end, p: start + (1 - math.cos(math.pi * p / 2)) * (end - start),
        "slow start; the released ReSTE code, o: 1 → o_end",
    ),
    "linear": Schedule(
        "start + p (end - start)",
        lambda start, end, p: start + p * (end - start),
        "the ReSTE appendix, table 3, 'linear'; FDA's number of terms",
    ),
    "power": Schedule(
        "start + p² (end - start)",
        lambda start, end, p: start + p**2 * (end - start),
        "the ReSTE appendix, table 3, 'power'; its exponent is not printed, 2 is our reading",
    ),
    "exp": Schedule(
        "start (end/start)^p",
        lambda start, end, p: start * (end / start) ** p,
        "log-linear; IR-Net's EDE and RBNN; needs start and end of one sign, not 0",
    ),
    "fixed": Schedule(
        "end",
        lambda start, end, p: end,
        "no schedule at all; the ReSTE appendix, table 2, 'fixed'",
    ),
}
