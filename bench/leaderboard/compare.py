"""
Boards of several suites, or of one suite measured in two folders. Pure: plans and records in.

Several suites become one plan. Rows that share all but the estimator stand in one section; where
suites train one net in two ways, each way has its own, and what differs is named. The same row of
two suites stands once, with the seeds of both.

Of one suite in two folders each row stands twice, and is not ranked: its difference is to itself.
"""

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any

from bench.base.plain_data import flatten
from bench.base.text import count
from bench.errors import UsageError
from bench.leaderboard.board import AnyRow, Board, Comparison, MeasuredRow, PublishedRow, Section
from bench.leaderboard.confounds import differing
from bench.leaderboard.measured_rows import key
from bench.leaderboard.ranking import Stale, rank
from bench.leaderboard.stats.intervals import paired
from bench.leaderboard.yardsticks import OWN
from bench.results.record import Record
from bench.results.record_diff import diff_records
from bench.spec.choices import Definition
from bench.spec.plan import Absent, Plan, Row
from bench.spec.published import Claim

WORDS = {"recipe.": "train.", "data.params.": "data.", "backbone.params.": "backbone."}
CODE = ("core", "numerics.", "backbone.version", "backbone.source")  # what made it, no one's choice


@dataclass
class Training:
    """How some suites train a net: all that the rows of a section share, by dotted name."""

    backbone: str
    facts: dict[str, str]
    suites: list[str]


@dataclass(frozen=True)
class FolderResults:
    """What one results folder holds of a suite."""

    folder: str
    plan: Plan
    records: list[Record]
    stale: Stale = field(default_factory=dict[str, Any])
    notes: list[str] = field(default_factory=list[str])


def joined(plans: list[Plan]) -> tuple[Plan, list[str]]:
    """
    One plan of several suites, and what must be said of it.

    Raises:
        UsageError: their numbers are not of one kind, and why.
    """
    run = [row.claim for plan in plans for row in plan.rows]
    _refuse({plan.suite: plan for plan in plans})
    named, notes = _told_apart({plan.suite: _without(plan, run) for plan in plans})
    rows = _rows(named)
    wanted = {plan.baseline for plan in plans if plan.baseline}
    labels = {row.label for row in rows}
    baseline = next(iter(wanted)) if len(wanted) == 1 and wanted <= labels else None
    if wanted and baseline is None:
        notes.append("no Δ: the suites have no baseline in common")
    absent: list[Absent] = []
    for candidate in (absent for plan in named.values() for absent in plan.absent):
        if all(candidate.claim != other.claim for other in absent):
            absent.append(candidate)
    plan = plans[0].model_copy(
        update={
            "suite": " + ".join(named),
            "plugins": list(dict.fromkeys(p for plan in plans for p in plan.plugins)),
            "baseline": baseline,
            "held_out": next((plan.held_out for plan in plans if plan.held_out), None),
            "looked": [*range(1, math.prod(plan.looks for plan in plans) + 1)]
            if any(plan.looked for plan in plans)
            else [],
            "rows": sorted(rows, key=lambda row: not row.trials),  # tuned first: notes ask it
            "absent": absent,
        }
    )
    return plan, notes


def side_by_side(a: FolderResults, b: FolderResults, definition: Definition | None = None) -> Board:
    """
    Each row of `a` with its like of `b` below it, and how far that is off.

    Raises:
        UsageError: their numbers are not of one kind, and why.
    """
    named = {a.folder: a.plan, b.folder: b.plan}
    _refuse(named)
    named, apart = _told_apart(named, code=False)
    pair = [replace(results, plan=named[results.folder]) for results in (a, b)]
    boards = [
        rank(s.plan.model_copy(update={"baseline": None}), s.records, definition, s.stale, s.notes)
        for s in pair
    ]
    sections, notes = _aligned(boards, pair)
    others = [note for board in boards for note in board.notes if not note.startswith("#")]
    return replace(
        boards[0],
        suite=f"{a.plan.suite}: {a.folder} and {b.folder}",
        sections=sections,
        across=None,
        recorded=sum(board.recorded for board in boards),
        stale=sum(board.stale for board in boards),
        total=sum(board.total for board in boards),
        notes=[
            f"Δ: {b.folder} less {a.folder}, paired by seed, ± 95 % t interval; not ranked",
            *apart,
            *notes,
            *dict.fromkeys(others),
        ],
    )


