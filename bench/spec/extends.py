"""`extends: NAME`: what a suite does not say it takes from another, and that from a third."""

from pathlib import Path
from typing import Any

from bench.base.files import is_file
from bench.base.plain_data import KeyPath, as_list, as_mapping
from bench.base.yaml_document import Document
from bench.errors import SuiteError
from bench.spec.published import find as find_ledger
from bench.spec.short_forms import listed_labels, spell_out
from bench.spec.suite_file import SHIPPED, find, read_suite


def extend(
    document: Document, listed: dict[str, set[str]], extended_by: tuple[Path, ...] = ()
) -> Document:
    """
    Complete a suite by the one that it extends, which its own base completes first.

    Args:
        document: the suite, spelled out.
        listed: the labels of the axes that it writes as a list of names. Such a list chooses:
            other labels of the base are dropped, with what the base says of them.
        extended_by: the files that led here, which must not come again.

    Raises:
        SuiteError: the base is not there or is no suite, or the chain is a circle.
    """
    name = document.data.get("extends")
    if not isinstance(name, str):
        return document
    path = Path(document.source)
    try:
        base = _read_base(path, name, (*extended_by, path.resolve()))
    except SuiteError as error:
        message = f"{document.where(('extends',))}: extends: {error}"
        raise SuiteError(message) from None
    base = _without_replaced_data(_with_absolute_paths(base), document)
    for axis, labels in listed.items():
        base = _with_labels(base, axis, labels)
    return document.completed_by(base)


def _read_base(path: Path, name: str, chain: tuple[Path, ...]) -> Document:
    """Read the suite called `name`, beside `path` or shipped, completed by what it extends."""
    beside = [path.parent / name, path.parent / f"{name}.yaml"]
    base = find(next((p for p in beside if is_file(p)), Path(name)))
    if base.resolve() in chain:
        message = f"`{name}` extends this suite"
        raise SuiteError(message)
    written = read_suite(base)
    return extend(spell_out(written), listed_labels(written), chain)


def _with_absolute_paths(base: Document) -> Document:
    """Name plugins and ledgers beside the base so that they are found from any suite."""
    home = Path(base.source).parent
    if folders := _words(base.data.get("plugins")):
        paths = [str((home / str(folder)).resolve()) for folder in folders]
        base = base.with_value(("plugins",), paths)
    ledgers = _words(base.data.get("published"))
    if ledgers and home.resolve() != SHIPPED.resolve():
        files = [find_ledger(str(name), home / "published") for name in ledgers]
        names = [
            str(file.with_suffix("").resolve()) if file else name
            for file, name in zip(files, ledgers, strict=True)
        ]
        base = base.with_value(("published",), names)
    return base


def _words(value: Any) -> list[Any]:
    """Return the items of a list, or the one word in its place."""
    return [value] if isinstance(value, str) else as_list(value)


def _without_replaced_data(base: Document, document: Document) -> Document:
    """Drop the data set of the base where `document` names one: there is one, not one more."""
    if "data" in document.data:
        base = base.without("data")
    entries = as_mapping(base.data.get("backbones"))
    if entries is None:
        return base
    others = as_mapping(document.data.get("backbones")) or {}
    replaced = {label for label, entry in others.items() if "data" in (as_mapping(entry) or {})}
    changed = {
        label: {key: value for key, value in entries[label].items() if key != "data"}
        for label in replaced & entries.keys()
        if as_mapping(entries[label]) is not None
    }
    return base.with_value(("backbones",), entries | changed)


def _with_labels(base: Document, axis: str, labels: set[str]) -> Document:
    """Leave of one axis of the base these labels, their matrices, and what is said of them."""
    by_label: list[KeyPath] = [(axis,), ("published", "acc"), ("tune", axis)]
    for path in by_label:
        entries = as_mapping(base.value(path))
        if entries is not None:
            kept = {k: v for k, v in entries.items() if _plain(k) in {*labels, "none"}}
            base = base.with_value(path, kept)
    return _with_rules(base, axis.removesuffix("s"), labels)


def _with_rules(base: Document, field: str, labels: set[str]) -> Document:
    """Leave the includes, excludes and the baseline that speak of these labels."""
    for key in ("include", "exclude"):
        if key in base.data:
            rules = [r for r in as_list(base.data[key]) if _speaks_of(r, field, labels)]
            if key == "exclude":
                rules = [_narrowed(rule, field, labels) for rule in rules]
            base = base.with_value((key,), rules)
    if field == "estimator" and _plain(base.data.get("baseline")) not in labels:
        return base.without("baseline")
    return base


def _speaks_of(rule: Any, field: str, labels: set[str]) -> bool:
    """Does a rule speak of one of these labels, or of all?"""
    value: Any = (as_mapping(rule) or {}).get(field)
    if value in (None, "none"):
        return True
    names = [_plain(name) for name in (as_list(value) or [value])]
    return any(name in labels or "*" in name for name in names)


def _narrowed(rule: Any, field: str, labels: set[str]) -> Any:
    """Leave of the labels that a rule lists these; patterns stay."""
    names = as_list((as_mapping(rule) or {}).get(field))
    if not names:
        return rule
    return rule | {field: [n for n in names if _plain(n) in labels or "*" in str(n)]}


def _plain(label: Any) -> str:
    """Return a label without the values of its matrix: `reste` of `reste(o_end=2)`."""
    return str(label).partition("(")[0]
