"""
A plan and its records, joined into ranked tables. Pure: the same input, the same board.

Rows are ranked within a section: one backbone at one W/A, one recipe, one data set, so that nothing
differs but the estimator; full precision is shown and never ranked. The metric is last-epoch test
accuracy. A row that lost a seed stands below those that lost none: the mean of survivors flatters
it. Ranks are intervals, as wide as the seeds leave them (`bench.pairwise`).
Tuned rows stand in a section of their own, where each estimator has its own values of what was
tuned, chosen with one budget.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from bench.base.text import count
from bench.leaderboard import confounds as confound
from bench.leaderboard import resources, tuning
from bench.leaderboard.equilibrium import indicators
from bench.leaderboard.replication import verdict
from bench.leaderboard.stats.friedman import Across, across
from bench.leaderboard.stats.intervals import Estimate, estimate, mean, paired
from bench.leaderboard.stats.pairwise import ALPHA, Place, apart, dunnett, places
from bench.results.cell_state import CellState
from bench.results.record import Record
from bench.spec.cell import Binarization, Cell
from bench.spec.choices import Correction, Definition
from bench.spec.plan import Absent, Plan, RoleInfo, Row, Trial
from bench.spec.published import Claim

STE = "ste"  # what steps are timed by
OWN = {"weights", "activations", "seed"}  # what cells of one section may differ in
Stale: TypeAlias = Mapping[str, CellState]  # by the cell's id


@dataclass(frozen=True)
class Line:
    """One row of the table. Accuracies are fractions; the claim's are in percent, as printed."""

    label: str
    backbone: str
    wa: str
    schedule: str
    formula: str
    kind: str
    rational: str
    flexible: str
    rank: int | None = None  # by the mean
    place: Place | None = None  # by what the seeds can tell
    accs: dict[int, float] = field(default_factory=dict[int, float])  # last epoch, by seed
    acc: Estimate | None = None  # their mean
    best: Estimate | None = None  # best epoch on test, the papers' metric
    top5: Estimate | None = None  # last epoch
    difference: Estimate | None = None  # to the baseline, paired by seed
    p: float | None = None  # that it is none, Dunnett's over the section
    n: int = 0
    lost: dict[str, int] = field(default_factory=dict[str, int])  # reason → seeds that it ended
    stale: dict[str, int] = field(default_factory=dict[str, int])  # reason → seeds it makes stale
    unused: dict[str, int] = field(default_factory=dict[str, int])  # the same, of records not used
    missing: int = 0  # seeds without a record
    e: float | None = None
    s: float | None = None
    images_per_s: float | None = None
    step_ratio: float | None = None  # the time of a step, STE's being 1
    unlike: dict[str, int] = field(default_factory=dict[str, int])  # reason → seeds not in it
    peak_mib: float | None = None
    energy_j: float | None = None
    claim: Claim | None = None
    verdict: str = ""  # on the claim
    confounds: list[str] = field(default_factory=list[str])  # in what else it differs
    chosen: str = ""  # the values that tuning chose
    untuned: Estimate | None = None  # last epoch at the suite's own values
    absent: str = ""  # why nothing was measured: the row is published only
    cells: list[str] = field(default_factory=list[str])  # ids, of a stale record the one on disk

    @property
    def name(self) -> str:
        """What the row is called."""
        name = self.label if self.schedule == "default" else f"{self.label} [{self.schedule}]"
        return "full precision" if self.label == "none" else name

    @property
    def title(self) -> str:
        """The same, marked if it is confounded, or its numbers rest on stale records."""
        return self.name + "*" * bool(self.confounds) + " (stale)" * bool(self.stale)


@dataclass(frozen=True)
class Section:
    """Lines that may be compared."""

    backbone: str
    wa: str
    recipe: str  # what all lines share
    classes: int
    tuned: bool
    lines: list[Line]


@dataclass(frozen=True)
class Board:
    """The whole table and what must be said with it."""

    suite: str
    sections: list[Section]
    across: Across | None  # the rows over several sections
    recorded: int
    stale: int  # cells that have only a stale record, used here or not
    total: int
    notes: list[str]
    correction: Correction
    alpha: float  # of all pairs of a section together