def _refuse(plans: Mapping[str, Plan]) -> None:
    """What cannot stand in one table."""
    for (name, one), (other_name, other) in combinations(plans.items(), 2):
        if _tasks(one).keys().isdisjoint(_tasks(other)):
            ours, theirs = (", ".join(dict.fromkeys(_tasks(p).values())) for p in (one, other))
            what = f"{ours} and {theirs}" if ours != theirs else f"two versions of {ours}"
            message = f"`{name}` and `{other_name}` are measured on other data: {what}"
            raise UsageError(message)
        if one.equilibrium != other.equilibrium:
            message = (
                f"`{name}` defines e and s as `{one.equilibrium}`, `{other_name}` as "
                f"`{other.equilibrium}`; choose one with --equilibrium"
            )
            raise UsageError(message)
        ours, theirs = _budget(one), _budget(other)
        if ours and theirs and ours != theirs:
            message = f"`{name}` is tuned with {ours}, `{other_name}` with {theirs}"
            raise UsageError(message)


def _tasks(plan: Plan) -> dict[str, str]:
    """The data that a plan's accuracies are of, and how tables call it."""
    return {row.cells[0].data.model_dump_json(): row.data for row in plan.rows}


def _budget(plan: Plan) -> str:
    most = max(len(row.trials) for row in plan.rows)
    return f"{most} trials on {plan.held_out:.0%} held out" if most and plan.held_out else ""


def _told_apart(
    plans: Mapping[str, Plan], *, code: bool = True
) -> tuple[dict[str, Plan], list[str]]:
    """
    The plans, their nets called so that nets of one name are trained in one way; and what differs.

    Args:
        code: is training by other code another way?
    """
    trainings: list[Training] = []
    mine: dict[str, dict[str, Training]] = {}
    for suite, plan in plans.items():
        mine[suite] = {}
        for row in plan.rows:
            if row.backbone not in mine[suite]:
                mine[suite][row.backbone] = _training(trainings, suite, row, code=code)
    several = Counter[str](training.backbone for training in trainings)
    notes = [
        _difference(name, [training for training in trainings if training.backbone == name])
        for name, count in several.items()
        if count > 1
    ]
    names = {
        suite: {net: _net_name(training, several) for net, training in nets.items()}
        for suite, nets in mine.items()
    }
    return {suite: _renamed(plan, names[suite]) for suite, plan in plans.items()}, notes


def _net_name(training: Training, several: Mapping[str, int]) -> str:
    """What a net is called: after its suites, where others train one of its name otherwise."""
    if several[training.backbone] == 1:
        return training.backbone
    return f"{training.backbone} ({', '.join(training.suites)})"


def _training(trainings: list[Training], suite: str, row: Row, *, code: bool) -> Training:
    """How a suite trains the row's net: as another suite does, or in a new way."""
    shared = row.cells[0].model_dump(mode="json", exclude=OWN)
    facts = {k: _text(v) for k, v in flatten(shared) if code or not k.startswith(CODE)}
    training = next((w for w in trainings if w.facts == facts and suite not in w.suites), None)
    if training is None:
        training = Training(row.backbone, facts, [])
        trainings.append(training)
    training.suites.append(suite)
    return training


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _difference(backbone: str, trainings: list[Training]) -> str:
    """`resnet20: a and b differ in train.epochs 400 and 1000`."""
    said: list[str] = []
    for name in dict.fromkeys(name for training in trainings for name in training.facts):
        values = [training.facts.get(name, "-") for training in trainings]
        if len(set(values)) > 1:
            head = next((old for old in WORDS if name.startswith(old)), "")
            word = WORDS.get(head, "") + name.removeprefix(head)
            code = name.startswith(CODE)
            said.append(f"code ({word})" if code else f"{word} {' and '.join(values)}")
    suites = " and ".join(", ".join(training.suites) for training in trainings)
    return f"{backbone}: {suites} differ in {', '.join(said)}"


def _renamed(plan: Plan, names: Mapping[str, str]) -> Plan:
    """The plan, its nets called otherwise."""
    rows = [row.model_copy(update={"backbone": names[row.backbone]}) for row in plan.rows]
    absent = [
        a.model_copy(
            update={
                "claim": a.claim.model_copy(
                    update={"backbone": names.get(a.claim.backbone or "", a.claim.backbone)}
                )
            }
        )
        for a in plan.absent
    ]
    return plan.model_copy(update={"rows": rows, "absent": absent})


def _without(plan: Plan, run: list[Claim | None]) -> Plan:
    """The plan without the published rows that another suite runs."""
    return plan.model_copy(update={"absent": [a for a in plan.absent if a.claim not in run]})


