"""A plan's rows with what their records measured, before they are compared with each other."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from bench.base.finite import mean
from bench.leaderboard import tuning
from bench.leaderboard.board import (
    Comparison,
    EstimatorText,
    Key,
    MeasuredRow,
    PublishedRow,
    Scores,
    SeedCounts,
    TunedValues,
)
from bench.leaderboard.networks import network_facts
from bench.leaderboard.replication import verdict
from bench.leaderboard.resources import chain_cost, measured_resources
from bench.leaderboard.stats.intervals import estimate, paired
from bench.leaderboard.yardsticks import OWN, Yardsticks
from bench.results.equilibrium import indicators
from bench.results.record import Record
from bench.spec.cell import Cell
from bench.spec.choices import Definition
from bench.spec.plan import FULL_PRECISION, Absent, Plan, RoleInfo, Row, Trial


@dataclass(frozen=True)
class Measurements:
    """A plan, and what is known of its cells."""

    plan: Plan
    records: Mapping[str, Record]  # by the cell's id
    definition: Definition  # of e and s
    chosen: Mapping[Key, Trial]  # of the rows that tuning has chosen for

    @cached_property
    def yardsticks(self) -> Yardsticks:
        return Yardsticks(self.plan)

    def records_of(self, cells: Iterable[Cell]) -> list[Record]:
        """The records of these cells, of those that have one."""
        return [self.records[cell.id] for cell in cells if cell.id in self.records]


def choices(plan: Plan, records: Mapping[str, Record]) -> dict[Key, Trial]:
    """What tuning chose for each row that has been tuned."""
    return {key(row): trial for row in plan.rows if (trial := tuning.chosen(row, records))}


def key(row: Row) -> Key:
    """What tells a row of a plan, and of its board, from every other."""
    return row.label, row.backbone, row.wa, row.schedule


def shared(cell: Cell) -> str:
    """All that the cells of one section have in common."""
    return cell.model_dump_json(exclude=OWN)


def untuned_row(measured: Measurements, row: Row) -> MeasuredRow:
    """A row at the suite's own values, its difference that to the baseline's own."""
    other, ste = measured.yardsticks.baseline(row), measured.yardsticks.ste(row)
    made = _row(measured, row, row.cells, ste.cells if ste else [])
    last, best = made.scores.last, made.scores.best
    lacking = _unread(measured.records_of(row.cells))
    return replace(
        made,
        claim=row.claim,
        verdict=verdict(row.claim, row.cells[0], last, best, lacking) if row.claim else "",
        comparison=_difference(measured, row.cells, other.cells if other else None),
    )


def tuned_row(measured: Measurements, row: Row) -> MeasuredRow | None:
    """A row as tuning chose, its difference that to the baseline's own choice; None before that."""
    trial = measured.chosen.get(key(row))
    if trial is None:
        return None
    other = _choice(measured, measured.yardsticks.baseline(row))
    ste = _choice(measured, measured.yardsticks.ste(row))
    as_chosen = row.model_copy(update={"roles": trial.roles})
    made = _row(measured, as_chosen, trial.cells, ste.cells if ste else [])
    values = (f"{k} {v:g}" if isinstance(v, float) else f"{k} {v}" for k, v in trial.values.items())
    untuned = estimate(list(_accuracies(measured.records_of(row.cells)).values()))
    return replace(
        made,
        tuned=TunedValues(", ".join(values), untuned),
        comparison=_difference(measured, trial.cells, other.cells if other else None),
    )


def published_rows(absent: Iterable[Absent], backbone: str, wa: str) -> list[PublishedRow]:
    """Rows of papers that are not run here, of one net at one W/A, best first."""
    here = [a for a in absent if place(a) == (backbone, wa)]
    return [
        PublishedRow(
            label=a.claim.method,
            backbone=backbone,
            wa=wa,
            schedule=a.claim.schedule,
            estimator=EstimatorText(
                a.claim.formula, a.claim.kind, a.claim.rational, a.claim.flexible
            ),
            claim=a.claim,
            reason=a.reason,
        )
        for a in sorted(here, key=lambda a: -a.claim.acc)
    ]