def rank(
    plan: Plan,
    records: Iterable[Record],
    definition: Definition | None = None,
    stale: Stale | None = None,
    notes: Iterable[str] = (),
    correction: Correction = "holm",
) -> Board:
    """
    Best mean first within each section; lines with no finished seed come last.

    Args:
        correction: of the pairwise tests, for their number.
        stale: each cell that has only a stale record. It is used, and its row marked, if it is
            among `records`; if not, a note says that it is there.
        notes: what else must be said.
    """
    stale = stale or {}
    known = {record.cell.id: record for record in records}
    how = definition or plan.equilibrium
    grouped: dict[tuple[str, str, str], list[Row]] = {}
    for row in plan.rows:
        grouped.setdefault((row.backbone, row.wa, _shared(row.cells[0])), []).append(row)
    sections = [
        _marked(section, known, stale)
        for rows in grouped.values()
        for section in _sections(plan, rows, known, how, correction)
    ]
    places = dict.fromkeys((a.claim.backbone or "any net", a.claim.wa) for a in plan.absent)
    sections += [
        Section(*place, recipe="", classes=0, tuned=False, lines=_absent(plan.absent, *place))
        for place in places
        if place not in {key[:2] for key in grouped}
    ]
    cells = [*plan.cells, *(c for r in plan.rows for t in r.trials for c in t.held_out)]
    cells += [cell for trial in tuning.tuned(plan, known) for cell in trial.cells]
    ids = {cell.id for cell in cells}
    return Board(
        suite=plan.suite,
        sections=sections,
        across=_across(sections),
        recorded=sum(i in known and i not in stale and known[i].measured for i in ids),
        stale=len(ids & stale.keys()),
        total=len(ids),
        notes=[
            *_notes(plan, how, correction),
            _expenses([line for section in sections for line in section.lines]),
            *_unfinished(plan, known),
            *_mixtures(known.values()),
            *notes,
            *_elsewhere({i: s for i, s in stale.items() if i in ids}, known, sections),
        ],
        correction=correction,
        alpha=ALPHA / plan.looks,
    )


def _marked(section: Section, known: Mapping[str, Record], stale: Stale) -> Section:
    """The section, its lines told which records of theirs are stale, and why."""
    lines: list[Line] = []
    for line in section.lines:
        used = Counter(stale[i].note for i in line.cells if i in stale and i in known)
        unused = Counter(stale[i].note for i in line.cells if i in stale and i not in known)
        line = replace(line, stale=dict(used), unused=dict(unused))
        cells = [stale[i].id if i in stale else i for i in line.cells]
        lines.append(replace(line, missing=line.missing - unused.total(), cells=cells))
    return replace(section, lines=lines)


def _elsewhere(stale: Stale, known: Mapping[str, Record], sections: list[Section]) -> Iterator[str]:
    """What is said of stale records that no line is marked for."""
    shown = {i for section in sections for line in section.lines for i in line.cells}
    hint = "`bench run --rerun stale` measures again, `--allow-stale` shows what there is"
    unused = Counter(s.note for i, s in stale.items() if i not in known)
    yield from (f"stale, not used: {count(n, 'cell')}, {why}; {hint}" for why, n in unused.items())
    judged = Counter(s.note for i, s in stale.items() if i in known and s.id not in shown)
    yield from (
        f"stale: {count(n, 'cell')} that tuning chose by, {why}" for why, n in judged.items()
    )


def _shared(cell: Cell) -> str:
    """All that the cells of one section have in common."""
    return cell.model_dump_json(exclude=OWN)


def _across(sections: list[Section]) -> Across | None:
    """The ranked rows over the sections that have them."""
    blocks = {
        f"{s.backbone} {s.wa}": {
            line.name: (line.acc.mean if line.acc else 0.0) - bool(line.lost)
            for line in s.lines
            if line.acc or line.lost
        }
        for s in sections
        if s.wa != "32/32" and not s.tuned
    }
    return across({name: block for name, block in blocks.items() if len(block) > 1})


