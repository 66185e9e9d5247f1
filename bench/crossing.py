"""Suite to plan: the cross product of the axes, with a reason for all that it leaves out."""

import fnmatch
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from bench import axes as axes_
from bench import properties
from bench.axes import Axes
from bench.cell import CORE, WA, Cell, DataRef, Ref, Role
from bench.data import Dataset
from bench.document import Path_, Problem, suggest
from bench.errors import SuiteError
from bench.plan import LeftOut, Plan, Properties, RoleInfo, Row
from bench.plugin import Backbone, Estimator, Surrogate
from bench.sources import data_folder
from bench.suite import Suite, digest, load, name_of, without

ROLES: dict[WA, tuple[Role, ...]] = {"32/32": (), "1/32": ("W",), "1/1": ("W", "A")}
NO_KNOB = "{} has no scheduled knob; it runs once, not once per schedule"


@dataclass(frozen=True)
class Combination:
    """One point of the crossed axes, seeds aside."""

    label: str
    backbone: str
    wa: WA
    schedule: str  # of the suite's axis

    def __str__(self) -> str:
        return f"{self.label} x {self.backbone} x {self.wa} x {self.schedule}"


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
    document, suite, wrong = load(path, overrides)
    axes = axes_.build(document)
    axes.problems += wrong
    sound = suite or without(document, wrong)
    if sound:
        axes.problems += _cross_checks(sound, axes)
    if suite is None or axes.source is None or axes.problems:
        raise SuiteError(document.report(axes.problems))
    found: Dataset = axes.source.plugin.load(data or data_folder())
    if found.sizes["train"] % suite.train.batch_size == 1:
        message = (
            f"{found.sizes['train']} training images leave a last batch of 1, which BatchNorm "
            "cannot normalize; choose another size"
        )
        raise SuiteError(document.report([Problem(("train", "batch_size"), message)]))
    rows, left_out = _rows(suite, axes, found)
    if not rows:
        message = f"{document.source}: every combination is left out: {left_out[0].reason}"
        raise SuiteError(message)
    return Plan(
        suite=name_of(Path(document.source), overrides),
        source=document.source,
        source_digest=digest(document),
        overrides=overrides,
        data_label=found.label,
        recipe=suite.train,
        binarization=suite.binarization,
        baseline=suite.baseline,
        published_source=suite.published.source if suite.published else "",
        rows=rows,
        left_out=left_out,
    )


def _cross_checks(suite: Suite, axes: Axes) -> Iterator[Problem]:
    """Labels that one part of the suite uses and another must define."""
    for axis in ("estimators", "backbones"):
        if not getattr(suite, axis):
            yield Problem((axis,), f"names none; `bench list {axis}` has some")
    for i, include in enumerate(suite.include):
        if (include.estimator == "none") != (include.wa == "32/32"):
            yield Problem(("include", i), "estimator: none and wa: 32/32 go together")
    broken = {str(p.path[1]) for p in axes.problems if p.path[:1] == ("estimators",) and p.path[1:]}
    labels = [*axes.estimators, *sorted(broken - axes.estimators.keys())]
    for path, word, real in _uses(suite):
        known = list(axes.backbones) if path[-1] == "backbone" else labels + ["none"] * real
        if word not in known and not (path[0] == "exclude" and fnmatch.filter(known, word)):
            yield Problem(path, f"no `{word}` in this suite{suggest(word, known)}")


def _uses(suite: Suite) -> Iterator[tuple[Path_, str, bool]]:
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
    for label in suite.published.acc if suite.published else ():
        yield ("published", "acc", label), label, True


def _rows(suite: Suite, axes: Axes, found: Dataset) -> tuple[list[Row], list[LeftOut]]:
    """Every row of the product and of `include`, and what is left out with its reason."""
    assert axes.source
    data = DataRef(
        name=axes.source.name,
        params=axes.source.plugin.model_dump(mode="json", exclude_none=True),
        fingerprint=found.fingerprint,
    )
    rows: list[Row] = []
    left_out: list[LeftOut] = []
    verdicts = _Verdicts()
    for combination, seeds, reason in _combinations(suite, axes):
        if not reason:
            row = _row(suite, axes, data, combination, seeds, verdicts)
            twin = next((r for r in rows if r.cells[0].sibling(row.cells[0])), None)
            if twin is None:
                rows.append(row)
                continue
            if twin.label == row.label and twin.cells != row.cells:  # further seeds of one row
                cells = {cell.id: cell for cell in (*twin.cells, *row.cells)}
                grown = twin.model_copy(update={"cells": list(cells.values())})
                rows[rows.index(twin)] = grown
                continue
            reason = f"the same cells as {twin.label} x {twin.schedule}; they run once"
        left_out.append(LeftOut(combination=str(combination), reason=reason))
    return rows, left_out


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
            return rule.reason
    return ""


