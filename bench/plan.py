"""
A plan: a suite resolved into rows and cells, with everything that a table needs to be printed.

`bench run` keeps it beside the records; `bench leaderboard` reads it and imports no plugin.
"""

from typing import Literal

from bench.cell import WA, Binarization, Cell, Frozen, Recipe, Role

Verdict = Literal["yes", "no", "little", "not"]


class Witness(Frozen):
    """Where a property fails worst."""

    z: float | None  # None: it is an end of the knob's range that is not reached
    knob: float | None
    gap: float  # by how much
    text: str


class Properties(Frozen):
    """Rational and flexible, as `bench.properties` computes them; a witness for every 'no'."""

    rational: Literal["yes", "no"]
    flexible: Literal["yes", "little", "not"]
    rational_witness: Witness | None = None
    flexible_witness: Witness | None = None


class RoleInfo(Frozen):
    """What one role's estimator is: the text and the verdicts of a leaderboard row."""

    plugin: str
    formula: str
    kind: str
    schedule: str = ""  # empty: no scheduled knob
    printed: Properties | None = None  # by definition P; None: no surrogate, so no f to judge
    trained: Properties | None = None


class Row(Frozen):
    """One line of the leaderboard: cells that differ in the seed alone."""

    label: str
    backbone: str
    wa: WA
    schedule: str  # as the suite's axis names it; "default" is the estimator's own
    roles: dict[Role, RoleInfo]
    published: float | None = None  # accuracy in percent, as printed
    cells: list[Cell]


class LeftOut(Frozen):
    """A combination that the plan does not run, and why."""

    combination: str
    reason: str


class Plan(Frozen):
    """A suite, resolved."""

    schema_version: Literal[1] = 1
    suite: str
    source: str  # the suite file
    source_digest: str  # of what it says, overrides included, comments not
    overrides: list[str] = []
    data_label: str
    recipe: Recipe
    binarization: Binarization
    baseline: str | None
    published_source: str = ""
    rows: list[Row]
    left_out: list[LeftOut] = []

    @property
    def cells(self) -> list[Cell]:
        """Every cell once, seeds outermost, so that a table fills evenly."""
        by_seed = sorted(
            ((i, cell) for row in self.rows for i, cell in enumerate(row.cells)), key=lambda x: x[0]
        )
        return list({cell.id: cell for _, cell in by_seed}.values())

    def cell(self, cell_id: str) -> Cell:
        """The cell of that id, which must be one of the plan's."""
        return next(cell for cell in self.cells if cell.id == cell_id)