def _sections(
    plan: Plan,
    rows: list[Row],
    known: Mapping[str, Record],
    how: Definition,
    correction: Correction,
) -> Iterator[Section]:
    """The tables of one backbone at one W/A: as the suite says, and as tuning chose."""
    backbone, wa, classes = rows[0].backbone, rows[0].wa, rows[0].classes
    recipe = _recipe(rows[0])
    lines = [
        _line(row, row.cells, baseline(plan, row), yardstick(plan, row), known, how) for row in rows
    ]
    lines = _judged(plan, lines, known, correction) + _absent(plan.absent, backbone, wa)
    yield Section(backbone, wa, recipe, classes, tuned=False, lines=lines)
    chosen = ((row, tuning.chosen(row, known)) for row in rows)
    lines = [_tuned(plan, row, trial, known, how) for row, trial in chosen if trial]
    if lines:
        recipe += "; but for what is chosen"
        lines = _judged(plan, lines, known, correction)
        yield Section(backbone, wa, recipe, classes, tuned=True, lines=lines)


def baseline(plan: Plan, row: Row) -> Row | None:
    """The row that `row` is compared with: same backbone and W/A, same schedule if it has one."""
    if plan.baseline is None or row.label == plan.baseline:
        return None
    rows = [
        r for r in plan.rows if (r.label, r.backbone, r.wa) == (plan.baseline, row.backbone, row.wa)
    ]
    same = [r for r in rows if r.schedule == row.schedule]
    return next(iter(same or rows), None)


def yardstick(plan: Plan, row: Row) -> Row | None:
    """
    The row of STE whose steps those of `row` are timed by: of the same net, recipe and W/A.

    Full precision has the one of fewest bits.
    """
    found = [
        r
        for r in plan.rows
        if {info.plugin for info in r.roles.values()} == {STE}
        and r.backbone == row.backbone
        and row.wa in {r.wa, "32/32"}
        and _shared(r.cells[0]) == _shared(row.cells[0])
    ]
    return min(
        found, key=lambda r: (r.wa, r.label != STE, r.schedule != row.schedule), default=None
    )


def _tuned(
    plan: Plan, row: Row, trial: Trial, known: Mapping[str, Record], how: Definition
) -> Line:
    """The line of what tuning chose, its difference that to the baseline's own choice."""
    other, ste = baseline(plan, row), yardstick(plan, row)
    theirs = tuning.chosen(other, known) if other else None
    timed = tuning.chosen(ste, known) if ste else None
    accs = _accs(trial.cells, known)
    as_chosen = row.model_copy(update={"roles": trial.roles})
    line = _line(as_chosen, trial.cells, None, timed, known, how)
    values = (f"{k} {v:g}" if isinstance(v, float) else f"{k} {v}" for k, v in trial.values.items())
    return replace(
        line,
        difference=paired(accs, _accs(theirs.cells, known)) if theirs else None,
        claim=None,
        verdict="",
        chosen=", ".join(values),
        untuned=estimate(list(_accs(row.cells, known).values())),
    )


def _line(
    row: Row,
    cells: list[Cell],
    baseline: Row | None,
    ste: Row | Trial | None,
    known: Mapping[str, Record],
    definition: Definition,
) -> Line:
    found = [known[cell.id] for cell in cells if cell.id in known]
    took = resources.of(found, [known[c.id] for c in ste.cells if c.id in known] if ste else [])
    accs = _accs(cells, known)
    ended = [record for record in found if record.status == "ok"]
    pairs = [pair for record in ended if (pair := indicators(record, definition))]
    infos = list(row.roles.values())
    acc = estimate(list(accs.values()))
    best = estimate([r.best_acc for r in found if r.best_acc is not None])
    return Line(
        label=row.label,
        backbone=row.backbone,
        wa=row.wa,
        schedule=row.schedule,
        formula=_apart(row, [i.formula for i in infos]),
        kind=_apart(row, [i.kind for i in infos]) if infos else "full precision",
        rational=_apart(row, [_verdict(i, "rational") for i in infos]),
        flexible=_apart(row, [_verdict(i, "flexible") for i in infos]),
        accs=accs,
        acc=acc,
        best=best,
        top5=estimate([r.last_top5 for r in ended if r.last_top5 is not None]),
        difference=paired(accs, _accs(baseline.cells, known)) if baseline else None,
        n=len(accs),
        lost=dict(Counter(f"{r.status}: {r.reason}" for r in found if r.status != "ok")),
        missing=len(cells) - len(found),
        e=mean(e for e, _ in pairs) if pairs else None,
        s=mean(s for _, s in pairs) if pairs else None,
        images_per_s=took.images_per_s,
        step_ratio=took.step_ratio,
        unlike=took.unlike,
        peak_mib=took.peak_mib,
        energy_j=took.energy_j,
        claim=row.claim,
        verdict=verdict(row.claim, row.cells[0], acc, best) if row.claim else "",
        cells=[cell.id for cell in cells],
    )