def place(absent: Absent) -> tuple[str, str]:
    """The backbone and W/A under which a published row stands."""
    return absent.claim.backbone or "any net", absent.claim.wa


def _choice(measured: Measurements, row: Row | None) -> Trial | None:
    return measured.chosen.get(key(row)) if row else None


def _row(measured: Measurements, row: Row, cells: list[Cell], timed_by: list[Cell]) -> MeasuredRow:
    """What the records of `cells` say, which are the row's own or those that tuning chose."""
    records = measured.records_of(cells)
    ended = [record for record in records if record.status == "ok"]
    lost = Counter(f"{r.status}: {r.reason}" for r in records if r.status != "ok")
    scores = _scores(records, measured.definition)
    known = measured.records
    costs = {cell.id: chain_cost(cell, known) for cell in cells if cell.id in known}
    return MeasuredRow(
        label=row.label,
        backbone=row.backbone,
        wa=row.wa,
        schedule=row.schedule,
        estimator=_estimator(row),
        claim=None,
        scores=scores,
        seeds=SeedCounts(
            ended=len(scores.by_seed), lost=dict(lost), missing=len(cells) - len(records)
        ),
        resources=measured_resources(ended, measured.records_of(timed_by), costs),
        network=network_facts(cells, known, costs),
        cost=row.cost,
        confounds=[*row.differences, *_unread(records)],
        cells=[cell.id for cell in cells],
        failed_checks=row.failed_checks,
    )


def _unread(records: Iterable[Record]) -> list[str]:
    """How many images the numbers of a row are not of, the most of any seed."""
    worst: dict[str, tuple[int, int]] = {}
    for record in records:
        for split, unread in record.left_out.items():
            worst[split] = max(worst.get(split, (0, 0)), (unread.images, unread.of))
    return [f"{n:,} of {of:,} {split} images not read" for split, (n, of) in worst.items()]


def _scores(records: list[Record], definition: Definition) -> Scores:
    ended = [record for record in records if record.status == "ok"]
    pairs = [pair for record in ended if (pair := indicators(record, definition))]
    errors = [e for e, _ in pairs if e is not None]
    accuracies = _accuracies(records)
    return Scores(
        by_seed=accuracies,
        last=estimate(list(accuracies.values())),
        best=estimate([r.best_acc for r in records if r.best_acc is not None]),
        top5=estimate([r.last_top5 for r in ended if r.last_top5 is not None]),
        e=mean(errors) if errors else None,
        s=mean(s for _, s in pairs) if pairs else None,
    )


def _difference(measured: Measurements, cells: list[Cell], others: list[Cell] | None) -> Comparison:
    if others is None:
        return Comparison()
    ours, theirs = _accuracies(measured.records_of(cells)), _accuracies(measured.records_of(others))
    return Comparison(difference=paired(ours, theirs))


def _accuracies(records: Iterable[Record]) -> dict[int, float]:
    """Last-epoch accuracy by seed, of the cells that came to their end."""
    return {r.cell.seed: r.last_acc for r in records if r.last_acc is not None}


def _estimator(row: Row) -> EstimatorText:
    infos = list(row.roles.values())
    return EstimatorText(
        formula=_by_role(row, [i.formula for i in infos]),
        kind=_by_role(row, [i.kind for i in infos]) if infos else FULL_PRECISION,
        rational=_by_role(row, [_verdict(i, "rational") for i in infos]),
        flexible=_by_role(row, [_verdict(i, "flexible") for i in infos]),
        aux=_by_role(row, [i.aux for i in infos]),
        has_f=all(i.has_f for role, i in row.roles.items() if role == "W"),
    )


def _verdict(info: RoleInfo, name: str) -> str:
    """Of the printed f, and in brackets of the one that trains, where that is another."""
    if not info.has_f:
        return "no f"
    words = [str(getattr(p, name)) if p else "n/a" for p in (info.printed, info.trained)]
    return words[0] if words[0] == words[1] else f"{words[0]} ({words[1]})"


def _by_role(row: Row, words: list[str]) -> str:
    """One word for both roles, or `W: ...; A: ...` where they differ."""
    if len(set(words)) <= 1:
        return words[0] if words else ""
    return "; ".join(f"{role}: {word}" for role, word in zip(row.roles, words, strict=True))
