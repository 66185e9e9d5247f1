"""The rows of a plan that its others are compared with: the baseline's, and STE's for time."""

from bench.spec.cell import Recipe
from bench.spec.plan import Plan, Row

STE = "ste"  # what steps are timed by
# What cells of one section may differ in. Options of binary layers are a suite's, and so the same
# in all its cells, but for those that a method fixes.
OWN = {"weights", "activations", "bits", "seed", "start", "teacher", "binarization"}


class Yardsticks:
    """Of each row of a plan the row of the baseline and that of STE; rows are looked at once."""

    def __init__(self, plan: Plan) -> None:
        self._label = plan.baseline
        self._baselines: dict[tuple[str, str], list[Row]] = {}  # by backbone and W/A
        # By what their steps compute; of those alike in all that `ste` looks at the first.
        self._ste: dict[tuple[str, str], dict[tuple[str, bool, str], Row]] = {}
        for row in plan.rows:
            if row.label == plan.baseline:
                self._baselines.setdefault((row.backbone, row.wa), []).append(row)
            if {info.plugin for info in row.roles.values()} == {STE}:
                beside = self._ste.setdefault(_timed(row), {})
                beside.setdefault((row.wa, row.label != STE, row.schedule), row)

    def baseline(self, row: Row) -> Row | None:
        """The row that `row` is compared with: same backbone and W/A, its schedule if there is."""
        if row.label == self._label:
            return None
        rows = self._baselines.get((row.backbone, row.wa), [])
        same = [r for r in rows if r.schedule == row.schedule]
        return next(iter(same or rows), None)

    def ste(self, row: Row) -> Row | None:
        """
        The row of STE whose steps those of `row` are timed by: of the same net, recipe and W/A.

        Full precision, and more bits than STE has, have the one of fewest bits.
        """
        others = row.wa not in {"1/1", "1/32"}
        rows = [r for r in self._ste.get(_timed(row), {}).values() if others or r.wa == row.wa]
        return min(
            rows, key=lambda r: (r.wa, r.label != STE, r.schedule != row.schedule), default=None
        )


def _timed(row: Row) -> tuple[str, str]:
    """All that rows have in common whose steps compute alike but for the estimator."""
    free = {name for name, cost in Recipe.costs().items() if not cost.step}
    aside = {**dict.fromkeys(OWN, True), "recipe": free}
    return row.backbone, row.cells[0].model_dump_json(exclude=aside)