def _rows(plans: Mapping[str, Plan]) -> list[Row]:
    """Every row once; rows of one name that are trained otherwise are called after their suites."""
    joined_rows: dict[tuple[str, int], tuple[Row, list[str]]] = {}
    for suite, plan in plans.items():
        twins = Counter[str]()
        for row in plan.rows:
            training = f"{row.backbone} {row.cells[0].at_seed(0).id}"
            place = training, twins[training]  # of one suite, rows that train alike are two
            twins[training] += 1
            other, suites = joined_rows.get(place, (row, []))
            joined_rows[place] = _both(other, row), [*suites, suite]
    names = Counter(key(row) for row, _ in joined_rows.values())
    return [
        row.model_copy(update={"label": f"{row.label} ({', '.join(suites)})"})
        if names[key(row)] > 1
        else row
        for row, suites in joined_rows.values()
    ]


def _both(row: Row, other: Row) -> Row:
    """A row with the seeds of both."""
    cells = {cell.id: cell for cell in (*row.cells, *other.cells)}
    more = {"claim": row.claim or other.claim, "trials": row.trials or other.trials}
    return row.model_copy(update={"cells": list(cells.values()), **more})


def _aligned(boards: list[Board], pair: list[FolderResults]) -> tuple[list[Section], list[str]]:
    """The sections of both boards, a row's like below it, and what is said of their bits."""
    known = [_records(results) for results in pair]
    by_place = [{(s.backbone, s.wa, s.tuned): s for s in board.sections} for board in boards]
    sections: list[Section] = []
    notes: dict[str, list[str]] = {}
    for place in dict.fromkeys([*by_place[0], *by_place[1]]):
        both = [own.get(place) for own in by_place]
        measured = [{row.name: row for row in s.measured} if s else {} for s in both]
        rows: list[AnyRow] = []
        for name in dict.fromkeys(row.name for s in both if s for row in s.rows):
            like = [own.get(name) for own in measured]
            records = [
                [own[i] for i in row.cells if i in own] if row else []
                for row, own in zip(like, known, strict=True)
            ]
            published = _published(both, name)
            if published:
                rows.append(published)
                continue
            rows += _apart(like, records, [results.folder for results in pair])
            if all(like):
                notes.setdefault(_bits(*records), []).append(f"{name} on {place[0]}, {place[1]}")
        section = both[0] or both[1]
        if section:
            sections.append(replace(section, rows=rows))
    return sections, [f"{text}: {', '.join(names)}" for text, names in notes.items()]


def _records(results: FolderResults) -> dict[str, Record]:
    """By the ids that rows name: those on disk, where a record is stale."""
    known = {record.cell.id: record for record in results.records}
    return known | {s.id: known[i] for i, s in results.stale.items() if i in known}


def _published(both: list[Section | None], name: str) -> PublishedRow | None:
    """The row of that name that one of the sections knows from a paper alone."""
    rows = (row for section in both if section for row in section.rows if row.name == name)
    return next((row for row in rows if isinstance(row, PublishedRow)), None)


def _apart(
    like: list[MeasuredRow | None], records: list[list[Record]], folders: list[str]
) -> Iterator[MeasuredRow]:
    """A row as the first folder has it, then as the second, with how far that is off."""
    accuracies = [row.scores.by_seed if row else {} for row in like]
    differences = [None, paired(accuracies[1], accuracies[0])]
    others = differing(records)
    for row, folder, difference, confounds in zip(like, folders, differences, others, strict=True):
        if row:
            yield replace(
                row,
                label=f"{row.name} ({folder})",
                schedule="default",
                comparison=Comparison(difference=difference),
                verdict="",
                confounds=confounds,
            )


def _bits(ours: list[Record], theirs: list[Record]) -> str:
    """Did the cells that both measured come to the same bits?"""
    others = {record.cell.seed: record for record in theirs if record.measured}
    parted = {
        record.cell.seed: diff_records(record, others[record.cell.seed])
        for record in ours
        if record.measured and record.cell.seed in others
    }
    if not parted:
        return "no seed that both measured"
    unlike = {seed: found for seed, found in parted.items() if found}
    if not unlike:
        return f"equal to the bit, {count(len(parted), 'seed')}"
    seed, first = next(iter(unlike.items()))
    return f"{len(unlike)} of {len(parted)} seeds differ, seed {seed} in {first[0]}"
