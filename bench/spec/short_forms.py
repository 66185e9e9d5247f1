"""
Short forms of a suite, spelled out: `estimators: [ste, ede]` is `{ste: {}, ede: {}}`.

Spelled out, an axis maps labels to mappings of parameters, in whatever form its author wrote it.
"""

from collections.abc import Callable
from typing import Any

from bench.base.plain_data import KeyPath, as_list, as_mapping
from bench.base.yaml_document import Document

NETWORKS = ("backbones", "teachers")
AXES = ("estimators", *NETWORKS, "data")


def spell_out(document: Document) -> Document:
    """Write every axis as a mapping of labels to parameters; a label stands where its name did."""
    data = {key: _spelled_out(key, value) for key, value in document.data.items()}
    return Document(document.source, data, {**document.places, **_label_places(document)})


def listed_labels(document: Document) -> dict[str, set[str]]:
    """Return the labels of each axis that is written as names alone and not yet spelled out."""
    names = {axis: _names(document.data.get(axis)) for axis in ("estimators", "backbones")}
    return {axis: set(labels) for axis, labels in names.items() if labels}


def _spelled_out(key: str, value: Any) -> Any:
    """Spell out the value of one of a suite's keys."""
    if key == "estimators":
        return _of_each_label(_labelled(value), _with_roles)
    if key in NETWORKS:
        return _of_each_label(_labelled(value), _with_own_data)
    return _labelled(value) if key == "data" else value


def _names(value: Any) -> list[str]:
    """Return the names that stand for a mapping of labels; none if it is written in full."""
    names = [value] if isinstance(value, str) else as_list(value)
    return names if all(isinstance(name, str) for name in names) else []


def _labelled(value: Any) -> Any:
    """Make `ste`, `[ste]`, `{ste: }` and `{mine: ste}` mappings of labels to parameters."""
    names = _names(value)
    entries = dict.fromkeys(names) if names else as_mapping(value)
    if entries is None:
        return value
    return {label: _parameters(entry) for label, entry in entries.items()}


def _parameters(entry: Any) -> Any:
    """Make `{}` of nothing, and `{plugin: x}` of the mere name x."""
    if entry is None:
        return {}
    return {"plugin": entry} if isinstance(entry, str) else entry


def _of_each_label(value: Any, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
    """Change each entry of a mapping of labels that is a mapping itself."""
    entries = as_mapping(value)
    if entries is None:
        return value
    changed = {k: change(entry) for k, e in entries.items() if (entry := as_mapping(e)) is not None}
    return entries | changed


def _with_roles(entry: dict[str, Any]) -> dict[str, Any]:
    """Spell out the estimators of an entry with a role each."""
    roles = {r: {"plugin": entry[r]} for r in ("W", "A") if isinstance(entry.get(r), str)}
    return entry | roles


def _with_own_data(entry: dict[str, Any]) -> dict[str, Any]:
    """Spell out the data set that a backbone has for itself."""
    return entry | {"data": _labelled(entry["data"])} if "data" in entry else entry


def _label_places(document: Document) -> dict[KeyPath, str]:
    """Find the place of each label that is written as an item of a list."""
    written: dict[KeyPath, Any] = {(axis,): document.data.get(axis) for axis in AXES}
    for axis in NETWORKS:
        for label, entry in (as_mapping(document.data.get(axis)) or {}).items():
            written[axis, label, "data"] = (as_mapping(entry) or {}).get("data")
    return {
        (*path, name): document.places[*path, index]
        for path, value in written.items()
        for index, name in enumerate(_names(value))
        if (*path, index) in document.places
    }
