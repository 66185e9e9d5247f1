"""
Suite to plan: the cross product of the axes, resolved through the plugins.

The only place where a suite's names become plugins. Everything that a plugin rejects is
reported with the line of the suite that asked for it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import product
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from bench import properties
from bench.cell import CORE, WA, Cell, DataRef, Ref, Role
from bench.data import Dataset
from bench.document import Document, Path_, Problem, suggest
from bench.errors import PluginError, SuiteError
from bench.plan import LeftOut, Plan, RoleInfo, Row
from bench.plugin import Backbone, Estimator, Surrogate
from bench.registry import BACKBONES, ESTIMATORS, Registry
from bench.sources import SOURCES, data_folder
from bench.suite import Suite, digest, load, name_of, problems

ROLES: dict[WA, tuple[Role, ...]] = {"32/32": (), "1/32": ("W",), "1/1": ("W", "A")}
NO_KNOB = "{} has no scheduled knob; it runs once, not once per schedule"


@dataclass(frozen=True)
class Named:
    """A plugin with its parameters, and the name it is found by."""

    name: str
    plugin: Any


@dataclass
class Axes:
    """A suite's axes with their plugins built, and every problem met on the way."""

    estimators: dict[str, dict[Role, Named]] = field(default_factory=dict[str, dict[Role, Named]])
    fixed: set[str] = field(default_factory=set[str])  # labels that name their own schedule
    backbones: dict[str, Named] = field(default_factory=dict[str, Named])
    problems: list[Problem] = field(default_factory=list[Problem])


@dataclass(frozen=True)
class Combination:
    """One point of the crossed axes, seeds aside."""

    label: str
    backbone: str
    wa: WA
    schedule: str

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
    _add_folders(document)
    axes = _axes(document.data)
    source = _source(document.data, axes)
    axes.problems += wrong if suite is None else _cross_checks(suite, axes)
    if suite is None or axes.problems:
        raise SuiteError(document.report(axes.problems))
    found: Dataset = source.plugin.load(data or data_folder())
    if len(found.train[0]) % suite.train.batch_size == 1:
        message = (
            f"{len(found.train[0])} training images leave a last batch of 1, which BatchNorm "
            "cannot normalize; choose another size"
        )
        problem = Problem(("train", "batch_size"), message)
        raise SuiteError(document.report([problem]))
    rows, left_out = _rows(suite, axes, source, found)
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


def _add_folders(document: Document) -> None:
    """Make the plugins of the suite's own folders known."""
    folders = document.data.get("plugins", [])
    for folder in [folders] if isinstance(folders, str) else folders:
        if isinstance(folder, str):
            ESTIMATORS.add_folder(Path(document.source).parent / folder)
            BACKBONES.add_folder(Path(document.source).parent / folder)


def _axes(data: dict[str, Any]) -> Axes:
    """Build every plugin that the suite names."""
    axes = Axes()
    for label, entry in _entries(data, "estimators"):
        for suffix, params, path in _matrix(entry, ("estimators", label), axes):
            roles: dict[Role, Named] = {}
            for role, role_params, role_path in _by_role(label, params, path):
                built = _build(ESTIMATORS, role_params, role_path, axes)
                if built:
                    roles[role] = built
            if len(roles) == 2:
                axes.estimators[label + suffix] = roles
                if any("schedule" in p for p in (params, params.get("W"), params.get("A")) if p):
                    axes.fixed.add(label + suffix)
    for label, entry in _entries(data, "backbones"):
        for suffix, params, path in _matrix(entry, ("backbones", label), axes):
            built = _build(BACKBONES, {"plugin": label} | params, path, axes)
            if built:
                axes.backbones[label + suffix] = built
    return axes


def _entries(data: dict[str, Any], axis: str) -> list[tuple[str, dict[str, Any]]]:
    """The entries of one axis that have the shape of one; the suite's own check names the rest."""
    value: Any = data.get(axis)
    if not isinstance(value, dict):
        return []
    return [(str(k), v) for k, v in value.items() if isinstance(v, dict)]


