"""
Suites on disk: found by path or by name, read as YAML with those that they extend.

The comment that heads a suite is its question.
"""

import itertools
from pathlib import Path

from bench.base.files import is_file, real_path
from bench.base.python_files import shipped
from bench.base.text import suggest
from bench.base.yaml_document import Document, read
from bench.errors import SuiteError

SHIPPED = shipped("suites")  # with the package


def find_suite(path: Path) -> Path:
    """
    Find the suite on disk, else the one of that name shipped with the package.

    In a checkout a shipped one is `suites/NAME.yaml`, which plans that are committed may say.

    Raises:
        SuiteError: neither is there.
    """
    bare = path.parent in {Path(), Path("suites")}  # only a name, not a wrong path
    spelled = (path.name, f"{path.name}.yaml") if bare else ()
    here = Path("suites")
    home = here if real_path(here) == real_path(SHIPPED) else SHIPPED
    written = [path.with_name(path.name + end) for end in (".yaml", ".yml")] if path.name else []
    for candidate in (path, *(home / name for name in spelled), *written):
        if is_file(candidate):
            return candidate
    names = sorted(p.stem for p in SHIPPED.glob("*.yaml"))
    message = f"no suite at `{path}`{suggest(path.stem, names)}; `bench list suites` names them"
    raise SuiteError(message)


def read_chain(path: Path) -> list[Document]:
    """
    Read the suite at `path`, or of that name, then the one that it extends, and so on.

    Returns what each file says for itself, the extending before the extended.

    Raises:
        SuiteError: no such file, not YAML, not a mapping, or a suite that extends itself; the line
            of each `extends` that leads there is named.
    """
    return _with_bases(_read(find_suite(path)), ())


def _with_bases(suite: Document, extended_by: tuple[Path, ...]) -> list[Document]:
    """List a suite and what it extends; the files `extended_by` must not come again."""
    name = suite.data.get("extends")
    if not isinstance(name, str):
        return [suite]
    path = Path(suite.source)
    seen = (*extended_by, real_path(path))
    beside = [path.parent / name, path.parent / f"{name}.yaml"]
    try:
        base = find_suite(next((p for p in beside if is_file(p)), Path(name)))
        if real_path(base) in seen:
            message = f"`{name}` extends this suite"
            raise SuiteError(message)
        return [suite, *_with_bases(_read(base), seen)]
    except SuiteError as error:
        message = f"{suite.where(('extends',))}: extends: {error}"
        raise SuiteError(message) from None


def _read(path: Path) -> Document:
    """Read what the file itself says, which must be a mapping."""
    document = read(path)
    if not isinstance(document.data, dict):
        message = f"{document.source}:1:1: a suite is a mapping; `bench schema` describes it"
        raise SuiteError(message)
    return document


def read_question(path: Path) -> list[str]:
    """Return the lines of the comment that heads a suite, the editor's aside: what it asks."""
    lines = path.read_text(encoding="utf-8").splitlines()
    head = itertools.takewhile(lambda line: line.startswith("#"), lines)
    return [line.lstrip("# ") for line in head if "yaml-language-server" not in line]