def _absent(absent: list[Absent], backbone: str, wa: str) -> list[Line]:
    """Lines of published rows that are not run here, best first."""
    here = [a for a in absent if (a.claim.backbone or "any net", a.claim.wa) == (backbone, wa)]
    return [
        Line(
            label=a.claim.method,
            backbone=backbone,
            wa=wa,
            schedule=a.claim.schedule,
            formula=a.claim.formula,
            kind=a.claim.kind,
            rational=a.claim.rational,
            flexible=a.claim.flexible,
            claim=a.claim,
            absent=a.reason,
        )
        for a in sorted(here, key=lambda a: -a.claim.acc)
    ]


def _accs(cells: list[Cell], known: Mapping[str, Record]) -> dict[int, float]:
    """Last-epoch accuracy by seed, of the cells that came to their end."""
    records = [known[cell.id] for cell in cells if cell.id in known]
    return {r.cell.seed: r.last_acc for r in records if r.last_acc is not None}


def _verdict(info: RoleInfo, name: str) -> str:
    """Of the printed f, and in brackets of the one that trains, where that is another."""
    words = [str(getattr(p, name)) if p else "n/a" for p in (info.printed, info.trained)]
    return words[0] if words[0] == words[1] else f"{words[0]} ({words[1]})"


def _apart(row: Row, words: list[str]) -> str:
    """One word for both roles, or `W: ...; A: ...` where they differ."""
    if len(set(words)) <= 1:
        return words[0] if words else ""
    return "; ".join(f"{role}: {word}" for role, word in zip(row.roles, words, strict=True))


def _judged(
    plan: Plan, lines: list[Line], known: Mapping[str, Record], correction: Correction
) -> list[Line]:
    """The lines of a section, in order, with what can be said of their differences."""
    differing = confound.found([[known[i] for i in x.cells if i in known] for x in lines])
    lines = [replace(x, confounds=c) for x, c in zip(lines, differing, strict=True)]
    lines = sorted(
        lines, key=lambda x: (x.acc is None, bool(x.lost), -x.acc.mean if x.acc else 0.0, x.label)
    )
    ranked = [x for x in lines if x.acc and x.wa != "32/32"]
    whole = [x for x in ranked if not x.lost]
    better = apart([[*x.accs.values()] for x in whole], correction, ALPHA / plan.looks)
    found: list[Place | None] = [*places(len(whole), better)]
    found += [None] * (len(ranked) - len(whole))
    judged = [
        replace(x, rank=rank, place=place, p=p)
        for rank, (x, place, p) in enumerate(
            zip(ranked, found, _chances(plan, ranked), strict=True), start=1
        )
    ]
    return judged + [x for x in lines if x not in ranked]


def _chances(plan: Plan, lines: list[Line]) -> list[float | None]:
    """Dunnett's p of each line that lost no seed, over all that have one control."""
    found: dict[int, float] = {}
    same = [x for x in lines if x.label == plan.baseline]
    for control in same:
        others = [
            x
            for x in lines
            if x.label != control.label
            and not x.lost
            and next((c for c in same if c.schedule == x.schedule), same[0]) is control
        ]
        if not control.lost:
            p = dunnett([[*x.accs.values()] for x in others], [*control.accs.values()])
            found |= {id(x): value for x, value in zip(others, p, strict=True)}
    return [None if math.isnan(p := found.get(id(x), math.nan)) else p for x in lines]


def _recipe(row: Row) -> str:
    """What every line of a section shares, in words."""
    r = row.recipe
    warmup = f", warm-up {r.warmup}" if r.warmup else ""
    momentum = f"momentum {r.momentum:g}, " if r.optimizer == "sgd" else ""
    cell = row.cells[0]
    unusual = [
        f"{name} {value}"
        for name, value in cell.binarization
        if value != getattr(Binarization(), name)
    ]
    others = f"; {', '.join(unusual)}" if unusual else ""
    return (
        f"{row.net}; {row.data}; {r.epochs} epoch{'s' * (r.epochs > 1)}, batch {r.batch_size}, "
        f"{r.optimizer} lr {r.lr:g} ({r.lr_rule}{warmup}), {momentum}weight decay "
        f"{r.weight_decay:g}{others}"
    )


