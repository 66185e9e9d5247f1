"""
A suite file before it is validated: short forms spelled out, and what it does not say taken in.

It takes from the suite that it extends, then from a preset; the places of what is taken are kept.
"""

from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path
from typing import Any

from bench.base.files import is_file
from bench.base.plain_data import KeyPath, as_list, as_mapping
from bench.base.text import suggest
from bench.base.yaml_document import Document, read
from bench.errors import SuiteError
from bench.spec import preset
from bench.spec.published import find as ledger_file

AXES = ("estimators", "backbones")


def whole(path: Path, overrides: Iterable[str] = ()) -> Document:
    """
    The suite at `path` with all that it extends, the overrides, and its preset below them.

    Raises:
        SuiteError: no such file, not YAML, not a mapping, or an override that cannot be.
    """
    document = _read(path, ())
    for text in overrides:
        if text.startswith("extends="):
            message = f"override `{text}`: only a file can extend; write one that says `extends:`"
            raise SuiteError(message)
        document.override(text)
        _spread(document)
        _reach(document, text)
    if (name := document.data.get("preset")) in preset.NAMES:
        document.inherit(preset.below(document, name))
    return document


def find(path: Path) -> Path:
    """
    The suite on disk, else the one of that name shipped with the package.

    Raises:
        SuiteError: neither is there.
    """
    shipped = Path(str(files("suites")))
    bare = path.parent in {Path(), Path("suites")}  # only a name, not a wrong path
    others = [shipped / path.name, shipped / f"{path.name}.yaml"] if bare else []
    for candidate in (path, *others):
        if is_file(candidate):
            return candidate
    names = sorted(p.stem for p in shipped.glob("*.yaml"))
    message = f"no suite at `{path}`{suggest(path.stem, names)}; `bench list suites` names them"
    raise SuiteError(message)


def _reach(document: Document, text: str) -> None:
    """An override of `train` goes before what backbones say of it themselves."""
    key = text.partition("=")[0]
    for entry in (as_mapping(document.data.get("backbones")) or {}).values():
        own = as_mapping((as_mapping(entry) or {}).get("train")) or {}
        if key.startswith("train."):
            own.pop(key.split(".")[1], None)


def _read(path: Path, above: tuple[Path, ...]) -> Document:
    """A suite file, completed by what it extends, by what that extends, and so on."""
    document = read(path)
    if not isinstance(document.data, dict):
        message = f"{document.source}:1:1: a suite is a mapping; `bench schema` describes it"
        raise SuiteError(message)
    named = [axis for axis in AXES if as_mapping(document.data.get(axis)) is None]
    _spread(document)
    base = (as_mapping(document.data) or {}).get("extends")
    if not isinstance(base, str):
        return document
    place = document.where(("extends",))
    try:
        near = [path.parent / base, path.parent / f"{base}.yaml"]
        there = find(next((p for p in near if is_file(p)), Path(base)))
        if there.resolve() in (*above, path.resolve()):
            message = f"`{base}` extends this suite"
            raise SuiteError(message)
        below = _read(there, (*above, path.resolve()))
    except SuiteError as error:
        message = f"{place}: extends: {error}"
        raise SuiteError(message) from None
    folders = below.data.get("plugins", [])
    if folders := [folders] if isinstance(folders, str) else as_list(folders):
        below.data["plugins"] = [str((there.parent / str(f)).resolve()) for f in folders]
    _rebase(below, there.parent)
    _choose_data(document, below)
    for axis in (axis for axis in named if axis in document.data):
        _narrow(below, axis, set(as_mapping(document.data[axis]) or {}))
    document.inherit(below)
    return document


def _rebase(below: Document, home: Path) -> None:
    """Ledgers beside the suite that is extended are found from wherever it is extended."""
    said = below.data.get("published")
    names = [said] if isinstance(said, str) else as_list(said)
    if names and home.resolve() != Path(str(files("suites"))).resolve():
        found = [ledger_file(str(name), home / "published") for name in names]
        below.data["published"] = [
            str(path.with_suffix("").resolve()) if path else name
            for path, name in zip(found, names, strict=True)
        ]


def _choose_data(document: Document, below: Document) -> None:
    """One data set, not one more: where this suite names one, what it extends names none."""
    if "data" in document.data:
        below.data.pop("data", None)
        below.places = {p: at for p, at in below.places.items() if p[:1] != ("data",)}
    theirs = as_mapping(below.data.get("backbones")) or {}
    for label, entry in (as_mapping(document.data.get("backbones")) or {}).items():
        if "data" in (as_mapping(entry) or {}):
            (as_mapping(theirs.get(label)) or {}).pop("data", None)


def _narrow(below: Document, axis: str, chosen: set[str]) -> None:
    """A list of names leaves of a suite that is extended only those, and what it says of them."""
    said = below.data
    for place in ((axis,), ("published", "acc"), ("tune", axis)) if chosen else ():
        node: Any = said
        for key in place[:-1]:
            node = as_mapping(node.get(key)) or {}
        labels = as_mapping(node.get(place[-1])) or {}
        for label in [x for x in labels if x.partition("(")[0] not in {*chosen, "none"}]:
            del labels[label]
    if chosen:
        _narrow_rules(said, axis.removesuffix("s"), chosen)


def _narrow_rules(said: dict[str, Any], field: str, chosen: set[str]) -> None:
    """Includes, excludes and the baseline that speak of what is left."""
    for rules in ("include", "exclude"):
        if rules in said:
            said[rules] = [r for r in as_list(said[rules]) if _about(r, field, chosen)]
    for rule in (r for r in as_list(said.get("exclude")) if as_list(r.get(field))):
        rule[field] = [x for x in rule[field] if str(x).partition("(")[0] in chosen or "*" in x]
    if field == "estimator" and str(said.get("baseline")).partition("(")[0] not in chosen:
        said.pop("baseline", None)


def _about(rule: Any, field: str, chosen: set[str]) -> bool:
    """Does a rule speak of what is left?"""
    value: Any = (as_mapping(rule) or {}).get(field)
    names = [str(x).partition("(")[0] for x in (as_list(value) or [value])]
    return value in (None, "none") or any(name in chosen or "*" in name for name in names)


def _spread(document: Document) -> None:
    """Let `ste`, `[ste, ede]` and `{ste: }` all mean a mapping of names to parameters."""
    for axis in ("estimators", "backbones", "data"):
        if axis in document.data:
            document.data[axis] = _axis(document, document.data[axis], (axis,))
    for entry in (as_mapping(document.data.get("estimators")) or {}).values():
        for role in [r for r in ("W", "A") if isinstance((as_mapping(entry) or {}).get(r), str)]:
            entry[role] = {"plugin": entry[role]}
    for label, entry in (as_mapping(document.data.get("backbones")) or {}).items():
        if as_mapping(entry) and "data" in entry:
            entry["data"] = _axis(document, entry["data"], ("backbones", label, "data"))


def _axis(document: Document, value: Any, path: KeyPath) -> Any:
    names = [value] if isinstance(value, str) else as_list(value)
    if names and all(isinstance(name, str) for name in names):
        for index, name in enumerate(names):
            place = document.places.get((*path, index))
            document.places |= {(*path, name): place} if place else {}
        value = dict.fromkeys(names)
    entries = as_mapping(value)
    return value if entries is None else {k: _entry(v) for k, v in entries.items()}


def _entry(value: Any) -> Any:
    """`{}` for nothing, `{plugin: x}` for the mere name x."""
    return {} if value is None else {"plugin": value} if isinstance(value, str) else value
