"""Suite to plan: the cross product of the axes, with a reason for all that it leaves out."""

import fnmatch
import math
from collections.abc import Iterable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import torch

from bench.base.plain_data import KeyPath
from bench.base.text import suggest
from bench.base.yaml_document import Document, Problem
from bench.data.sources import data_folder
from bench.errors import SuiteError
from bench.nn.contract import Estimator, Surrogate
from bench.planning.axes import Axes, build
from bench.planning.rows import ROLES, Combination, Rows, has_schedule
from bench.registry import ESTIMATORS
from bench.spec.cell import WA, Cell
from bench.spec.composition import compose, digest
from bench.spec.plan import Absent, LeftOut, Plan, Row, name_of
from bench.spec.published import Claim, ledger
from bench.spec.suite import Suite, parse, sound_part

NO_KNOB = "{} has no scheduled knob; it runs once, not once per schedule"
MOMENTS = (0.0, 0.5, 0.999)  # of the schedule, where a knob is looked at
LONGEST = 200
LABEL = f"a label is one line of at most {LONGEST} characters"
MOST = 50_000  # cells of a plan
STEEPEST = 1e6  # of a slope at 0 that `gain: unit` can divide by


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
    claims = _claims(suite, document)
    make = Rows(suite, axes, document, data or data_folder())
    rows, left_out = _rows(suite, axes, claims, make)
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
        absent=_absent(axes, claims, rows),
        left_out=left_out,
    )


def resolve(path: Path, overrides: Iterable[str] = ()) -> tuple[Document, Suite, Axes]:
    """
    Read a suite and build its plugins; no data is looked for.

    Raises:
        SuiteError: anything wrong with the suite or what it says of plugins, all at once.
    """
    document = compose(path, overrides)
    suite, wrong = parse(document)
    axes = build(document)
    axes.problems += wrong
    sound = suite or sound_part(document, wrong)
    if sound:
        axes.problems += _cross_checks(sound, axes)
    if suite is None or axes.problems or not axes.backbones:
        raise SuiteError(document.report(axes.problems))
    return document, suite, axes


def _cross_checks(suite: Suite, axes: Axes) -> Iterator[Problem]:
    """Labels that one part of the suite uses and another must define."""
    for axis, found in (("estimators", axes.estimators), ("backbones", axes.nets)):
        if not getattr(suite, axis):
            yield Problem((axis,), f"names none; `bench list {axis}` has some")
        yield from (Problem((axis, x), LABEL) for x in found if _broken(x))
    for i, include in enumerate(suite.include):
        if (include.estimator == "none") != (include.wa == "32/32"):
            yield Problem(("include", i), "estimator: none and wa: 32/32 go together")
    broken = {str(p.path[1]) for p in axes.problems if p.path[:1] == ("estimators",) and p.path[1:]}
    labels = [*axes.estimators, *sorted(broken - axes.estimators.keys())]
    for path, word, real in _uses(suite):
        net = path[-1] == "backbone" or "backbones" in path
        known = sorted(axes.nets) if net else labels + ["none"] * real
        if word not in known and not (path[0] == "exclude" and fnmatch.filter(known, word)):
            yield Problem(path, f"no `{word}` in this suite{suggest(word, known)}")
    yield from _gains(axes)


def _broken(label: str) -> bool:
    return len(label.splitlines()) > 1 or len(label) > LONGEST


def _gains(axes: Axes) -> Iterator[Problem]:
    """Labels whose `gain: unit` has nothing to divide by."""
    for label, roles in axes.estimators.items():
        for named in roles.values():
            if problem := _no_gain(named.plugin):
                yield Problem(("estimators", label), problem)


