"""
A YAML document that remembers where everything stands.

YAML 1.1 as PyYAML reads it surprises: `1e-3` is a string, `10:30` is 630, `on:` is True and
the second of two equal keys silently wins. Here numbers are YAML 1.2's, only true and false
are booleans, and a duplicate key is an error with its line.
"""

import re
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import Any

import yaml
from yaml.scanner import ScannerError

from bench.base.plain_data import KeyPath, as_mapping, dotted
from bench.base.text import CONTROLS
from bench.errors import SuiteError, UsageError

PLAIN = frozenset(
    f"tag:yaml.org,2002:{t}" for t in ("bool", "int", "float", "null", "str", "seq", "map", "merge")
)
MAX_NODES = 100_000  # an alias bomb is a small file with very many nodes
MAX_DEPTH = 100  # of brackets; the scanner's time grows with their square
MAX_LENGTH = 2_000_000  # characters; it reads a tenth of that in a second


class _Loader(yaml.SafeLoader):
    """SafeLoader with YAML 1.2's scalars."""

    def fetch_flow_collection_start(self, TokenClass: Any) -> None:
        if self.flow_level >= MAX_DEPTH:
            what = f"brackets nested more than {MAX_DEPTH} deep"
            raise ScannerError(None, None, what, self.get_mark())  # pyright: ignore
        super().fetch_flow_collection_start(TokenClass)


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
    """Read a decimal, hexadecimal or octal integer."""
    text = loader.construct_scalar(node)
    value = int(text, 0) if text.lower().startswith(("0x", "0o")) else int(text)
    str(value)  # a number too long to print is too long to tell of
    return value


