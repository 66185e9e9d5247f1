"""
Which files a piece of Python code consists of: found by reading, without running any of it.

A file's own imports are followed where they lead to somebody's own code: to files beside it, or to
what lies on Python's path and is not installed. Libraries, which are installed, are not followed.
"""

import ast
import importlib.machinery
import site
import sys
import sysconfig
import warnings
from collections.abc import Iterator
from functools import cache, lru_cache
from pathlib import Path
from typing import TypeAlias

from bench.base.files import read_small, real_path
from bench.shipped import HOME

# level of dots, module, names that are imported from it
Import: TypeAlias = tuple[int, str, tuple[str, ...]]
LIBRARY = frozenset({"bench", *sys.stdlib_module_names})  # never followed
COMPILED = {".pyc", ".pyo"}
MOST_FILES = 2_000  # of a package; those beyond it are not looked at


def shipped(name: str) -> Path:
    """The folder of what ships, `estimators`, `backbones` or `suites`, wherever that lies."""
    return HOME / name


def follow_imports(file: Path) -> dict[str, Path]:
    """
    The own code that a file imports, and what that imports, by module name; the file is not in it.

    A name that Python's path does not have is looked for beside the file.
    """
    found: dict[str, Path] = {}
    waiting: list[tuple[Path, tuple[str, ...]]] = [(file, ())]
    while waiting:
        path, package = waiting.pop()
        for name, target in _imported(path, package, file.parent):
            if name not in found and target != file:
                found[name] = target
                inner = tuple(name.split("."))
                waiting.append((target, inner if target.name == "__init__.py" else inner[:-1]))
    return found


def package_files(package: Path) -> dict[str, Path]:
    """Every file of a package but what Python compiles and what is hidden, by its path in it."""
    found: dict[str, Path] = {}
    for path in sorted(package.rglob("*")):
        parts = path.relative_to(package.parent).parts
        hidden = any(part.startswith(".") or part == "__pycache__" for part in parts)
        if not hidden and path.suffix not in COMPILED and path.is_file():
            found["/".join(parts)] = path
        if len(found) >= MOST_FILES:
            break
    return found


def find_beside(name: str, folder: Path) -> Path | None:
    """The file that a module or package of that name is in a folder."""
    for path in (folder / name / "__init__.py", folder / f"{name}.py"):
        if path.is_file():
            return path
    return None


def find_own(name: str) -> Path | None:
    """The file of a top-level module on Python's path that is somebody's own and no library."""
    if name in LIBRARY:
        return None
    try:
        spec = importlib.machinery.PathFinder.find_spec(name)
    except (ImportError, ValueError):
        return None
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        return None
    path = Path(spec.origin)
    return None if is_installed(path) else path


def is_on_path(name: str) -> bool:
    """Does Python's path have a module of that name, of whatever kind?"""
    if name in sys.builtin_module_names or name in LIBRARY:
        return True
    try:
        return importlib.machinery.PathFinder.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


@cache
def _installed() -> tuple[Path, ...]:
    """Where libraries are installed; the shipped plugins are followed wherever they lie."""
    keys = ("stdlib", "platstdlib", "purelib", "platlib")
    folders = [sysconfig.get_path(key) for key in keys]
    folders += [*site.getsitepackages(), site.getusersitepackages()]
    return tuple(real_path(Path(folder)) for folder in folders)


def is_installed(path: Path) -> bool:
    """Is a file a library's, and not somebody's own or a shipped plugin?"""
    real = real_path(path)
    ours = (shipped("estimators"), shipped("backbones"))
    if any(real.is_relative_to(home) for home in ours):
        return False
    return any(real.is_relative_to(folder) for folder in _installed())


def _imported(path: Path, package: tuple[str, ...], beside: Path) -> Iterator[tuple[str, Path]]:
    """Name and file of each module of somebody's own that a file imports itself."""
    try:
        code = read_small(path)
    except OSError:
        return
    for level, module, names in list_imports(code):
        words = tuple(filter(None, module.split(".")))
        if level:  # relative: to its package, or to the folder of a file that is in none
            above = min(level - 1, len(path.parents) - 1)
            up = package[: max(len(package) - above, 0)]
            yield from _below(path.parents[above], up, words, names)
        elif words and (top := _find_top(words[0], beside)):
            yield words[0], top
            if top.name == "__init__.py":
                yield from _below(top.parent, words[:1], words[1:], names)


def _find_top(name: str, beside: Path) -> Path | None:
    """The own file of a top-level name: on Python's path, else beside the plugin."""
    return find_own(name) or (None if is_on_path(name) else find_beside(name, beside))


def _below(
    home: Path, package: tuple[str, ...], words: tuple[str, ...], names: tuple[str, ...]
) -> Iterator[tuple[str, Path]]:
    """The modules on the way from a package's folder to a name in it, and what it names there."""
    for word in words:
        file = find_beside(word, home)
        if file is None:
            return
        package = (*package, word)
        yield ".".join(package), file
        if file.name != "__init__.py":
            return
        home = file.parent
    for name in names:
        file = find_beside(name, home)
        if file is not None:
            yield ".".join((*package, name)), file


def parse_code(code: bytes) -> ast.Module | None:
    """Parse a file that may be anybody's, without its warnings; None: it is no Python."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a stranger's backslashes
            return ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


@lru_cache(maxsize=1024)
def list_imports(code: bytes) -> tuple[Import, ...]:
    """Every import of a file, inside of functions, too; none of what is no Python."""
    tree = parse_code(code)
    if tree is None:
        return ()
    found: list[Import] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(0, alias.name, ()) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = tuple(alias.name for alias in node.names)
            found.append((node.level, node.module or "", names))
    return tuple(found)
