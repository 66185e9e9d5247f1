"""
A plan and its records, joined into ranked tables. Pure: the same input, the same board.

Rows are ranked within a section: one backbone at one W/A, one recipe, one data set, so that nothing
differs but the estimator, and options of binary layers that a method fixes. Full precision is shown
and never ranked, nor is a row whose network is less binary than it says. The metric is last-epoch
test accuracy. A row that lost a seed stands below those that lost none: the mean of survivors
flatters it. Ranks are intervals, as wide as the seeds leave them
(`bench.leaderboard.stats.pairwise`). Tuned rows stand in a section of their own, where each
estimator has its own values of what was tuned, chosen with one budget.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TypeAlias

from bench.leaderboard import confounds
from bench.leaderboard.board import REAL, Board, MeasuredRow, Section
from bench.leaderboard.measured_rows import (
    Measurements,
    choices,
    place,
    published_rows,
    shared,
    tuned_row,
    untuned_row,
)
from bench.leaderboard.notes import (
    cost_columns,
    how_to_read,
    mixtures,
    not_tuned_yet,
    recipe_text,
    stale_elsewhere,
)
from bench.leaderboard.stats.friedman import AverageRanks, average_ranks
from bench.leaderboard.stats.pairwise import (
    ALPHA,
    RankInterval,
    apart_each,
    dunnett_each,
    rank_intervals,
)
from bench.results.cell_state import CellState
from bench.results.record import Record
from bench.spec.choices import Correction, Definition
from bench.spec.plan import Plan, Row

Stale: TypeAlias = Mapping[str, CellState]  # by the cell's id


def rank(
    plan: Plan,
    records: Iterable[Record],
    definition: Definition | None = None,
    stale: Stale | None = None,
    notes: Iterable[str] = (),
    correction: Correction = "holm",
) -> Board:
    """
    Best mean first within each section; rows with no finished seed come last.

    Args:
        correction: of the pairwise tests, for their number.
        stale: each cell that has only a stale record. It is used, and its row marked, if it is
            among `records`; if not, a note says that it is there.
        notes: what else must be said.
    """
    stale = stale or {}
    known = {record.cell.id: record for record in records}
    measured = Measurements(
        plan=plan,
        records=known,
        definition=definition or plan.equilibrium,
        chosen=choices(plan, known),
    )
    tested = _tested(plan, _judged(plan, [*_sections(measured)], correction))
    sections = [_marked(section, known, stale) for section in tested]
    ids = _asked(measured)
    board = Board(
        suite=plan.suite,
        sections=sections,
        across=_across(plan, sections),
        recorded=sum(i in known and i not in stale and known[i].measured for i in ids),
        stale=len(ids & stale.keys()),
        total=len(ids),
        notes=[],
        equilibrium=measured.definition,
        correction=correction,
        alpha=ALPHA / plan.looks,
    )
    said = [
        *how_to_read(plan, measured.definition, correction),
        *cost_columns(board.rows),
        *not_tuned_yet(plan, known),
        *mixtures(known.values()),
        *notes,
        *stale_elsewhere({i: s for i, s in stale.items() if i in ids}, known, board.measured),
    ]
    return replace(board, notes=said)


def _asked(measured: Measurements) -> set[str]:
    """Ids of the cells that the board is of: the rows' own, those of tuning and what it chose."""
    plan = measured.plan
    cells = [*plan.cells, *(c for r in plan.rows for t in r.trials for c in t.held_out)]
    cells += [cell for trial in measured.chosen.values() for cell in trial.cells]
    return {cell.id for cell in cells}


def _marked(section: Section, known: Mapping[str, Record], stale: Stale) -> Section:
    """The section, its rows told which records of theirs are stale, and why."""
    return replace(
        section,
        rows=[
            _marked_row(row, known, stale) if isinstance(row, MeasuredRow) else row
            for row in section.rows
        ],
    )


def _marked_row(row: MeasuredRow, known: Mapping[str, Record], stale: Stale) -> MeasuredRow:
    used = Counter(stale[i].note for i in row.cells if i in stale and i in known)
    unused = Counter(stale[i].note for i in row.cells if i in stale and i not in known)
    missing = row.seeds.missing - unused.total()
    seeds = replace(row.seeds, stale=dict(used), unused=dict(unused), missing=missing)
    return replace(row, seeds=seeds, cells=[stale[i].id if i in stale else i for i in row.cells])


def _across(plan: Plan, sections: list[Section]) -> AverageRanks | None:
    """
    The ranked rows over the sections that have them.

    None if two of these are one network that was trained in two ways: as blocks of a test they
    would be the same seeds twice.
    """
    networks = {(row.backbone, row.wa): (row.net, row.data, row.wa) for row in plan.rows}
    blocks = {
        (section.backbone, section.wa): {
            row.name: (row.scores.last.mean if row.scores.last else 0.0) - bool(row.seeds.lost)
            for row in section.measured
            if (row.scores.last or row.seeds.lost) and not row.network.unlike
        }
        for section in sections
        if section.wa != REAL and not section.tuned
    }
    several = {place: block for place, block in blocks.items() if len(block) > 1}
    if len({networks[place] for place in several}) < len(several):
        return None
    return average_ranks({" ".join(place): block for place, block in several.items()}, plan.suite)


