"""
A plan and its records, joined into a ranked table. Pure: the same input, the same board.

Rows are ranked within a section, one backbone at one W/A, where nothing differs but the
estimator; full precision is shown and never ranked. The metric is last-epoch test accuracy.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from statistics import fmean

from bench.equilibrium import Definition, indicators
from bench.plan import Plan, Properties, Row
from bench.record import Record
from bench.stats import Estimate, estimate, paired


@dataclass(frozen=True)
class Line:
    """One row of the table. Accuracies are fractions; `published` is in percent, as printed."""

    label: str
    backbone: str
    wa: str
    schedule: str
    formula: str
    kind: str
    rational: str
    flexible: str
    rank: int | None
    acc: Estimate | None  # last epoch
    best: Estimate | None  # best epoch on test, the papers' metric
    difference: Estimate | None  # to the baseline, paired by seed
    n: int
    lost: dict[str, int]  # reason → seeds: diverged or failed
    missing: int  # seeds without a record
    e: float | None
    s: float | None
    images_per_s: float | None
    published: float | None
    cells: list[str]


@dataclass(frozen=True)
class Section:
    """Lines that may be compared."""

    backbone: str
    wa: str
    lines: list[Line]


@dataclass(frozen=True)
class Board:
    """The whole table and what must be said with it."""

    suite: str
    sections: list[Section]
    recorded: int
    total: int
    notes: list[str]


def rank(plan: Plan, records: Iterable[Record], definition: Definition = "paper") -> Board:
    """Best mean first within each section; lines with no finished seed come last."""
    known = {record.cell.id: record for record in records}
    sections: dict[tuple[str, str], list[Line]] = {}
    for row in plan.rows:
        line = _line(row, _baseline(plan, row), known, definition)
        sections.setdefault((row.backbone, row.wa), []).append(line)
    cells = plan.cells
    return Board(
        suite=plan.suite,
        sections=[Section(b, wa, _ranked(lines)) for (b, wa), lines in sections.items()],
        recorded=sum(cell.id in known and known[cell.id].measured for cell in cells),
        total=len(cells),
        notes=[*_notes(plan, definition), *_mixtures(known.values())],
    )


def _baseline(plan: Plan, row: Row) -> Row | None:
    """The row that `row` is compared with: same backbone and W/A, same schedule if it has one."""
    if plan.baseline is None or row.label == plan.baseline:
        return None
    rows = [
        r for r in plan.rows if (r.label, r.backbone, r.wa) == (plan.baseline, row.backbone, row.wa)
    ]
    same = [r for r in rows if r.schedule == row.schedule]
    return next(iter(same or rows), None)


def _line(
    row: Row, baseline: Row | None, known: Mapping[str, Record], definition: Definition
) -> Line:
    found = [known[cell.id] for cell in row.cells if cell.id in known]
    accs = _accs(row, known)
    ended = [record for record in found if record.status == "ok"]
    pairs = [pair for record in ended if (pair := indicators(record, definition))]
    speeds = [r.images_per_s for r in found if r.status == "ok" and r.images_per_s]
    infos = list(row.roles.values())
    return Line(
        label=row.label,
        backbone=row.backbone,
        wa=row.wa,
        schedule=row.schedule,
        formula=_apart(row, [i.formula for i in infos]),
        kind=_apart(row, [i.kind for i in infos]) or "full precision",
        rational=_apart(row, [_verdict(i.printed, "rational") for i in infos]),
        flexible=_apart(row, [_verdict(i.printed, "flexible") for i in infos]),
        rank=None,
        acc=estimate(list(accs.values())),
        best=estimate([r.best_acc for r in found if r.best_acc is not None]),
        difference=paired(accs, _accs(baseline, known)) if baseline else None,
        n=len(accs),
        lost=dict(Counter(f"{r.status}: {r.reason}" for r in found if r.status != "ok")),
        missing=len(row.cells) - len(found),
        e=fmean(e for e, _ in pairs) if pairs else None,
        s=fmean(s for _, s in pairs) if pairs else None,
        images_per_s=fmean(speeds) if speeds else None,
        published=row.published,
        cells=[cell.id for cell in row.cells],
    )


def _accs(row: Row, known: Mapping[str, Record]) -> dict[int, float]:
    """Last-epoch accuracy by seed, of the cells that came to their end."""
    records = [known[cell.id] for cell in row.cells if cell.id in known]
    return {r.cell.seed: r.last_acc for r in records if r.last_acc is not None}


def _verdict(properties: Properties | None, name: str) -> str:
    return getattr(properties, name) if properties else "n/a"


def _apart(row: Row, words: list[str]) -> str:
    """One word for both roles, or `W: ...; A: ...` where they differ."""
    if len(set(words)) <= 1:
        return words[0] if words else ""
    return "; ".join(f"{role}: {word}" for role, word in zip(row.roles, words, strict=True))


def _ranked(lines: list[Line]) -> list[Line]:
    ordered = sorted(lines, key=lambda x: (-x.acc.mean if x.acc else 1.0, x.label))
    places = iter(range(1, len(ordered) + 1))
    return [
        replace(line, rank=next(places)) if line.acc and line.wa != "32/32" else line
        for line in ordered
    ]


def _notes(plan: Plan, definition: Definition) -> list[str]:
    r = plan.recipe
    warmup = f", warm-up {r.warmup}" if r.warmup else ""
    notes = [
        f"data: {plan.data_label}; {r.epochs} epochs, batch {r.batch_size}, {r.optimizer} "
        f"lr {r.lr:g} ({r.lr_rule}{warmup}), weight decay {r.weight_decay:g}",
        "acc: test accuracy after the last epoch in %, mean ± 95 % t interval over n seeds; "
        "best: of all epochs, chosen on test (paper metric)",
        "rational, flexible: definition P on the printed formula, computed; "
        "`bench check` prints the witnesses",
        f"e, s: `{definition}` definition, over latent weights; images/s: training alone, "
        "with whatever else the machine did",
    ]
    if plan.baseline:
        notes.append(f"Δ: difference to {plan.baseline}, paired by seed, ± 95 % t interval")
    if plan.published_source:
        notes.append(f"published: {plan.published_source}; another protocol, not a target")
    return notes


def _mixtures(records: Iterable[Record]) -> list[str]:
    """What else differs between records that stand in one table."""
    facts = [r.provenance for r in records if r.status != "failed"]
    kinds = {
        "devices": {f.device for f in facts},
        "torch versions": {f.versions.get("torch", "?") for f in facts},
        "threads per cell": {str(f.threads) for f in facts},
        "engines": {"compiled" if f.compiled else "eager" for f in facts},
    }
    notes = [
        f"records come from several {kind}: {', '.join(sorted(values))}; compare images/s only "
        "within one"
        for kind, values in kinds.items()
        if len(values) > 1
    ]
    if any(f.dirty for f in facts):
        notes.append("some records were made from a checkout with uncommitted changes")
    return notes
