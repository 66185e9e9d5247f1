"""
Presets: `reference` is the released ReSTE code, `paper` its text, where the two differ.

A preset is a suite's lowest layer: it fills in what neither the suite, nor what it extends, nor an
override says. Its estimators, backbones and data are keyed by plugin, whatever their labels are.
"""

from importlib.resources import files
from pathlib import Path
from typing import Any

from bench.base.plain_data import as_mapping
from bench.base.yaml_document import Document, read
from bench.errors import SuiteError

NAMES = ("reference", "paper")
PLUGINS = ("estimators", "backbones", "data")  # what a preset says of each, by name


def below(document: Document, name: str) -> Document:
    """
    The preset `name` as a document with the labels of `document`.

    Raises:
        SuiteError: its file is damaged.
    """
    found = _shipped(name)
    data: dict[str, Any] = {k: v for k, v in found.items() if not as_mapping(v)}
    data |= {k: found[k] for k in ("train", "binarization")}
    for axis in ("estimators", "backbones"):
        entries = as_mapping(document.data.get(axis)) or {}
        data[axis] = {k: _entry(k, v, found[axis], found["data"]) for k, v in entries.items()}
    data["data"] = _named(document.data.get("data"), found["data"])
    place = f"preset {name}"
    return Document(place, data, dict.fromkeys(_paths(data, ()), place))


def _shipped(name: str) -> dict[str, Any]:
    """The preset's file, whose parts are mappings, and those of plugins mappings of mappings."""
    document = read(Path(str(files("suites"))) / "presets" / f"{name}.yaml")
    found = as_mapping(document.data) or {}
    parts = [found.get(key) for key in ("train", "binarization", *PLUGINS)]
    parts += [part for key in PLUGINS for part in (as_mapping(found.get(key)) or {}).values()]
    if any(as_mapping(part) is None for part in parts):
        message = f"{document.source}: damaged; install signbench again"
        raise SuiteError(message)
    return found


def _entry(label: str, entry: Any, known: dict[str, Any], sources: dict[str, Any]) -> Any:
    """The parameters of one label's plugin, or of the plugins of its two roles."""
    given = as_mapping(entry) or {}
    found = dict(known.get(str(given.get("plugin", label))) or {})
    found = {k: v for k, v in found.items() if k not in (as_mapping(given.get("matrix")) or {})}
    if given.keys() & {"W", "A"}:
        said = {*given, *(as_mapping(given.get("matrix")) or {})}  # of both roles
        roles = {r: _role(given[r], known) for r in ("W", "A") if r in given}
        return {r: {k: v for k, v in p.items() if k not in said} for r, p in roles.items() if p}
    return found | ({"data": _named(given["data"], sources)} if "data" in given else {})


def _role(value: Any, known: dict[str, Any]) -> dict[str, Any]:
    """Of one role, named or mapped."""
    name = value if isinstance(value, str) else (as_mapping(value) or {}).get("plugin")
    return dict(known.get(str(name)) or {})


def _named(value: Any, known: dict[str, Any]) -> dict[str, Any]:
    """The parameters of each data set that a mapping names."""
    return {name: known[name] for name in as_mapping(value) or {} if name in known}


def _paths(value: Any, path: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Of every value; a mapping stands where the suite has it, or nowhere."""
    inner = as_mapping(value)
    return [path] if inner is None else [p for k, v in inner.items() for p in _paths(v, (*path, k))]