def _uses(suite: Suite) -> Iterator[tuple[KeyPath, str, bool]]:
    """Where a label is used, the label, and whether it may be `none`, full precision."""
    if suite.baseline is not None:
        yield ("baseline",), suite.baseline, False
    for i, include in enumerate(suite.include):
        yield ("include", i, "estimator"), include.estimator, True
        if include.backbone is not None:
            yield ("include", i, "backbone"), include.backbone, False
    for i, exclude in enumerate(suite.exclude):
        yield from ((("exclude", i, "estimator"), word, True) for word in exclude.estimator or [])
        yield from ((("exclude", i, "backbone"), word, False) for word in exclude.backbone or [])
    if suite.published.backbone is not None:
        yield ("published", "backbone"), suite.published.backbone, False
    for label in suite.published.acc:
        yield ("published", "acc", label), label, True
    tuned = suite.tune.model_dump(include={"estimators", "backbones"}) if suite.tune else {}
    yield from ((("tune", axis, x), x, False) for axis, labels in tuned.items() for x in labels)


def _no_gain(plugin: Estimator) -> str:
    """Why the slope at 0 cannot be divided by, where that is asked for."""
    if not isinstance(plugin, Surrogate) or plugin.gain == "raw":
        return ""
    for role, p in product(ROLES["1/1"], MOMENTS):
        try:
            knob = torch.tensor(plugin.path(p, role), dtype=torch.float64)
            slope = plugin.slope(torch.zeros_like(knob), knob).item()
        except Exception as error:  # whatever a stranger's slope raises
            return f"gain: unit needs the slope at 0: {type(error).__name__}: {error}"
        if not 0 < slope < STEEPEST:
            return f"gain: unit divides by the slope at 0, which is {slope:.3g}"
    return ""


def _rows(
    suite: Suite, axes: Axes, claims: list[Claim], make: Rows
) -> tuple[list[Row], list[LeftOut]]:
    """Every row of the product and of `include`, and what is left out with its reason."""
    rows: list[Row] = []
    left_out: list[LeftOut] = []
    for count, (combination, seeds, reason) in enumerate(_combinations(suite, axes), start=1):
        if count * len(seeds) > MOST:
            message = f"more than {MOST:,} cells; split the suite"
            raise SuiteError(message)
        if not reason:
            row = make.row(combination, seeds)
            row = row.model_copy(update={"claim": _claim(claims, row, axes)})
            twin = next((r for r in rows if r.cells[0].sibling(row.cells[0])), None)
            if twin is None or _tunings(twin) != _tunings(row):
                rows.append(row)
                continue
            if twin.label == row.label and twin.cells != row.cells:  # further seeds of one row
                rows[rows.index(twin)] = _grown(twin, row)
                continue
            reason = f"the same cells as {twin.label} x {twin.schedule}; they run once"
        left_out.append(LeftOut(combination=str(combination), reason=reason))
    return rows, left_out


def _tunings(row: Row) -> list[dict[str, Any]]:
    """What the row's tuning tries."""
    return [trial.values for trial in row.trials]


def _grown(row: Row, more: Row) -> Row:
    """The row with the seeds of both."""
    trials = [
        trial.model_copy(update={"cells": _once(trial.cells, other.cells)})
        for trial, other in zip(row.trials, more.trials, strict=True)
    ]
    return row.model_copy(update={"cells": _once(row.cells, more.cells), "trials": trials})


def _once(cells: list[Cell], more: list[Cell]) -> list[Cell]:
    return list({cell.id: cell for cell in (*cells, *more)}.values())


def _combinations(suite: Suite, axes: Axes) -> Iterator[tuple[Combination, list[int], str]]:
    """Each combination with its seeds, and why it is left out, if it is."""
    for backbone, wa, label in product(axes.backbones, suite.wa, axes.estimators):
        if wa == "32/32":
            real = Combination("none", backbone, wa, "default")
            if label == next(iter(axes.estimators)):
                yield real, suite.seeds, _excluded(suite, real)
            for schedule in suite.schedules:
                left = Combination(label, backbone, wa, schedule)
                yield left, suite.seeds, "32/32 binarizes nothing; it runs once, as `none`"
            continue
        first = True
        for schedule in suite.schedules:
            crossed = Combination(label, backbone, wa, schedule)
            reason = _excluded(suite, crossed) or _no_schedule(axes, crossed, first=first)
            first = first and bool(reason)
            yield crossed, suite.seeds, reason
    for include in suite.include:
        wanted = [b for b in axes.backbones if include.backbone in (None, b)]
        widths: list[WA] = [include.wa] if include.wa else [w for w in suite.wa if w != "32/32"]
        for backbone, wa in product(wanted, widths):
            extra = Combination(include.estimator, backbone, wa, include.schedule)
            reason = "" if wa == "32/32" else _no_schedule(axes, extra, first=True)
            yield extra, include.seeds or suite.seeds, reason


