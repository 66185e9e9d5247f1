"""Suite to plan: the file is parsed, its plugins are built, the whole is judged, rows are made."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bench.base.yaml_document import Document
from bench.data.sources import data_folder
from bench.errors import SuiteError
from bench.planning.axes import Axes, build
from bench.planning.claims import absent_claims, find_claim, read_claims
from bench.planning.combinations import combine
from bench.planning.judge import judge
from bench.planning.rows import RowBuilder
from bench.registry import ESTIMATORS
from bench.spec.cell import Cell
from bench.spec.composition import compose, digest
from bench.spec.plan import LeftOut, Plan, Row, name_of
from bench.spec.published import Claim
from bench.spec.suite import Suite, parse, sound_part

MOST_CELLS = 50_000  # of a plan


def plan(path: Path, overrides: Iterable[str] = (), data: Path | None = None) -> Plan:
    """
    Resolve the suite at `path` into rows and cells.

    Args:
        overrides: `key.path=value` each.
        data: the data folder, `$BENCH_DATA` or `./data` if None.

    Raises:
        SuiteError: anything wrong with the suite or what it says of plugins, all at once.
        DataError: its data is not there, or not what it should be.
    """
    overrides = list(overrides)
    document, suite, axes = resolve(path, overrides)
    claims = read_claims(suite, document)
    builder = RowBuilder(suite, axes, document, data or data_folder())
    rows, left_out = _rows(suite, axes, claims, builder)
    if not rows:
        message = f"{document.source}: every combination is left out: {left_out[0].reason}"
        raise SuiteError(message)
    return Plan(
        suite=name_of(Path(document.source), overrides),
        source=document.source,
        source_digest=digest(document),
        overrides=overrides,
        plugins=[str(folder) for folder in ESTIMATORS.folders],
        baseline=suite.baseline,
        equilibrium=suite.equilibrium,
        held_out=suite.tune.held_out if suite.tune else None,
        rows=rows,
        absent=absent_claims(axes, claims, rows),
        left_out=left_out,
    )


def resolve(path: Path, overrides: Iterable[str] = ()) -> tuple[Document, Suite, Axes]:
    """
    Read a suite and build its plugins; no data is looked for.

    Parsing, building and judging are three passes; each returns what it finds wrong.

    Raises:
        SuiteError: anything wrong with the suite or what it says of plugins, all at once.
    """
    document = compose(path, overrides)
    suite, misparsed = parse(document)
    axes, misbuilt = build(document)
    problems = [*misparsed, *misbuilt]
    sound = suite or sound_part(document, misparsed)
    if sound:
        problems += judge(sound, axes, problems)
    if suite is None or problems or not axes.backbones:
        raise SuiteError(document.report(problems))
    return document, suite, axes


def _rows(
    suite: Suite, axes: Axes, claims: list[Claim], builder: RowBuilder
) -> tuple[list[Row], list[LeftOut]]:
    """Make every row of the product and of `include`; name what is left out, with its reason."""
    rows: list[Row] = []
    left_out: list[LeftOut] = []
    for count, (combination, seeds, reason) in enumerate(combine(suite, axes), start=1):
        if count * len(seeds) > MOST_CELLS:
            message = f"more than {MOST_CELLS:,} cells; split the suite"
            raise SuiteError(message)
        if not reason:
            row = builder.build(combination, seeds)
            row = row.model_copy(update={"claim": find_claim(claims, row, axes)})
            twin = next((r for r in rows if r.cells[0].sibling(row.cells[0])), None)
            if twin is None or _trial_values(twin) != _trial_values(row):
                rows.append(row)
                continue
            if twin.label == row.label and twin.cells != row.cells:  # further seeds of one row
                rows[rows.index(twin)] = _with_seeds(twin, row)
                continue
            reason = f"the same cells as {twin.label} x {twin.schedule}; they run once"
        left_out.append(LeftOut(combination=str(combination), reason=reason))
    return rows, left_out


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
    return list({cell.id: cell for cell in (*cells, *more)}.values())