def _meets(label: str, word: str) -> bool:
    return label == word or fnmatch.fnmatchcase(label, word)


def _no_schedule(axes: Axes, c: Combination, *, first: bool) -> str:
    """Why `c` cannot be crossed with its schedule; without a knob to schedule the first runs."""
    plugins = [axes.estimators[c.label][role].plugin for role in ROLES[c.wa]]
    scheduled = [p for p in plugins if _has_schedule(p)]
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
    for p in (0.0, 0.5):
        try:
            value = plugin.path(p)
        except (ArithmeticError, ValueError, TypeError) as error:
            return str(error)
        except Exception as error:  # whatever a stranger's knob raises
            return f"{type(error).__name__}: {error}"
        if not math.isfinite(value):
            return f"it would be {value}"
    return ""


def _has_schedule(plugin: Estimator) -> bool:
    return isinstance(plugin, Surrogate) and "schedule" in type(plugin).model_fields


def _row(
    suite: Suite,
    axes: Axes,
    data: DataRef,
    c: Combination,
    seeds: list[int],
    verdicts: "_Verdicts",
) -> Row:
    """The cells of one combination, and what its table row says of the estimator."""
    refs: dict[Role, Ref] = {}
    infos: dict[Role, RoleInfo] = {}
    schedule = "default"
    for role in ROLES[c.wa]:
        named = axes.estimators[c.label][role]
        plugin: Estimator = named.plugin
        if _has_schedule(plugin) and c.label not in axes.fixed and c.schedule != "default":
            plugin = plugin.model_copy(update={"schedule": c.schedule})
            schedule = c.schedule
        refs[role] = plugin.ref(named.name)
        infos[role] = verdicts.info(named.name, plugin, role)
    backbone: Backbone = axes.backbones[c.backbone].plugin
    cells = [
        Cell(
            core=CORE,
            weights=refs.get("W"),
            activations=refs.get("A"),
            backbone=backbone.ref(axes.backbones[c.backbone].name),
            data=data,
            binarization=suite.binarization,
            recipe=suite.train,
            seed=seed,
        )
        for seed in dict.fromkeys(seeds)
    ]
    return Row(
        label=c.label,
        backbone=c.backbone,
        wa=c.wa,
        schedule=schedule,
        roles=infos,
        published=_published(suite, c, schedule),
        cells=cells,
    )


def _published(suite: Suite, c: Combination, schedule: str) -> float | None:
    """The number that belongs beside this row, if one was printed for it."""
    p = suite.published
    wa = "32/32" if c.label == "none" else p.wa if p else ""
    if p is None or (c.wa, schedule) != (wa, "default") or p.backbone not in {None, c.backbone}:
        return None
    return p.acc.get(c.label)


class _Verdicts:
    """Property verdicts, computed once per configured estimator and role."""

    def __init__(self) -> None:
        self.known: dict[tuple[str, Role], RoleInfo] = {}

    def info(self, name: str, plugin: Estimator, role: Role) -> RoleInfo:
        key = (f"{name}{plugin!r}", role)
        if key not in self.known:
            printed, trained = _judged(plugin, role)
            self.known[key] = RoleInfo(
                plugin=name,
                formula=plugin.formula,
                kind=plugin.kind,
                schedule=getattr(plugin, "schedule", ""),
                printed=printed,
                trained=trained,
            )
        return self.known[key]


def _judged(plugin: Estimator, role: Role) -> tuple[Properties | None, Properties | None]:
    """The verdicts on the printed f and on the one that trains, if there is an f to call."""
    if not isinstance(plugin, Surrogate):
        return None, None
    try:
        return properties.printed(plugin), properties.trained(plugin, role)
    except Exception:  # a stranger's f: `bench check` shows what it raises, its cells fail alone
        return None, None
