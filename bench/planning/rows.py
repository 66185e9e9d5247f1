"""The rows of a plan: what the combinations of a suite's axes train, and why others do not."""

from pathlib import Path
from typing import Any, NamedTuple

from bench.errors import SuiteError
from bench.planning.axes import BackboneConfig, Roles
from bench.planning.cells import CellBuilder
from bench.planning.checks import Checker
from bench.planning.combinations import Combination, combine, has_schedule
from bench.planning.fixed_options import fixed_options
from bench.planning.resolved_suite import ResolvedSuite
from bench.planning.role_info import describe_roles
from bench.planning.tuning_trials import TrialBuilder
from bench.planning.widths import fit_widths
from bench.spec.cell import Cell
from bench.spec.plan import LeftOut, Row, Usual

MOST_CELLS = 50_000  # of a plan


class Rows(NamedTuple):
    """What the combinations of a suite became, and what is odd about its data."""

    built: list[Row]
    left_out: list[LeftOut]
    notes: list[str]


def build_rows(resolved: ResolvedSuite, folder: Path, *, unseen: bool = False) -> Rows:
    """
    Build every row of the product and of `include`; name what is left out, with its reason.

    Args:
        resolved: the suite.
        folder: where its data is.
        unseen: rows whose data cannot be read say so, rather than that it is raised.

    Raises:
        SuiteError: too many cells, a backbone that cannot train on its data, or `tune` names what
            cannot be tuned.
        DataError: its data is not there, or not what it should be.
    """
    with Checker() as checker:
        builder = _RowBuilder(resolved, folder, checker, unseen=unseen)
        built, left_out = _build_rows(resolved, builder)
        if wrong := builder.cells.networks.problems:
            raise SuiteError(resolved.document.report(wrong))
        return Rows(built, left_out, builder.cells.notes)


def _build_rows(resolved: ResolvedSuite, builder: "_RowBuilder") -> tuple[list[Row], list[LeftOut]]:
    """Build them with one builder; raises as `build_rows`."""
    rows: list[Row] = []
    places: dict[str, int] = {}  # of the first of each row's cells, at one seed
    left_out: list[LeftOut] = []
    combinations = combine(resolved.suite, resolved.axes)
    for count, (combination, seeds, reason) in enumerate(combinations, start=1):
        if count * len(seeds) > MOST_CELLS:
            message = f"more than {MOST_CELLS:,} cells; split the suite"
            raise SuiteError(message)
        if not reason:
            row = builder.build(combination, seeds)
            place = places.setdefault(row.cells[0].at_seed(0).id, len(rows))
            twin = rows[place] if place < len(rows) else None
            if twin is None or _trial_values(twin) != _trial_values(row):
                rows.append(row)
                continue
            if twin.label == row.label and twin.cells != row.cells:  # further seeds of one row
                rows[place] = _with_seeds(twin, row)
                continue
            reason = f"the same cells as {twin.label} x {twin.schedule}; they run once"
        left_out.append(LeftOut(combination=str(combination), reason=reason))
    return rows, left_out


class _RowBuilder:
    """Builds the rows of one suite."""

    def __init__(
        self, resolved: ResolvedSuite, folder: Path, checker: Checker, *, unseen: bool
    ) -> None:
        self.checker = checker
        self.axes, self.document = resolved.axes, resolved.document
        self.cells = CellBuilder(resolved, folder, unseen=unseen)
        tune = resolved.suite.tune
        self.trials = TrialBuilder(resolved, tune, self.cells) if tune else None

    def build(self, combination: Combination, seeds: list[int]) -> Row:
        """Build the row of one combination."""
        labels = (combination.label, combination.backbone)
        if labels in self.axes.unfit:
            raise SuiteError(self.document.report(self.axes.unfit[labels]))
        backbone = self.axes.network(*labels)
        roles, schedule = self._scheduled(combination)
        dataset = self.cells.load(combination, backbone)
        cells = self.cells.build(combination, roles, backbone, seeds)
        return Row(
            label=combination.label,
            backbone=combination.backbone,
            wa=combination.wa,
            schedule=schedule,
            net=_describe(backbone),
            data=dataset.label if dataset else backbone.data.name,
            classes=dataset.num_classes if dataset else 0,
            roles=describe_roles(roles),
            cells=cells,
            usual=_usual(cells[0], self.axes.backbones[combination.backbone]),
            trials=self.trials.build(combination, roles, backbone, seeds) if self.trials else [],
            fixes=fixed_options(roles),
            failed_checks=self.checker.failed(roles) if dataset else [],
            cost=self.cells.cost(combination, roles, backbone),
            missing=self.cells.why_missing(backbone),
        )

    def _scheduled(self, combination: Combination) -> tuple[Roles, str]:
        """Put the estimator of each role on its schedule; return them and that schedule's name."""
        roles: Roles = {}
        schedule = "default"
        label = combination.label
        own = label in self.axes.own_schedule or combination.schedule == "default"
        entries = self.axes.estimators.get(label, {})  # of full precision none
        for role, config in fit_widths(entries, combination.wa)[0].items():
            if has_schedule(config.plugin) and not own:
                roles[role] = config.with_values({"schedule": combination.schedule})
                schedule = combination.schedule
            else:
                roles[role] = config
        return roles, schedule


def _usual(cell: Cell, backbone: BackboneConfig) -> Usual | None:
    """Say how the suite trains the backbone of a cell, if the cell trains it otherwise."""
    ref = backbone.plugin.ref(backbone.name, backbone.digest)
    if (cell.backbone, cell.recipe) == (ref, backbone.recipe):
        return None
    return Usual(net=_describe(backbone), backbone=ref, recipe=backbone.recipe)


def _describe(backbone: BackboneConfig) -> str:
    """Name a backbone, and the parameters that were given another value than the default."""
    fields = backbone.plugin.__class__.model_fields
    parameters = dict(backbone.plugin).items()
    return " ".join([backbone.name, *(f"{k} {v}" for k, v in parameters if v != fields[k].default)])


def _trial_values(row: Row) -> list[dict[str, Any]]:
    """Return what the row's tuning tries."""
    return [trial.values for trial in row.trials]


def _with_seeds(row: Row, more: Row) -> Row:
    """Return the row with the seeds of both."""
    trials = [
        trial.model_copy(update={"cells": _unique(trial.cells, other.cells)})
        for trial, other in zip(row.trials, more.trials, strict=True)
    ]
    return row.model_copy(update={"cells": _unique(row.cells, more.cells), "trials": trials})


def _unique(cells: list[Cell], more: list[Cell]) -> list[Cell]:
    """Return the cells of both lists, each once."""
    return list({cell.id: cell for cell in (*cells, *more)}.values())