def _matrix(
    entry: dict[str, Any], path: Path_, axes: Axes
) -> Iterator[tuple[str, dict[str, Any], Path_]]:
    """An entry once, or once per combination of its `matrix: {parameter: [values]}`."""
    rest = {k: v for k, v in entry.items() if k != "matrix"}
    matrix: Any = entry.get("matrix", {})
    if not isinstance(matrix, dict) or not all(isinstance(v, list) and v for v in matrix.values()):
        message = "must map parameters to lists of values, as in {o_end: [1, 2, 3]}"
        axes.problems.append(Problem((*path, "matrix"), message))
        return
    for values in product(*matrix.values()):
        chosen: dict[str, Any] = dict(zip(matrix, values, strict=True))
        suffix = ",".join(f"{k}={v}" for k, v in chosen.items())
        yield (f"({suffix})" if suffix else ""), rest | chosen, path


def _by_role(
    label: str, params: dict[str, Any], path: Path_
) -> Iterator[tuple[Role, dict[str, Any], Path_]]:
    """One estimator for both roles, or `{W: ..., A: ...}` apart."""
    roles: tuple[Role, ...] = ("W", "A")
    for role in roles:
        if not params.keys() & set(roles):
            yield role, {"plugin": label} | params, path
            continue
        value = params.get(role)
        apart: Any = {"plugin": value} if isinstance(value, str) else value
        rest = {k: v for k, v in params.items() if k not in roles}
        if isinstance(apart, dict):
            yield role, rest | apart, (*path, role)
        else:
            yield role, rest | {"plugin": apart}, path


def _build(
    registry: Registry[Any], params: dict[str, Any], path: Path_, axes: Axes
) -> Named | None:
    """Build one plugin; what is wrong goes to the problems."""
    params = dict(params)
    name = params.pop("plugin", None)
    if not isinstance(name, str):
        message = "needs both W and A, each a plugin's name or a mapping with `plugin:`"
        axes.problems.append(Problem(path, message))
        return None
    try:
        kind = registry.load(name)
        return Named(name, kind(**params))
    except PluginError as error:
        axes.problems.append(Problem(path, str(error)))
    except ValidationError as error:
        axes.problems += problems(error, tuple(map(str, path)), registry.load(name))
    except TypeError as error:  # a key that is no string
        axes.problems.append(Problem(path, str(error)))
    return None


def _source(data: dict[str, Any], axes: Axes) -> Named:
    """The one data set of the suite."""
    entries = _entries(data, "data")
    name, params = next(iter(entries), ("", {}))
    if len(entries) > 1:
        axes.problems.append(Problem(("data",), f"names {len(entries)} data sets, needs one"))
    elif entries and name not in SOURCES:
        axes.problems.append(
            Problem(("data", name), f"no data set `{name}`{suggest(name, SOURCES)}")
        )
    elif entries:
        try:
            return Named(name, SOURCES[name].model_validate(params))
        except ValidationError as error:
            axes.problems += problems(error, ("data", name), SOURCES[name])
    return Named(name, None)


def _cross_checks(suite: Suite, axes: Axes) -> Iterator[Problem]:
    """Labels that one part of the suite uses and another must define."""
    if not suite.estimators:
        yield Problem(("estimators",), "names no estimator")
    if not suite.backbones:
        yield Problem(("backbones",), "names no backbone")
    broken = {p.path[1] for p in axes.problems if p.path[:1] == ("estimators",)}
    labels = [*axes.estimators, *(k for k in suite.estimators if k in broken)]
    uses: list[tuple[Path_, str, list[str]]] = []
    if suite.baseline is not None:
        uses.append((("baseline",), suite.baseline, labels))
    for i, include in enumerate(suite.include):
        uses.append((("include", i, "estimator"), include.estimator, [*labels, "none"]))
        if include.backbone is not None:
            uses.append((("include", i, "backbone"), include.backbone, list(suite.backbones)))
        if (include.estimator == "none") != (include.wa == "32/32"):
            yield Problem(("include", i), "estimator: none and wa: 32/32 go together")
    for i, exclude in enumerate(suite.exclude):
        for key, known in (("estimator", labels), ("backbone", list(suite.backbones))):
            for word in getattr(exclude, key) or []:
                if not any(fnmatchcase(label, word) for label in known):
                    uses.append((("exclude", i, key), word, known))
    for label in suite.published.acc if suite.published else ():
        uses.append((("published", "acc", label), label, [*labels, "none"]))
    for path, word, known in uses:
        if word not in known:
            yield Problem(path, f"no `{word}` in this suite{suggest(word, known)}")