def _excluded(suite: Suite, combination: Combination) -> str:
    """The reason of the first `exclude` that matches."""
    for rule in suite.exclude:
        given = {k: v for k, v in vars(rule).items() if k != "reason" and v is not None}
        values = {"estimator": combination.label} | vars(combination)
        if all(any(_meets(values[k], word) for word in v) for k, v in given.items()):
            return " ".join(rule.reason.split()) or "excluded"
    return ""


def _meets(label: str, word: str) -> bool:
    return label == word or fnmatch.fnmatchcase(label, word)


def _no_schedule(axes: Axes, c: Combination, *, first: bool) -> str:
    """Why `c` cannot be crossed with its schedule; without a knob to schedule the first runs."""
    plugins = [axes.estimators[c.label][role].plugin for role in ROLES[c.wa]]
    scheduled = [p for p in plugins if has_schedule(p)]
    if not scheduled:
        return "" if first else NO_KNOB.format(c.label)
    own = c.label in axes.fixed
    if own and not first:
        return f"{c.label} names its own schedule; it runs once"
    for plugin in scheduled:
        name = getattr(plugin, "schedule", "") if own or c.schedule == "default" else c.schedule
        problem = _problem(plugin.model_copy(update={"schedule": name}))
        if problem:
            return f"{c.label}'s knob cannot follow {name}: {problem}"
    return ""


def _problem(plugin: Any) -> str:
    """Why the knob has no number somewhere on its path."""
    for p in MOMENTS:
        try:
            value = plugin.path(p)
        except (ArithmeticError, ValueError, TypeError) as error:
            return str(error)
        except Exception as error:  # whatever a stranger's knob raises
            return f"{type(error).__name__}: {error}"
        if not math.isfinite(value):
            return f"it would be {value}"
    return ""


def _claims(suite: Suite, document: Document) -> list[Claim]:
    """What the suite's ledgers say, and what it says itself."""
    published = suite.published
    found: list[Claim] = []
    for name in published.ledgers:
        try:
            claims = ledger(name, Path(document.source).parent)
        except SuiteError as error:
            message = f"{document.where(('published',))}: published: {error}"
            raise SuiteError(message) from None
        found += [claim for claim in claims if claim.kind != "margin"]
    return found + [
        Claim(
            label=label,
            backbone=published.backbone,
            wa="32/32" if label == "none" else published.wa,
            method=label,
            acc=acc,
            protocol=published.protocol,
            source=published.source,
        )
        for label, acc in published.acc.items()
    ]


def _claim(claims: list[Claim], row: Row, axes: Axes) -> Claim | None:
    """The claim that belongs beside this row: of its schedule, however the suite names that."""
    roles = axes.estimators.get(row.label, {})
    names = {row.schedule}
    if row.schedule == "default":
        names |= {str(getattr(named.plugin, "schedule", "")) for named in roles.values()}
    key = (row.label, row.wa)
    return next(
        (
            claim
            for claim in claims
            if (claim.label, claim.wa) == key
            and claim.backbone in {None, row.backbone}
            and (claim.schedule in names or claim.schedule == "default" == row.schedule)
        ),
        None,
    )


def _absent(axes: Axes, claims: list[Claim], rows: list[Row]) -> list[Absent]:
    """The rows of a ledger that have none here: nothing published is silently left out."""
    used = [row.claim for row in rows if row.claim]
    taken = {(c.label, c.backbone, c.wa, c.schedule) for c in used}
    built = {"none", *axes.estimators}

    def reason(claim: Claim) -> str:
        if (claim.label, claim.backbone, claim.wa, claim.schedule) in taken:
            return "another number stands beside the row"
        return "not in this suite" if claim.label in built else "not built"

    return [Absent(claim=c, reason=reason(c)) for c in claims if c not in used]
