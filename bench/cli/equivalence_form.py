"""How the `--json` of `bench equivalence` reads."""

from typing_extensions import TypedDict  # typing's, as pydantic needs it before Python 3.12


class Equivalence(TypedDict):
    """Two one-sided tests of a difference, in fractions."""

    difference: float  # of the second's mean less the first's
    half_width: float | None  # of the 90 % interval
    p: float
    margin: float
    verdict: str  # equivalent, not equivalent, not settled


class ComparedRows(Equivalence):
    """Two rows of one network."""

    backbone: str  # without what they differ in
    wa: str
    tuned: bool
    row: str
    differ: list[str]  # two values, or two names
    n: list[int]
    acc: list[float | None]  # means over seeds, fractions
    e: list[float | None]
    s: list[float | None]
    needed: int | None  # seeds of each that show it, if they are equal


class TwoOrders(TypedDict):
    """The rows of two tables by mean accuracy, best first, and their mean difference."""

    backbone: str
    wa: str
    tuned: bool
    differ: list[str]
    first: list[str]
    second: list[str]
    tau: float | None  # Kendall's
    together: Equivalence | None


class Equivalences(TypedDict):
    """What was compared for equivalence."""

    rows: list[ComparedRows]
    together: Equivalence | None
    orders: list[TwoOrders]