def _rows(
    suite: Suite, axes: Axes, source: Named, found: Dataset
) -> tuple[list[Row], list[LeftOut]]:
    """Every row of the product and of `include`, and what is left out with its reason."""
    data = DataRef(
        name=source.name,
        params=source.plugin.model_dump(exclude_none=True),
        fingerprint=found.fingerprint,
    )
    rows: list[Row] = []
    left_out: list[LeftOut] = []
    verdicts = _Verdicts()
    for combination, seeds, reason in _combinations(suite, axes):
        if not reason:
            row = _row(suite, axes, data, combination, seeds, verdicts)
            twin = next((r for r in rows if r.cells == row.cells), None)
            if twin is None:
                rows.append(row)
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
        for index, schedule in enumerate(suite.schedules):
            crossed = Combination(label, backbone, wa, schedule)
            reason = _excluded(suite, crossed) or _no_schedule(axes, crossed, first=index == 0)
            yield crossed, suite.seeds, reason
    for include in suite.include:
        wanted = [b for b in axes.backbones if include.backbone in (None, b, b.split("(")[0])]
        for backbone, wa in product(wanted, [include.wa] if include.wa else suite.wa):
            extra = Combination(include.estimator, backbone, wa, include.schedule)
            reason = "" if wa == "32/32" else _no_schedule(axes, extra, first=True)
            yield extra, include.seeds or suite.seeds, reason


def _excluded(suite: Suite, combination: Combination) -> str:
    """The reason of the first `exclude` that matches."""
    for rule in suite.exclude:
        given = {k: v for k, v in vars(rule).items() if k != "reason" and v is not None}
        values = {"estimator": combination.label} | vars(combination)
        if all(any(fnmatchcase(values[k], word) for word in v) for k, v in given.items()):
            return rule.reason
    return ""


def _no_schedule(axes: Axes, c: Combination, *, first: bool) -> str:
    """Why `c` cannot be crossed with its schedule; the first schedule of an axis always runs."""
    plugins = [axes.estimators[c.label][role].plugin for role in ROLES[c.wa]]
    scheduled = [p for p in plugins if _has_schedule(p)]
    if not scheduled:
        return "" if first else NO_KNOB.format(c.label)
    if c.label in axes.fixed:
        return "" if first else f"{c.label} names its own schedule; it runs once"
    for plugin in scheduled if c.schedule != "default" else ():
        for p in (0.0, 0.5):
            try:
                plugin.model_copy(update={"schedule": c.schedule}).path(p)
            except (ZeroDivisionError, ValueError, OverflowError, TypeError) as error:
                return f"{c.label}'s knob cannot follow {c.schedule}: {error}"
    return ""


def _has_schedule(plugin: Estimator) -> bool:
    return "schedule" in type(plugin).model_fields


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
        published=suite.published.acc.get(c.label) if suite.published else None,
        cells=cells,
    )


class _Verdicts:
    """Property verdicts, computed once per configured estimator and role."""

    def __init__(self) -> None:
        self.known: dict[tuple[str, Role], RoleInfo] = {}

    def info(self, name: str, plugin: Estimator, role: Role) -> RoleInfo:
        key = (f"{name}{plugin!r}", role)
        if key not in self.known:
            judged = isinstance(plugin, Surrogate)
            self.known[key] = RoleInfo(
                plugin=name,
                formula=plugin.formula,
                kind=plugin.kind,
                schedule=getattr(plugin, "schedule", ""),
                printed=properties.printed(plugin) if judged else None,
                trained=properties.trained(plugin, role) if judged else None,
            )
        return self.known[key]
