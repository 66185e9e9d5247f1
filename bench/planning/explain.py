"""
Where every value of a suite comes from: `bench show suite`.

Each is named with the file and line that says it, the override, the preset, or as the default
of the field or plugin. No data is looked for.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

from bench.base.plain_data import as_list, as_mapping
from bench.base.yaml_document import Document
from bench.planning.axes import BackboneConfig
from bench.planning.resolved_suite import resolve
from bench.spec.suite import Suite
from bench.spec.suite_file import question

Place: TypeAlias = tuple[str | int, ...]
AXES = (
    *("estimators", "backbones", "data", "train", "binarization", "published", "tune"),
    *("include", "exclude"),
)


def describe(path: Path, overrides: list[str]) -> str:
    """
    The text of `bench show suite`: the suite's question, then a line for each value.

    Raises:
        SuiteError: anything wrong with the suite.
    """
    resolved = resolve(path, overrides)
    document, suite, axes = resolved.document, resolved.suite, resolved.axes
    lines = [*_values(suite, (), skip=AXES), *_rules(suite)]
    lines += [(("published",), suite.published.ledgers)]
    lines += [(("published", "acc", k), v) for k, v in suite.published.acc.items()]
    for label, roles in axes.estimators.items():
        apart = roles["W"] != roles["A"]
        for role, named in roles.items() if apart else [("", roles["W"])]:
            place: Place = ("estimators", label, *([role] if apart else []))
            lines += [((*place, "plugin"), named.name), *_values(named.plugin, place)]
    lines += _values(suite.binarization, ("binarization",))
    lines += _values(suite.train, ("train",))
    for label, net in axes.backbones.items():
        lines += _net(document, label, net)
    name, source = next(iter(suite.data.items()))
    own = {label for label, entry in suite.backbones.items() if "data" in entry}
    nets = {label.partition("(")[0]: net for label, net in axes.backbones.items()}
    shared = next((net.data for label, net in nets.items() if label not in own), None)
    lines += _values(shared.plugin, ("data", name)) if shared else [(("data", name), source)]
    if suite.tune:
        lines += _values(suite.tune, ("tune",))
    said = [
        (".".join(map(str, where)), _text(value), _from(document, where))
        for where, value in lines
        if value not in (None, [], ())
    ]
    wide, deep = (max(len(line[i]) for line in said) for i in (0, 1))
    deep = min(deep, 40)
    table = [f"{a:{wide}}  {b:{deep}}  {c}".rstrip() for a, b, c in said]
    return "\n".join([*question(Path(document.source)), "", *table])


def _rules(suite: Suite) -> Iterator[tuple[Place, Any]]:
    """What is included and excluded, each in words."""
    for axis in ("include", "exclude"):
        for index, rule in enumerate(getattr(suite, axis)):
            said = rule.model_dump(exclude_none=True, exclude_defaults=True)
            yield (axis, index), ", ".join(f"{k} {_text(v)}" for k, v in said.items())


def _values(model: Any, path: Place, skip: tuple[str, ...] = ()) -> list[tuple[Place, Any]]:
    return [((*path, k), v) for k, v in dict(model).items() if k not in skip]


def _net(document: Document, label: str, net: BackboneConfig) -> list[tuple[Place, Any]]:
    """A backbone, and what it says for itself of recipe and data."""
    place: Place = ("backbones", label)
    lines: list[tuple[Place, Any]] = [((*place, "plugin"), net.name), *_values(net.plugin, place)]
    said = as_mapping(document.data.get("backbones")) or {}
    entry = as_mapping(said.get(label.partition("(")[0])) or {}
    lines += [((*place, "train", k), getattr(net.recipe, k)) for k in entry.get("train", {})]
    if "data" in entry:
        lines += _values(net.data.plugin, (*place, "data", net.data.name))
    return lines


def _from(document: Document, path: Place) -> str:
    """Where the value at `path` was said."""
    base = str(path[1]).partition("(")[0] if path[0] in AXES[:2] else ""
    for candidate in (path, (path[0], base, *path[2:]), (path[0], base, "matrix", *path[2:])):
        place = document.places.get(candidate)
        if place is not None:
            return _short(place)
    return _short(document.where(path)) if path[-1] == "plugin" else "default"


def _short(place: str) -> str:
    """`file:line`, without folders and column; an override or a preset as it is."""
    if place.startswith(("preset ", "override `")):
        return place
    return Path(place.rpartition(":")[0]).name


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    listed = as_list(json.loads(json.dumps(value, default=str)))  # a tuple, too
    return ", ".join(map(str, listed)) if listed else str(value)
