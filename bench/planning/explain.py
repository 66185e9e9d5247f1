"""
Where every value of a suite comes from: `bench show suite`.

Each is named with the file and line that says it, the override, the preset, or as the default
of the field or plugin. No data is looked for.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

from bench.base.plain_data import KeyPath, as_list, as_mapping
from bench.base.yaml_document import Document
from bench.planning.axes import Axes, BackboneConfig, Roles
from bench.planning.matrix import MANY
from bench.planning.resolved_suite import ResolvedSuite, resolve
from bench.spec.label import base_label
from bench.spec.suite import Suite
from bench.spec.suite_file import read_question

Value: TypeAlias = tuple[KeyPath, Any]  # where it would stand in a suite, and what it is
LABELLED = ("estimators", "backbones", "teachers")
AXES = (  # printed apart from the suite's other fields
    *(*LABELLED, "data", "train", "binarization", "published", "tune", "cross"),
    *("include", "exclude"),
)
WIDEST_VALUE = 40  # characters of the column; a longer value pushes the rest of its line


def describe(path: Path, overrides: list[str]) -> str:
    """
    Write `bench show suite`: the suite's question, then a line for each value.

    Raises:
        SuiteError: anything wrong with the suite.
    """
    resolved = resolve(path, overrides)
    document = resolved.document
    table = [
        (".".join(map(str, place)), _text(value), _origin(document, place))
        for place, value in _list_values(resolved)
        if value not in (None, [], ())
    ]
    key_width, value_width = (max(len(line[column]) for line in table) for column in (0, 1))
    value_width = min(value_width, WIDEST_VALUE)
    lines = [
        f"{key:{key_width}}  {value:{value_width}}  {origin}".rstrip()
        for key, value, origin in table
    ]
    return "\n".join([*read_question(Path(document.source)), "", *lines])


def _list_values(resolved: ResolvedSuite) -> Iterator[Value]:
    """Yield every value of a suite in the order in which it is printed."""
    suite = resolved.suite
    yield from _fields(suite, (), skip=AXES)
    yield from _rules(suite)
    yield ("published",), suite.published.ledgers
    yield from ((("published", "acc", label), acc) for label, acc in suite.published.acc.items())
    for label, roles in resolved.axes.estimators.items():
        yield from _estimator(label, roles)
        if label in resolved.axes.taught_by:
            yield ("estimators", label, "teacher"), resolved.axes.taught_by[label]
        yield from _own_settings(resolved, label)
    yield from _fields(suite.binarization, ("binarization",))
    yield from _fields(suite.train, ("train",))
    for part, crossed in suite.cross:
        yield from ((("cross", part, key), values) for key, values in crossed.items())
    for axis, networks in (
        ("backbones", resolved.axes.backbones),
        ("teachers", resolved.axes.teachers),
    ):
        for label, network in networks.items():
            yield from _network(resolved.document, axis, label, network)
    yield from _shared_data(suite, resolved.axes)
    if suite.tune:
        yield from _fields(suite.tune, ("tune",))


def _fields(model: Any, path: KeyPath, skip: tuple[str, ...] = ()) -> Iterator[Value]:
    """Yield the fields of a model that stands at `path`."""
    yield from (((*path, key), value) for key, value in dict(model).items() if key not in skip)


def _rules(suite: Suite) -> Iterator[Value]:
    """Yield what is included and excluded, each in words."""
    for axis in ("include", "exclude"):
        for index, rule in enumerate(getattr(suite, axis)):
            given = rule.model_dump(exclude_none=True, exclude_defaults=True)
            yield (axis, index), ", ".join(f"{k} {_text(v)}" for k, v in given.items())


def _estimator(label: str, roles: Roles) -> Iterator[Value]:
    """Yield a label's plugin and its parameters; those of each role, where they differ."""
    by_role = roles["W"] != roles["A"]
    for role, config in roles.items() if by_role else [("", roles["W"])]:
        path = ("estimators", label, role) if by_role else ("estimators", label)
        yield (*path, "plugin"), config.name
        yield from _fields(config.plugin, path)


def _own_settings(resolved: ResolvedSuite, label: str) -> Iterator[Value]:
    """Yield the preset of an estimator, and the recipe and structure that its rows have by it."""
    entries = as_mapping(resolved.document.data.get("estimators")) or {}
    entry = as_mapping(entries.get(base_label(label))) or {}
    path = ("estimators", label)
    yield (*path, "preset"), entry.get("preset")
    own = {net: config for (name, net), config in resolved.axes.own.items() if name == label}
    yield from (((*path, "train", key), value) for key, value in entry.get("train", {}).items())
    for net, config in own.items():
        place, structure = (*path, "structure", base_label(net)), entry.get("structure", {})
        for key in structure.get(base_label(net), {}):
            if key != "train":
                yield (*place, key), getattr(config.plugin, key)
        for key in structure.get(base_label(net), {}).get("train", {}):
            yield (*place, "train", key), getattr(config.recipe, key)


def _network(
    document: Document, axis: str, label: str, backbone: BackboneConfig
) -> Iterator[Value]:
    """Yield a network's plugin and its parameters, and its own recipe and data if it has them."""
    path = (axis, label)
    yield (*path, "plugin"), backbone.name
    yield from _fields(backbone.plugin, path)
    entries = as_mapping(document.data.get(axis)) or {}
    entry = as_mapping(entries.get(base_label(label))) or {}
    for key in entry.get("train", {}):
        yield (*path, "train", key), getattr(backbone.recipe, key)
    if "data" in entry:
        yield from _fields(backbone.data.plugin, (*path, "data", backbone.data.name))


def _shared_data(suite: Suite, axes: Axes) -> Iterator[Value]:
    """Yield the suite's data set; as it is written, if every backbone has its own."""
    name, written = next(iter(suite.data.items()))
    own = {label for label, entry in suite.backbones.items() if "data" in entry}
    backbones = {base_label(label): config for label, config in axes.backbones.items()}
    shared = next((config.data for label, config in backbones.items() if label not in own), None)
    if shared:
        yield from _fields(shared.plugin, ("data", name))
    else:
        yield ("data", name), written


def _origin(document: Document, path: KeyPath) -> str:
    """Say where the value at `path` is from."""
    label = base_label(str(path[1])) if path[0] in LABELLED else ""
    in_entry = (path[0], label, *path[2:])
    in_lists = ((path[0], label, key, *path[2:]) for key in MANY)
    for candidate in (path, in_entry, *in_lists):
        place = document.places.get(candidate)
        if place is not None:
            return _short(place)
    return _short(document.where(path)) if path[-1] == "plugin" else "default"


def _short(place: str) -> str:
    """Write a place as `file:line`, without folders and column; an override or preset as it is."""
    if place.startswith(("preset ", "override `")):
        return place
    return Path(place.rpartition(":")[0]).name


def _text(value: Any) -> str:
    """Write a value on one line."""
    if isinstance(value, float):
        return f"{value:g}"
    items = as_list(json.loads(json.dumps(value, default=str)))  # a tuple, too
    return ", ".join(map(str, items)) if items else str(value)
