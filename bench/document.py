"""
A YAML document that remembers where everything stands.

YAML 1.1 as PyYAML reads it surprises: `1e-3` is a string, `10:30` is 630, `on:` is True and
the second of two equal keys silently wins. Here numbers are YAML 1.2's, only true and false
are booleans, and a duplicate key is an error with its line.
"""

import difflib
import re
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from bench.errors import SuiteError

Path_: TypeAlias = tuple[Hashable, ...]
MAX_NODES = 100_000  # an alias bomb is a small file with very many nodes


class _Loader(yaml.SafeLoader):
    """SafeLoader with YAML 1.2's scalars."""


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?[0-9]+|0x[0-9a-fA-F]+|0o[0-7]+", "-+0123456789"),
    (
        "float",
        r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
        r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        "-+.0123456789",
    ),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("merge", r"<<", "<"),
):
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_pattern})$"), list(_first)
    )


def _int(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> int:
    text = loader.construct_scalar(node)
    return int(text, 0) if text.lower().startswith(("0x", "0o")) else int(text)


def _float(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> float:
    return float(
        loader.construct_scalar(node).lower().replace(".inf", "inf").replace(".nan", "nan")
    )


_Loader.add_constructor("tag:yaml.org,2002:int", _int)
_Loader.add_constructor("tag:yaml.org,2002:float", _float)


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, and the path in the document where it stands."""

    path: Path_
    message: str
    place: str = ""  # where, if not where the path stands


@dataclass
class Document:
    """Plain data, and the place of every key and item: `file:line:column`."""

    source: str
    data: Any
    places: dict[Path_, str] = field(default_factory=dict[Path_, str])

    def where(self, path: Path_) -> str:
        """The place of `path`, or of the nearest thing above it that stands in the file."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path, self.source)

    def report(self, problems: Iterable[Problem]) -> str:
        """One line per problem, `file:line:column: path: what is wrong`, in file order."""
        lines = dict.fromkeys(
            f"{p.place or self.where(p.path)}: {dotted(p.path)}{': ' if p.path else ''}{p.message}"
            for p in problems
        )
        return "\n".join(sorted(lines, key=_line_number))

    def override(self, text: str) -> None:
        """
        Set one value by `key.path=value`, the value in YAML.

        Raises:
            SuiteError: `text` has no `=`, its value is not YAML, or a part of its path is not
                a mapping or a list index.
        """
        key, equals, value = text.partition("=")
        place = f"override `{text}`"
        if not equals or not all(key.split(".")):
            message = f"{place}: expected `key.path=value`, as in `train.epochs=3`"
            raise SuiteError(message)
        path: Path_ = tuple(int(k) if k.isdigit() else k for k in key.split("."))
        parent = self._parent(path, place)
        fresh = parse(value, place)
        parent[path[-1]] = fresh.data
        self.places = {p: at for p, at in self.places.items() if p[: len(path)] != path}
        self.places |= {path + p: place for p in fresh.places} | {path: place}

    def _parent(self, path: Path_, place: str) -> Any:
        """The mapping or list that holds the last key of `path`; mappings on the way are made."""
        node: Any = self.data
        for depth, key in enumerate(path):
            keyed = mapping(node)
            listed = items(node)
            if keyed is None and not (isinstance(key, int) and key < len(listed)):
                what = dotted(path[:depth]) or "the suite"
                message = f"{place}: `{what}` is not a mapping, so it has no `{key}`"
                raise SuiteError(message)
            if depth == len(path) - 1:
                break
            if keyed is not None and keyed.get(str(key)) is None:
                keyed[str(key)] = {}
            node = keyed[str(key)] if keyed is not None else listed[int(str(key))]
        return node


def parse(text: str, source: str) -> Document:
    """
    Read YAML text.

    Raises:
        SuiteError: not YAML, a tag that is not plain data, a duplicate key, or too many nodes.
    """
    loader = _Loader(text)
    try:
        root = loader.get_single_node()
        document = Document(source, None, {(): f"{source}:1:1"})
        if root is not None:
            problems = _Walk(document).visit(root, ())
            if problems:
                raise SuiteError(document.report(problems))
            document.data = loader.construct_document(root)
    except yaml.YAMLError as error:
        raise SuiteError(_yaml_message(error, source)) from None
    except (RecursionError, ValueError) as error:
        message = f"{source}: not readable as YAML: {type(error).__name__}: {error}"
        raise SuiteError(message) from None
    finally:
        loader.dispose()
    return document


def read(path: Path) -> Document:
    """
    Read a YAML file.

    Raises:
        SuiteError: unreadable, not UTF-8, or as `parse`.
    """
    try:
        return parse(path.read_text(encoding="utf-8"), str(path))
    except OSError as error:
        message = f"{path}: {error.strerror}"
        raise SuiteError(message) from None
    except UnicodeDecodeError as error:
        message = f"{path}: not UTF-8 text: {error.reason} at byte {error.start}"
        raise SuiteError(message) from None


def mapping(value: Any) -> dict[str, Any] | None:
    """`value` if it is a mapping, else None."""
    return value if isinstance(value, dict) else None  # pyright: ignore


def items(value: Any) -> list[Any]:
    """The items of a list, none of anything else."""
    return value if isinstance(value, list) else []  # pyright: ignore


def dotted(path: Path_) -> str:
    """`estimators.reste.o_end`."""
    return ".".join(str(key) for key in path)


def suggest(word: str, known: Iterable[str]) -> str:
    """`; did you mean `x`?`, or the known words where none is near."""
    words = [str(w) for w in known]
    close = difflib.get_close_matches(word, words, n=1, cutoff=0.5)
    if close:
        return f"; did you mean `{close[0]}`?"
    return f"; known: {', '.join(words)}" if words else ""


class _Walk:
    """Notes the place of every node, and finds duplicate keys and alias bombs."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.seen = 0

    def visit(self, node: yaml.Node, path: Path_) -> list[Problem]:
        self.seen += 1
        if self.seen > MAX_NODES:
            message = f"{self.document.source}: more than {MAX_NODES} nodes after its aliases"
            raise SuiteError(message)
        self.document.places.setdefault(path, self._place(node))
        if isinstance(node, yaml.SequenceNode):
            return [p for i, item in enumerate(node.value) for p in self.visit(item, (*path, i))]
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        return []

    def _mapping(self, node: yaml.MappingNode, path: Path_) -> list[Problem]:
        problems: list[Problem] = []
        first: dict[Hashable, str] = {}
        for key_node, value in node.value:
            key = _key(key_node)
            here = (*path, key)
            if key in first:
                message = f"duplicate key, first at {first[key]}"
                problems.append(Problem(here, message, self._place(key_node)))
            first.setdefault(key, self._place(key_node))
            self.document.places[here] = self._place(key_node)
            problems += self.visit(value, here)
        return problems

    def _place(self, node: yaml.Node) -> str:
        mark = node.start_mark
        return f"{self.document.source}:{mark.line + 1}:{mark.column + 1}"


def _key(node: yaml.Node) -> Hashable:
    if not isinstance(node, yaml.ScalarNode):
        return "?"
    return int(node.value) if node.tag.endswith(":int") else str(node.value)


def _yaml_message(error: yaml.YAMLError, source: str) -> str:
    mark = getattr(error, "problem_mark", None)
    place = f"{source}:{mark.line + 1}:{mark.column + 1}" if mark else source
    return f"{place}: not YAML: {getattr(error, 'problem', None) or error}"


def _line_number(line: str) -> tuple[int, str]:
    found = re.match(r".*?:(\d+):\d+: ", line)
    return (int(found[1]) if found else 0, line)
