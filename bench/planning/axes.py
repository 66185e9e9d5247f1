"""
A suite's entries, built: names and parameters become plugins, or problems with their place.

A backbone's entry may carry `train` and `data` of its own, which go before the suite's: they
differ between tables of one suite, never within one.

The only place where a suite's names meet the registry.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from bench.base.plain_data import KeyPath, as_list, as_mapping
from bench.base.validation import problems
from bench.base.yaml_document import Document, Problem
from bench.data import sources
from bench.errors import PluginError, UsageError
from bench.registry import BACKBONES, ESTIMATORS, Registry, add_folders
from bench.results import source_digest
from bench.spec.cell import Recipe, Role

MOST = 1_000  # labels of one matrix


@dataclass(frozen=True)
class Named:
    """A plugin with its parameters, the name it is found by, and the digest of its file."""

    name: str
    plugin: Any
    source: str = ""


@dataclass(frozen=True)
class Net:
    """A backbone, and how and on what its rows train."""

    name: str
    plugin: Any
    recipe: Recipe
    source: Named  # of its data
    digest: str = ""  # of its file


@dataclass
class Axes:
    """A suite's axes with their plugins built, and every problem met on the way."""

    estimators: dict[str, dict[Role, Named]] = field(default_factory=dict[str, dict[Role, Named]])
    fixed: set[str] = field(default_factory=set[str])  # labels that name their own schedule
    backbones: dict[str, Net] = field(default_factory=dict[str, Net])
    nets: set[str] = field(default_factory=set[str])  # their labels, those without data, too
    problems: list[Problem] = field(default_factory=list[Problem])


def build(document: Document) -> Axes:
    """Build every plugin that a suite names, from its own folders too."""
    axes = Axes()
    _add_folders(document, axes)
    for label, entry in _entries(document, "estimators"):
        for suffix, params, path in _matrix(entry, ("estimators", label), axes):
            _add_estimator(label + suffix, label, params, path, axes)
    recipe = _recipe(document, {}, ("train",), axes)
    shared = _source(document.data["data"], ("data",), axes) if "data" in document.data else None
    for label, entry in _entries(document, "backbones"):
        path = ("backbones", label)
        params = {k: v for k, v in entry.items() if k not in {"train", "data"}}
        own, source = recipe, shared
        if "train" in entry:
            own = _recipe(document, entry["train"], (*path, "train"), axes)
        if "data" in entry:
            source = _source(entry["data"], (*path, "data"), axes)
        for suffix, chosen, _ in _matrix(params, path, axes):
            built = _plugin(BACKBONES, {"plugin": label} | chosen, path, axes)
            axes.nets.add(label + suffix)
            if built and own and source:
                net = Net(built.name, built.plugin, own, source, built.source)
                axes.backbones[label + suffix] = net
    return axes


def _recipe(document: Document, own: Any, path: KeyPath, axes: Axes) -> Recipe | None:
    """The suite's recipe under `own`; what is wrong with the suite's own is told by its model."""
    shared = as_mapping(document.data.get("train"))
    over = as_mapping(own)
    if shared is None or over is None:
        if over is None:
            axes.problems.append(Problem(path, "must be a mapping, as the suite's train is"))
        return None
    try:
        return Recipe.model_validate(shared | over)
    except ValidationError as error:
        if path != ("train",):
            axes.problems += [p for p in problems(error, path, Recipe) if _own(p, path, over)]
    return None


def _own(problem: Problem, path: KeyPath, own: dict[str, Any]) -> bool:
    """Is this said of what stands at `path` itself, and not of the suite's recipe below it?"""
    return len(problem.path) == len(path) or problem.path[len(path)] in own


def _add_folders(document: Document, axes: Axes) -> None:
    folders: Any = document.data.get("plugins", [])
    for folder in as_list(folders) or [folders]:
        if isinstance(folder, str):
            try:
                there = (Path(document.source).parent / folder).is_dir()
            except OSError:
                there = False
            if not there:
                message = f"no folder `{folder}` beside the suite"
                axes.problems.append(Problem(("plugins",), message))
                continue
            add_folders([Path(document.source).parent / folder])


