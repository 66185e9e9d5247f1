"""`extends: NAME`: what a suite does not say it takes from another, and that from a third."""

from pathlib import Path
from typing import Any

from bench.base.files import real_path
from bench.base.plain_data import as_list, as_mapping
from bench.base.yaml_document import Document
from bench.spec.label import base_label
from bench.spec.published import find_ledger
from bench.spec.short_forms import NETWORKS
from bench.spec.suite_file import SHIPPED


def extend(base: Document, suite: Document, listed: dict[str, set[str]]) -> Document:
    """
    Complete a suite by the one that it extends, which its own base has completed.

    Args:
        base: the extended suite, spelled out.
        suite: the extending suite, spelled out.
        listed: the labels of the axes that it writes as a list of names. Such a list chooses:
            other labels of the base are dropped, with what the base says of them.
    """
    data = _with_absolute_paths(base.data, Path(base.source).parent)
    data = _without_replaced_data(data, suite.data)
    for axis, labels in listed.items():
        data = _with_labels(data, axis, labels)
    dropped = base.data.keys() - data.keys()
    places = {p: place for p, place in base.places.items() if not (p and p[0] in dropped)}
    return suite.completed_by(data, places)


def _with_absolute_paths(data: dict[str, Any], home: Path) -> dict[str, Any]:
    """Name plugins and ledgers beside the base, in `home`, so that any suite finds them."""
    changed: dict[str, Any] = {}
    if folders := _words(data.get("plugins")):
        changed["plugins"] = [str(real_path(home / str(folder))) for folder in folders]
    ledgers = _words(data.get("published"))
    if ledgers and real_path(home) != real_path(SHIPPED):
        files = [find_ledger(str(name), home / "published") for name in ledgers]
        changed["published"] = [
            str(real_path(file.with_suffix(""))) if file else name
            for file, name in zip(files, ledgers, strict=True)
        ]
    return data | changed


def _words(value: Any) -> list[Any]:
    """Return the items of a list, or the one word in its place."""
    return [value] if isinstance(value, str) else as_list(value)


def _without_replaced_data(data: dict[str, Any], suite: dict[str, Any]) -> dict[str, Any]:
    """Drop the data set of the base where the suite names one: there is one, not one more."""
    if "data" in suite:
        data = _without(data, "data")
    for axis in NETWORKS:
        data = _without_own_data(data, suite, axis)
    return data


def _without_own_data(data: dict[str, Any], suite: dict[str, Any], axis: str) -> dict[str, Any]:
    """Drop the own data sets of the base's networks to which the suite gives others."""
    entries = as_mapping(data.get(axis))
    if entries is None:
        return data
    others = as_mapping(suite.get(axis)) or {}
    replaced = {label for label, entry in others.items() if "data" in (as_mapping(entry) or {})}
    changed = {
        label: _without(entry, "data")
        for label in replaced & entries.keys()
        if (entry := as_mapping(entries[label])) is not None
    }
    return data | {axis: entries | changed}


def _without(data: dict[str, Any], key: str) -> dict[str, Any]:
    """Copy a mapping but for one key."""
    return {k: v for k, v in data.items() if k != key}


def _with_labels(data: dict[str, Any], axis: str, labels: set[str]) -> dict[str, Any]:
    """Leave of one axis of the base these labels, their matrices, and what is said of them."""
    for path in ([axis], ["published", "acc"], ["tune", axis]):
        data = _with_keys(data, path, {*labels, "none"})
    if axis == "backbones":
        data = _with_structures(data, labels)
    return _with_rules(data, axis.removesuffix("s"), labels)


def _with_structures(data: dict[str, Any], labels: set[str]) -> dict[str, Any]:
    """Leave of what estimators say of backbones that of these labels."""
    entries = as_mapping(data.get("estimators")) or {}
    kept = {
        label: _with_keys(entry, ["structure"], labels)
        for label, written in entries.items()
        if (entry := as_mapping(written)) is not None
    }
    return data | {"estimators": entries | kept} if kept else data


def _with_keys(data: dict[str, Any], path: list[str], labels: set[str]) -> dict[str, Any]:
    """Leave of the mapping at `path`, if there is one, the entries of these labels."""
    key, rest = path[0], path[1:]
    entries = as_mapping(data.get(key))
    if entries is None:
        return data
    if rest:
        return data | {key: _with_keys(entries, rest, labels)}
    return data | {key: {k: v for k, v in entries.items() if base_label(str(k)) in labels}}


def _with_rules(data: dict[str, Any], field: str, labels: set[str]) -> dict[str, Any]:
    """Leave the includes, excludes and the baseline that speak of these labels."""
    rules = {
        key: [rule for rule in as_list(data[key]) if _speaks_of(rule, field, labels)]
        for key in ("include", "exclude")
        if key in data
    }
    if "exclude" in rules:
        rules["exclude"] = [_narrowed(rule, field, labels) for rule in rules["exclude"]]
    if field == "estimator" and base_label(str(data.get("baseline"))) not in labels:
        data = _without(data, "baseline")
    return data | rules


def _speaks_of(rule: Any, field: str, labels: set[str]) -> bool:
    """Does a rule speak of one of these labels, or of all?"""
    value: Any = (as_mapping(rule) or {}).get(field)
    if value in (None, "none"):
        return True
    names = [base_label(str(name)) for name in (as_list(value) or [value])]
    return any(name in labels or "*" in name for name in names)


def _narrowed(rule: Any, field: str, labels: set[str]) -> Any:
    """Leave of the labels that a rule lists these; patterns stay."""
    names = as_list((as_mapping(rule) or {}).get(field))
    if not names:
        return rule
    return rule | {field: [n for n in names if base_label(str(n)) in labels or "*" in str(n)]}
