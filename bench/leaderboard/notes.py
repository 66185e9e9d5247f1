"""What a board says in sentences: how its columns are read, and what its numbers leave open."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from bench.base.text import count
from bench.leaderboard.board import AnyRow, MeasuredRow
from bench.leaderboard.columns.table import COLUMNS
from bench.leaderboard.stats.corrections import METHODS
from bench.results.cell_state import CellState
from bench.results.equilibrium import ABOUT
from bench.results.record import Record
from bench.spec.cell import Binarization, Recipe
from bench.spec.choices import Correction, Definition
from bench.spec.plan import Plan, Row
from bench.spec.published import Claim, list_cautions

# fields of a recipe that are told where they say something, and the defaults of all that may be
SAID = ("lr_steps", "lr_every", "lr_factor", "lr_end", "loss", "label_smoothing", "no_decay")
DEFAULTS = {
    name: field.default
    for model in (Recipe, Binarization)
    for name, field in model.model_fields.items()
}
LOOKS = ", divided by the {} looks at which seeds could be added"


def recipe_text(rows: Sequence[Row]) -> str:
    """What the rows of a section share; options that a method fixes are its own."""
    row = rows[0]
    r = row.recipe
    warmup = f", warm-up {r.warmup}" if r.warmup else ""
    nesterov = "nesterov " if r.nesterov == "on" else ""
    momentum = f"{nesterov}momentum {r.momentum:g}, " if r.optimizer == "sgd" else ""
    epochs = "epochs" if r.epochs > 1 else "epoch"
    said = {name: getattr(r, name) for name in SAID} | _suites_options(rows)
    unusual = [f"{name} {_words(value)}" for name, value in said.items() if value != DEFAULTS[name]]
    others = f"; {', '.join(unusual)}" if unusual else ""
    return (
        f"{row.net}; {row.data}; {r.epochs} {epochs}, batch {r.batch_size}, "
        f"{r.optimizer} lr {r.lr:g} ({r.lr_rule}{warmup}), {momentum}weight decay "
        f"{r.weight_decay:g}{others}"
    )


def _words(value: Any) -> str:
    """A value of a recipe, on one line."""
    items: list[Any] = json.loads(json.dumps([value]))  # a tuple is a list then
    return " ".join(map(str, items[0] if isinstance(items[0], list) else items))  # pyright: ignore


def own_options(rows: Sequence[Row]) -> Iterator[str]:
    """Options of binary layers that methods fix to something else than the suite says."""
    said: dict[str, list[str]] = {}
    options = _suites_options(rows)
    for row in rows:
        words = ", ".join(f"{k} {v}" for k, v in row.fixes.items() if v != options[k])
        if words:
            said.setdefault(words, []).append(row.label)
    for words, labels in said.items():
        yield f"own options of {', '.join(dict.fromkeys(labels))}: {words}"


def _suites_options(rows: Sequence[Row]) -> dict[str, Any]:
    """The options of binary layers, of each the value that no method fixes, if there is one."""
    options: dict[str, Any] = {}
    for row in sorted(rows, key=lambda row: len(row.fixes)):
        own = {k: v for k, v in row.cells[0].binarization if k not in row.fixes}
        options = own | options
    return dict(rows[0].cells[0].binarization) | options


def how_to_read(plan: Plan, definition: Definition, correction: Correction) -> Iterator[str]:
    """The columns and the tests, in the words of this plan."""
    looks = LOOKS.format(plan.looks) if plan.looks > 1 else ""
    yield (
        "#: the ranks that the seeds leave open, every pair by Welch's t test "
        f"({METHODS[correction].about}{looks}); a line divides tiers, the rows of one cannot be "
        "told apart; bold: surely the best; rows that lost a seed stand below, untested"
    )
    yield (
        "acc: test accuracy after the last epoch in %, mean ± 95 % t interval over n seeds; "
        "best: of all epochs, chosen on test (paper metric)"
    )
    yield (
        "rational, flexible, by definition P: |sign z - f(z)| ≤ |sign z - z| at every z and every "
        "knob value that training visits; the knob leads from the identity to sign, and no z's "
        "error rises on the way; of the printed formula, in brackets of f as it trains where that "
        "differs; `bench check --study` has the other readings"
    )
    yield f"e, s ({definition}): {ABOUT[definition]}, of latent weights"
    if plan.baseline:
        yield f"Δ: difference to {plan.baseline}, paired by seed, ± 95 % t interval"
        seen = "; neither Δ nor p is corrected for looks" if plan.looks > 1 else ""
        yield (
            "p: that there is none, by Dunnett's test of all rows of a section against it, which "
            f"takes one spread for all rows; the ranks do not{seen}"
        )
    for failed, labels in plan.failed_checks.items():
        yield f"fails check: {', '.join(labels)}: {failed}"
    yield from _formulas(plan.rows)
    yield from own_options(plan.rows)
    yield from _tuning(plan)
    claims = [row.claim for row in plan.rows if row.claim] + [a.claim for a in plan.absent]
    yield from _published(claims)


def _formulas(rows: Iterable[Row]) -> Iterator[str]:
    """Which formulas are told by people alone."""
    found = [(row.label, i) for row in rows for i in row.roles.values() if i.has_f and i.formula]
    alone = dict.fromkeys(label for label, info in found if info.compared is False)
    if alone:
        yield f"formula as printed, compared with no code: {', '.join(alone)}"


def _tuning(plan: Plan) -> Iterator[str]:
    budget = max(len(row.trials) for row in plan.rows)
    if budget:
        seeds = len(plan.rows[0].trials[0].held_out)
        yield (
            f"tuned: {count(budget, 'trial')} for each row, {count(seeds, 'seed')} each, judged "
            f"on {plan.held_out:.0%} of the training images held out; test images not looked at"
        )


def _published(claims: list[Claim]) -> Iterator[str]:
    if claims:
        sources = "; ".join(dict.fromkeys(claim.source for claim in claims))
        yield f"published, as printed: {sources}"
    yield from (f"caution, {text}" for text in list_cautions(claims))
    cautions: dict[str, list[str]] = {}
    for claim in claims:
        if claim.note:
            who = f"{claim.method} {claim.acc:.2f} on {claim.backbone or 'any net'} {claim.wa}"
            cautions.setdefault(claim.note, []).append(who)
    for note, who in cautions.items():
        yield f"{', '.join(dict.fromkeys(who))}: {note}"


def cost_columns(rows: Iterable[AnyRow]) -> list[str]:
    """What the columns of cost are, those that say something, in one sentence."""
    rows = list(rows)
    noted = [column for column in COLUMNS if column.note]
    said = [column.note for column in noted if any(column.value(row) for row in rows)]
    speed = [column.note for column in noted if column.key == "images_per_s"]
    return ["; ".join(said or speed)]


def not_tuned_yet(plan: Plan, known: Mapping[str, Record]) -> Iterator[str]:
    """Rows whose tuning cannot choose yet."""
    for row in plan.rows:
        cells = [cell for trial in row.trials for cell in trial.held_out]
        lacking = sum(not (r := known.get(c.id)) or not r.measured for c in cells)
        if lacking:
            where = f"{row.label} on {row.backbone}, {row.wa}"
            yield f"not tuned yet: {where}, {lacking} of {len(cells)} held-out cells lack"


def mixtures(records: Iterable[Record]) -> Iterator[str]:
    """What else differs between records that stand in one table."""
    measured = [r for r in records if r.measured]
    facts = [process for r in measured for process in (*r.earlier, r.provenance)]
    kinds = {
        "devices": {f.device for f in facts},
        "torch versions": {f.versions.get("torch", "?") for f in facts},
        "threads per cell": {str(f.threads) for f in facts},
        "engines": {"compiled" if f.compiled else "eager" for f in facts},
    }
    for kind, values in kinds.items():
        if len(values) > 1:
            yield (
                f"records come from several {kind}: {', '.join(sorted(values))}; "
                "compare images/s only within one"
            )
    if any(f.dirty for f in facts):
        yield "some records were made from a checkout with uncommitted changes"
    changed = {name for f in facts for name, origin in f.plugins.items() if origin.dirty}
    if changed:
        names = ", ".join(sorted(changed))
        yield f"some records were made by plugins with uncommitted changes: {names}"
    receipts = [r.receipt for r in measured]
    unsteady = [p.environment for p in receipts if p and p.first_difference is not None]
    for environment, n in Counter(unsteady).items():
        yield (
            f"{count(n, 'record')} from a machine on which equal trainings differ: {environment}"
        )


def stale_elsewhere(
    stale: Mapping[str, CellState], known: Mapping[str, Record], rows: Iterable[MeasuredRow]
) -> Iterator[str]:
    """
    Notes on stale records that no row is marked for.

    Args:
        stale: the board's cells that have only a stale record, by id.
        known: the records that are used, by the ids of the plan's cells.
    """
    shown = {i for row in rows for i in row.cells}
    hint = "`bench run --rerun stale` measures again, `--allow-stale` shows what there is"
    unused = Counter(s.note for i, s in stale.items() if i not in known)
    for why, n in unused.items():
        yield f"stale, not used: {count(n, 'cell')}, {why}; {hint}"
    judged = Counter(s.note for i, s in stale.items() if i in known and s.id not in shown)
    for why, n in judged.items():
        yield f"stale: {count(n, 'cell')} that tuning chose by, {why}"