def _entries(document: Document, axis: str) -> list[tuple[str, dict[str, Any]]]:
    """The entries of one axis that have the shape of one; the suite's own check names the rest."""
    found = as_mapping(document.data.get(axis)) or {}
    shaped = ((str(label), as_mapping(entry)) for label, entry in found.items())
    return [(label, entry) for label, entry in shaped if entry is not None]


def _matrix(
    entry: dict[str, Any], path: KeyPath, axes: Axes
) -> Iterator[tuple[str, dict[str, Any], KeyPath]]:
    """An entry once, or once per combination of its `matrix: {parameter: [values]}`."""
    rest = {k: v for k, v in entry.items() if k != "matrix"}
    matrix = as_mapping(entry.get("matrix", {}))
    if matrix is None or not all(as_list(v) for v in matrix.values()):
        message = "must map parameters to lists of values, as in {o_end: [1, 2, 3]}"
        axes.problems.append(Problem((*path, "matrix"), message))
        return
    if math.prod(len(as_list(v)) for v in matrix.values()) > MOST:
        axes.problems.append(Problem((*path, "matrix"), f"has more than {MOST:,} combinations"))
        return
    for key in matrix.keys() & rest.keys():
        message = f"stands in the matrix, too, as {matrix[key]}; say it once"
        axes.problems.append(Problem((*path, key), message))
    for values in product(*matrix.values()):
        chosen: dict[str, Any] = dict(zip(matrix, values, strict=True))
        suffix = ",".join(f"{k}={v}" for k, v in chosen.items())
        yield (f"({suffix})" if suffix else ""), rest | chosen, path


def _add_estimator(
    label: str, plugin: str, params: dict[str, Any], path: KeyPath, axes: Axes
) -> None:
    """One label: one estimator for both roles, or `{W: ..., A: ...}` apart."""
    if label == "none":
        message = "means full precision here; choose another label"
        axes.problems.append(Problem(path, message))
        return
    roles: dict[Role, Named] = {}
    sources: tuple[Role, ...] = ("W", "A")
    apart = params.keys() & set(sources)
    rest = {k: v for k, v in params.items() if k not in sources}
    for role in sources:
        value: Any = params.get(role)
        own: dict[str, Any] = as_mapping(value) or {"plugin": value}
        chosen, place = (rest | own, (*path, role)) if apart else ({"plugin": plugin} | rest, path)
        built = _plugin(ESTIMATORS, chosen, place if not apart or as_mapping(value) else path, axes)
        if built:
            roles[role] = built
            if "schedule" in chosen:
                axes.fixed.add(label)
    if len(roles) == len(sources):
        axes.estimators[label] = roles


def _plugin(
    registry: Registry[Any], params: dict[str, Any], path: KeyPath, axes: Axes
) -> Named | None:
    """Build one plugin; what is wrong goes to the problems."""
    params = dict(params)
    name: Any = params.pop("plugin", None)
    if not isinstance(name, str):
        message = "needs both W and A, each a plugin's name or a mapping with `plugin:`"
        axes.problems.append(Problem(path, message))
        return None
    try:
        plugin = registry.load(name)(**{str(k): v for k, v in params.items()})
        plugin.ref(name)  # as cells will name it
        return Named(name, plugin, source_digest.source(registry, name))
    except PluginError as error:
        axes.problems.append(Problem(path, str(error)))
    except ValidationError as error:
        axes.problems += problems(error, path, registry.load(name))
    except Exception as error:  # whatever a stranger's class raises
        axes.problems.append(Problem(path, f"`{name}` raises {type(error).__name__}: {error}"))
    return None


def _source(value: Any, path: KeyPath, axes: Axes) -> Named | None:
    """The one data set that stands at `path`."""
    found = as_mapping(value) or {}
    entries = [
        (str(name), e) for name, entry in found.items() if (e := as_mapping(entry)) is not None
    ]
    if len(entries) != 1:
        axes.problems.append(Problem(path, f"names {len(entries) or 'no'} data sets, needs one"))
        return None
    name, params = entries[0]
    try:
        return Named(name, sources.named(name).model_validate(params))
    except UsageError as error:
        axes.problems.append(Problem((*path, name), str(error)))
    except ValidationError as error:
        axes.problems += problems(error, (*path, name), sources.named(name))
    return None
