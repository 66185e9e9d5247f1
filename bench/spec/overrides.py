"""`-o key.path=value`: one value of a suite, set by whoever runs it."""

import re
from typing import Any

from bench.base.plain_data import KeyPath, as_list, as_mapping, dotted
from bench.base.text import CONTROLS
from bench.base.yaml_document import Document, parse
from bench.errors import SuiteError
from bench.spec.short_forms import NETWORKS, spell_out


def override(document: Document, text: str) -> Document:
    """
    Set one value of a suite by `key.path=value`, the value in YAML, and spell it out.

    One of `train` goes before what entries of estimators and networks say of it themselves.

    Raises:
        SuiteError: `text` has no `=` or has a control character, names `extends`, its value is
            not YAML, or a part of its path is not a mapping or a list index.
    """
    place = f"override `{text}`"
    if text.startswith("extends="):
        message = f"{place}: only a file can extend; write one that says `extends:`"
        raise SuiteError(message)
    path, written = _parse(text, place)
    _check_path(document.data, path, place)
    value = parse(written, place)
    data = _with_value(document.data, path, value.data)
    if path[0] == "train" and len(path) > 1:
        for axis in ("estimators", *NETWORKS):
            data = _without_own_field(data, axis, str(path[1]))
    made = {path[:depth]: place for depth in range(1, len(path))}  # if they were not there
    kept = {p: at for p, at in document.places.items() if p[: len(path)] != path}
    own = {path + p: place for p in value.places}
    return spell_out(Document(document.source, data, {**made, **kept, **own}))


def _parse(text: str, place: str) -> tuple[KeyPath, str]:
    """Take an override apart into its path and its value, as it is written."""
    key, equals, value = text.partition("=")
    if CONTROLS.search(text):
        message = f"{place}: holds a control character"
        raise SuiteError(message)
    if not equals or not all(key.split(".")):
        message = f"{place}: expected `key.path=value`, as in `train.epochs=3`"
        raise SuiteError(message)
    return tuple(int(k) if re.fullmatch("[0-9]{1,9}", k) else k for k in key.split(".")), value


def _check_path(data: Any, path: KeyPath, place: str) -> None:
    """Refuse a path on which there is something else than mappings and lists."""
    node = data
    for depth, key in enumerate(path):
        keyed, listed = as_mapping(node), as_list(node)
        if keyed is None and not (isinstance(key, int) and key < len(listed)):
            what = dotted(path[:depth]) or "the suite"
            message = f"{place}: `{what}` is not a mapping, so it has no `{key}`"
            raise SuiteError(message)
        node = listed[int(str(key))] if keyed is None else keyed.get(str(key))
        if keyed is not None and node is None:
            return  # mappings are made from here on


def _with_value(node: Any, path: KeyPath, value: Any) -> Any:
    """Copy what is along `path`, at whose end `value` stands; mappings that lack are made."""
    key, rest = path[0], path[1:]
    keyed = as_mapping(node)
    if keyed is None:
        index = int(str(key))
        item = _with_value(node[index], rest, value) if rest else value
        return [*node[:index], item, *node[index + 1 :]]
    if not rest:
        return keyed | {key: value}
    inner = keyed.get(str(key))
    return keyed | {str(key): _with_value({} if inner is None else inner, rest, value)}


def _without_own_field(data: dict[str, Any], axis: str, field: str) -> dict[str, Any]:
    """Drop a field of the recipe from what the entries of an axis say of theirs."""
    entries = as_mapping(data.get(axis))
    if entries is None:
        return data
    changed = {
        label: _without_field(entry, field)
        for label, written in entries.items()
        if (entry := as_mapping(written)) is not None
    }
    return data | {axis: entries | changed}


def _without_field(entry: dict[str, Any], field: str) -> dict[str, Any]:
    """Drop a field of the recipe from an entry, and from what it says of single networks."""
    recipe, structure = as_mapping(entry.get("train")), as_mapping(entry.get("structure"))
    own: dict[str, Any] = {}
    if recipe is not None:
        own["train"] = {k: v for k, v in recipe.items() if k != field}
    if structure is not None:
        networks = {k: as_mapping(v) for k, v in structure.items()}
        own["structure"] = structure | {
            k: _without_field(network, field) for k, network in networks.items() if network
        }
    return entry | own