def _sections(measured: Measurements) -> Iterator[Section]:
    """What is run, by backbone, W/A and recipe; then what only papers have."""
    plan = measured.plan
    grouped: dict[tuple[str, str, str], list[Row]] = {}
    for row in plan.rows:
        alike = shared(row.as_usual().cells[0])
        grouped.setdefault((row.backbone, row.wa, alike), []).append(row)
    for rows in grouped.values():
        yield from _sections_of(measured, rows)
    run = {group[:2] for group in grouped}
    for backbone, wa in dict.fromkeys(place(absent) for absent in plan.absent):
        if (backbone, wa) not in run:
            absent = published_rows(plan.absent, backbone, wa)
            yield Section(backbone, wa, recipe="", classes=0, tuned=False, rows=[*absent])


def _sections_of(measured: Measurements, rows: list[Row]) -> Iterator[Section]:
    """The tables of one backbone at one W/A: as the suite says, and as tuning chose."""
    backbone, wa, classes = rows[0].backbone, rows[0].wa, rows[0].classes
    recipe = recipe_text([row.as_usual() for row in rows])
    untuned = _ordered(measured, [untuned_row(measured, row) for row in rows])
    absent = published_rows(measured.plan.absent, backbone, wa)
    yield Section(backbone, wa, recipe, classes, tuned=False, rows=[*untuned, *absent])
    chosen = [made for row in rows if (made := tuned_row(measured, row))]
    if chosen:
        recipe += "; but for what is chosen"
        ordered = _ordered(measured, chosen)
        yield Section(backbone, wa, recipe, classes, tuned=True, rows=[*ordered])


def _ordered(measured: Measurements, rows: list[MeasuredRow]) -> list[MeasuredRow]:
    """The rows of a section: those that have a rank first, best first."""
    known = measured.records
    differing = confounds.differing([[known[i] for i in x.cells if i in known] for x in rows])
    rows = [replace(x, confounds=[*x.confounds, *c]) for x, c in zip(rows, differing, strict=True)]
    return sorted(rows, key=lambda x: (not _has_rank(x), *_order(x)))


def _has_rank(row: MeasuredRow) -> bool:
    return bool(row.scores.last) and row.wa != REAL and not row.network.unlike


def _judged(plan: Plan, sections: list[Section], correction: Correction) -> list[Section]:
    """The sections, with what can be said of their rows' differences."""
    ranked = [[x for x in section.measured if _has_rank(x)] for section in sections]
    samples = [[[*x.scores.by_seed.values()] for x in rows if not x.seeds.lost] for rows in ranked]
    better = apart_each(plan.suite, samples, correction, ALPHA / plan.looks)
    return [
        replace(section, rows=[*_placed(rows, len(own), pairs), *section.rows[len(rows) :]])
        for section, rows, own, pairs in zip(sections, ranked, samples, better, strict=True)
    ]


def _placed(
    ranked: list[MeasuredRow], complete: int, better: set[tuple[int, int]]
) -> list[MeasuredRow]:
    """Rows with their ranks, and intervals of those that lost no seed, which come first."""
    intervals: list[RankInterval | None] = [*rank_intervals(complete, better)]
    intervals += [None] * (len(ranked) - complete)
    return [
        replace(x, comparison=replace(x.comparison, rank=rank, interval=interval))
        for rank, (x, interval) in enumerate(zip(ranked, intervals, strict=True), start=1)
    ]


def _order(row: MeasuredRow) -> tuple[bool, bool, float, str]:
    """Best mean first, then rows that lost seeds, then those without a number."""
    acc = row.scores.last
    return acc is None, bool(row.seeds.lost), -acc.mean if acc else 0.0, row.label


def _tested(plan: Plan, sections: list[Section]) -> list[Section]:
    """The sections, with Dunnett's p of each row that lost no seed, over all of one control."""
    families = [family for section in sections for family in _families(plan, section)]
    asked = [
        ([[*x.scores.by_seed.values()] for x in rows], [*control.scores.by_seed.values()])
        for control, rows in families
    ]
    found = dunnett_each(plan.suite, asked)
    p = {
        id(x): value
        for (_, rows), values in zip(families, found, strict=True)
        for x, value in zip(rows, values, strict=True)
        if not math.isnan(value)
    }
    return [
        replace(
            section,
            rows=[
                replace(x, comparison=replace(x.comparison, p=p[id(x)]))
                if isinstance(x, MeasuredRow) and id(x) in p
                else x
                for x in section.rows
            ],
        )
        for section in sections
    ]


def _families(plan: Plan, section: Section) -> Iterator[tuple[MeasuredRow, list[MeasuredRow]]]:
    """Each control of a section, a row of the baseline, and the rows that are tested against it."""
    ranked = [x for x in section.measured if x.comparison.rank]
    controls = [x for x in ranked if x.label == plan.baseline]
    for control in controls:
        others = [
            x
            for x in ranked
            if x.label != control.label
            and not x.seeds.lost
            and next((c for c in controls if c.schedule == x.schedule), controls[0]) is control
        ]
        if others and not control.seeds.lost:
            yield control, others