CORRECTIONS = {
    "holm": "Holm's correction, 5 % for any",
    "fdr": "Benjamini and Hochberg's correction, 5 % of those found",
}
LOOKS = ", divided by the {} looks at which seeds could be added"


def _notes(plan: Plan, definition: Definition, correction: Correction) -> list[str]:
    looks = LOOKS.format(plan.looks) if plan.looks > 1 else ""
    notes = [
        "#: the ranks that the seeds leave open, every pair by Welch's t test "
        f"({CORRECTIONS[correction]}{looks}); a line divides tiers, the rows of one cannot be told "
        "apart; bold: surely the best; rows that lost a seed stand below, untested",
        "acc: test accuracy after the last epoch in %, mean ± 95 % t interval over n seeds; "
        "best: of all epochs, chosen on test (paper metric)",
        "rational, flexible: definition P on the printed formula, computed, in brackets on f as it "
        "trains where that differs; `bench check` prints witnesses and proofs",
        f"e, s: `{definition}` definition, over latent weights",
    ]
    if plan.baseline:
        notes.append(f"Δ: difference to {plan.baseline}, paired by seed, ± 95 % t interval")
        seen = "; neither Δ nor p is corrected for looks" if plan.looks > 1 else ""
        notes.append(
            "p: that there is none, by Dunnett's test of all rows of a section against it, which "
            f"takes one spread for all rows; the ranks do not{seen}"
        )
    budget = max(len(row.trials) for row in plan.rows)
    if budget:
        seeds = len(plan.rows[0].trials[0].held_out)
        notes.append(
            f"tuned: {count(budget, 'trial')} for each row, {count(seeds, 'seed')} each, judged "
            f"on {plan.held_out:.0%} of the training images held out; test images not looked at"
        )
    claims = [row.claim for row in plan.rows if row.claim] + [a.claim for a in plan.absent]
    if claims:
        sources = "; ".join(dict.fromkeys(claim.source for claim in claims))
        notes.append(f"published, as printed: {sources}")
    cautions: dict[str, list[str]] = {}
    for claim in claims:
        if claim.note:
            who = f"{claim.method} {claim.acc:.2f} on {claim.backbone or 'any net'} {claim.wa}"
            cautions.setdefault(claim.note, []).append(who)
    return notes + [f"{', '.join(dict.fromkeys(who))}: {note}" for note, who in cautions.items()]


EXPENSES = {  # field of a line → what its column says
    "images_per_s": "images/s: training alone, with whatever else the machine did",
    "step_ratio": "step/STE: the time of a step, STE's on the same seed and machine being 1, "
    "geometric mean over seeds, as rough as images/s",
    "peak_mib": "peak: the most memory, of a GPU's tensors or else of the whole process",
    "energy_j": "kJ: all that the GPU took for a cell that had it alone, mean over seeds",
}


def _expenses(lines: list[Line]) -> str:
    """What the columns of cost are, those that say something."""
    said = [text for name, text in EXPENSES.items() if any(getattr(x, name) for x in lines)]
    return "; ".join(said or [EXPENSES["images_per_s"]])


def _unfinished(plan: Plan, known: Mapping[str, Record]) -> list[str]:
    """Rows whose tuning cannot choose yet."""
    notes: list[str] = []
    for row in plan.rows:
        cells = [cell for trial in row.trials for cell in trial.held_out]
        lacking = sum(not (r := known.get(c.id)) or not r.measured for c in cells)
        if lacking:
            where = f"{row.label} on {row.backbone}, {row.wa}"
            notes.append(f"not tuned yet: {where}, {lacking} of {len(cells)} held-out cells lack")
    return notes


def _mixtures(records: Iterable[Record]) -> list[str]:
    """What else differs between records that stand in one table."""
    measured = [r for r in records if r.measured]
    facts = [process for r in measured for process in (*r.earlier, r.provenance)]
    proofs = [r.receipt for r in measured]
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
    unsteady = [p.environment for p in proofs if p and p.first_difference is not None]
    notes += [
        f"{count(n, 'record')} from a machine on which equal trainings differ: {environment}"
        for environment, n in Counter(unsteady).items()
    ]
    return notes