def _float(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> float:
    """Read a number, `.inf` and `.nan` included."""
    return float(
        loader.construct_scalar(node).lower().replace(".inf", "inf").replace(".nan", "nan")
    )


_Loader.add_constructor("tag:yaml.org,2002:int", _int)
_Loader.add_constructor("tag:yaml.org,2002:float", _float)


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, and the path in the document where it stands."""

    path: KeyPath
    message: str
    place: str = ""  # where, if not where the path stands


@dataclass(frozen=True)
class Document:
    """
    Plain data, and the place of every key and item: `file:line:column`.

    A document is a value: whoever needs another makes another, and leaves this one as it is.
    """

    source: str
    data: Any
    places: Mapping[KeyPath, str]

    def where(self, path: KeyPath) -> str:
        """Return the place of `path`, or of the nearest thing above it that stands in the file."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path, self.source)

    def report(self, problems: Iterable[Problem]) -> str:
        """Write a line per problem, `file:line:column: path: what is wrong`, in file order."""
        lines = dict.fromkeys(
            f"{p.place or self.where(p.path)}: {dotted(p.path)}{': ' if p.path else ''}{p.message}"
            for p in problems
        )
        return "\n".join(sorted(lines, key=_line_number))

    def completed_by(self, data: Mapping[str, Any], places: Mapping[KeyPath, str]) -> "Document":
        """Take from `data` what is not said here; mappings merge, anything else is replaced."""
        own = {path for path in self.places if as_mapping(_value_at(self.data, path)) is None}
        taken = {
            path: place
            for path, place in places.items()
            if not any(path[:i] in own for i in range(1, len(path) + 1))
        }
        return Document(self.source, _merged(self.data, data), taken | dict(self.places))


def parse(text: str, source: str) -> Document:
    """
    Read YAML text.

    Raises:
        SuiteError: not YAML, a tag that is not plain data, a duplicate key, or too much of it.
    """
    if len(text) > MAX_LENGTH:
        message = f"{source}: more than {MAX_LENGTH:,} characters"
        raise SuiteError(message)
    loader = None
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
        if root is None:
            return Document(source, None, {(): f"{source}:1:1"})
        scan = _Places(source)
        problems = scan.visit(root, ())
        if problems:
            raise SuiteError(Document(source, None, scan.places).report(problems))
        return Document(source, _unshared(loader.construct_document(root)), scan.places)
    except yaml.YAMLError as error:
        raise SuiteError(_yaml_message(error, source)) from None
    except RecursionError:
        message = f"{source}: not readable as YAML: nested too deep"
        raise SuiteError(message) from None
    except (ValueError, KeyError) as error:  # a number that is too long
        message = f"{source}: not readable as YAML: {' '.join(str(error).split())}"
        raise SuiteError(message) from None
    finally:
        if loader:
            loader.dispose()


def parse_settings(texts: Iterable[str], example: str) -> dict[str, Any]:
    """
    Parse parameters as a command line gives them, `KEY=VALUE` with the value in YAML.

    `example` is one, for errors.

    Raises:
        UsageError: one of another form, or a key given twice.
        SuiteError: a value that is not YAML.
    """
    values: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            message = f"`{text}`: expected KEY=VALUE, as in {example}"
            raise UsageError(message)
        if key in values:
            message = f"`{text}`: {key} is given twice"
            raise UsageError(message)
        values[key] = parse(value, f"`{text}`").data
    return values


def read(path: Path) -> Document:
    """
    Read a YAML file.

    Raises:
        SuiteError: no file or unreadable, not UTF-8, in a place that cannot be printed, or as
            `parse`.
    """
    if CONTROLS.search(str(path)):
        message = f"{path}: its name holds a control character; rename it"
        raise SuiteError(message)
    try:
        status = path.stat()
        if not (S_ISREG(status.st_mode) or S_ISDIR(status.st_mode)):  # a pipe may never end
            message = f"{path}: not a regular file"
            raise SuiteError(message)
        if status.st_size > 4 * MAX_LENGTH:  # bytes of a character
            message = f"{path}: more than {MAX_LENGTH:,} characters"
            raise SuiteError(message)
        return parse(path.read_text(encoding="utf-8"), str(path))
    except OSError as error:
        message = f"{path}: {error.strerror}"
        raise SuiteError(message) from None
    except UnicodeDecodeError as error:
        message = f"{path}: not UTF-8 text: {error.reason} at byte {error.start}"
        raise SuiteError(message) from None


def _unshared(value: Any) -> Any:
    """Copy a value so that no two places share one mapping or list, as aliases do."""
    if isinstance(value, dict):
        return {k: _unshared(v) for k, v in value.items()}  # pyright: ignore
    return [_unshared(v) for v in value] if isinstance(value, list) else value  # pyright: ignore


def _merged(data: Any, base: Any) -> Any:
    """Complete `data` by `base`: the keys of mappings, those of `base` that are not here first."""
    own, other = as_mapping(data), as_mapping(base)
    if own is None or other is None:
        return data
    both = {k: _merged(v, other[k]) if k in other else v for k, v in own.items()}
    return {k: v for k, v in other.items() if k not in own} | both


def _value_at(data: Any, path: KeyPath) -> Any:
    """Return the value at `path`, None if mappings do not lead there."""
    for key in path:
        data = (as_mapping(data) or {}).get(str(key))
    return data


class _Places:
    """Notes the place of every node, and finds duplicate keys and alias bombs."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.places: dict[KeyPath, str] = {(): f"{source}:1:1"}
        self.nodes = 0
        self.within: list[yaml.Node] = []  # what the node that is visited stands in

    def visit(self, node: yaml.Node, path: KeyPath) -> list[Problem]:
        """Note the place of a node and of all below it; return what is wrong there."""
        self.nodes += 1
        if self.nodes > MAX_NODES:
            message = f"{self.source}: more than {MAX_NODES} nodes after its aliases"
            raise SuiteError(message)
        if node.tag not in PLAIN:
            raise yaml.constructor.ConstructorError(
                None,
                None,
                f"could not determine a constructor for the tag {node.tag!r}",
                node.start_mark,
            )
        _refuse_controls(node)
        if any(node is outer for outer in self.within):
            message = f"{self._place(node)}: {dotted(path)}: an alias that holds itself"
            raise SuiteError(message)
        self.places.setdefault(path, self._place(node))
        self.within.append(node)
        problems: list[Problem] = []
        if isinstance(node, yaml.SequenceNode):
            problems = [p for i, x in enumerate(node.value) for p in self.visit(x, (*path, i))]
        if isinstance(node, yaml.MappingNode):
            problems = self._mapping(node, path)
        self.within.pop()
        return problems

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> list[Problem]:
        """Note the places of keys and visit their values."""
        problems: list[Problem] = []
        first: dict[Hashable, str] = {}
        for key_node, value in node.value:
            _refuse_controls(key_node)
            key = _key(key_node)
            kind = (key_node.tag, key)
            here = (*path, key)
            if kind in first:
                message = f"duplicate key, first at {first[kind]}"
                problems.append(Problem(here, message, self._place(key_node)))
            first.setdefault(kind, self._place(key_node))
            self.places[here] = self._place(key_node)
            problems += self.visit(value, here)
        return problems

    def _place(self, node: yaml.Node) -> str:
        """Return where a node stands: `file:line:column`."""
        mark = node.start_mark
        return f"{self.source}:{mark.line + 1}:{mark.column + 1}"


def _refuse_controls(node: yaml.Node) -> None:
    """Refuse a word that could command a terminal, or that no file can hold."""
    if isinstance(node, yaml.ScalarNode) and (found := CONTROLS.search(node.value)):
        what = f"U+{ord(found[0]):04X} is no character of a text"
        raise yaml.constructor.ConstructorError(None, None, what, node.start_mark)


def _key(node: yaml.Node) -> Hashable:
    """Return a mapping's key as `construct_document` will; `?` if it is no scalar."""
    if not isinstance(node, yaml.ScalarNode):
        return "?"
    if node.tag != "tag:yaml.org,2002:int":
        return str(node.value)
    return int(node.value, 0 if node.value.startswith("0x") or node.value.startswith("0o") else 10)


def _yaml_message(error: yaml.YAMLError, source: str) -> str:
    """Say on one line what is not YAML, and where."""
    mark = getattr(error, "problem_mark", None)
    place = f"{source}:{mark.line + 1}:{mark.column + 1}" if mark else source
    problem = getattr(error, "problem", None) or str(error).partition("\n")[0]
    return f"{place}: not YAML: {problem}"


def _line_number(line: str) -> tuple[int, int, str]:
    """Sort a line of a report by the line and column that it names; first if it names none."""
    place = re.match(r".*?:(\d+):(\d+): ", line)
    return (int(place[1]), int(place[2]), line) if place else (0, 0, line)
