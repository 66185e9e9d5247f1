"""How the code is laid out: its packages, their doors, and the size of its parts."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import doors
import grimp
import pytest

import bench
from bench.cli import app

HOME = Path(bench.__file__).parent
FILES = sorted(HOME.rglob("*.py"))
PACKAGES = sorted(p.parent for p in HOME.glob("*/__init__.py") if p.parent != HOME / "shipped")
ROOT = {"__init__.py", "__main__.py", "errors.py", "plugin.py", "registry.py"}
COMMANDS = {(f.__module__.split(".")[-1], f.__name__) for f in app.FUNCTIONS}
LONGEST = {"file": 400, "class": 200, "function": 60}  # lines; a sign that a thing has two jobs


def test_the_root_holds_five_files() -> None:
    """What is not in a package is one of the five files that everybody knows."""
    assert {path.name for path in HOME.glob("*.py")} == ROOT


def test_tests_mirror_the_packages() -> None:
    """The tests of a package are in the folder of its name."""
    tests = Path(__file__).parent

    assert [p.name for p in PACKAGES if not any((tests / p.name).glob("**/test_*.py"))] == []


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_a_package_says_what_it_is(package: Path) -> None:
    """Its `__init__` is a docstring: what it is for, its doors, and what it never does."""
    tree = ast.parse((package / "__init__.py").read_text(encoding="utf-8"))
    text = ast.get_docstring(tree) or ""

    assert len(tree.body) == 1
    assert re.search(r"^Doors: .*\.$", text, re.MULTILINE | re.DOTALL)
    assert re.search(r"^Never: .*\.$", text, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    """Which module imports which."""
    return grimp.build_graph("bench", cache_dir=None)


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_every_door_is_used(package: Path, graph: grimp.ImportGraph) -> None:
    """A door that nobody outside imports is no door."""
    name = f"bench.{package.name}"
    used = {
        doors.inner("bench", module)[1]
        for module in graph.find_descendants(name)
        if any(
            doors.inner("bench", other)[0] != name
            for other in graph.find_modules_that_directly_import(module)
        )
    }

    assert doors.doors(name) == used


def test_an_import_beside_the_doors_is_found() -> None:
    """The contract sees an import of a file that is no door, and no other."""
    graph = grimp.build_graph("bench", cache_dir=None)
    graph.add_import(importer="bench.cli.app", imported="bench.nn.tap")

    assert doors.broken(graph, "bench") == {("bench.cli.app", "bench.nn.tap")}


def test_the_map_names_every_package_and_door() -> None:
    """DESIGN.md's map says of every package the doors that its docstring names."""
    text = (HOME.parent / "DESIGN.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)/` \| [^|]* \| ([^|]*) \|", text, re.MULTILINE))

    assert rows.keys() == {p.name for p in PACKAGES}
    for package in PACKAGES:
        named = set(re.findall(r"`([\w.]+)`", rows[package.name]))
        assert named == doors.doors(f"bench.{package.name}"), package.name


def _parts(path: Path) -> Iterator[tuple[str, str, int]]:
    """
    Of a file and all its classes and functions: kind, name, lines.

    Commands, and the functions that `import bench` gives, are aside: each option takes lines.
    """
    text = path.read_text(encoding="utf-8")
    yield "file", path.relative_to(HOME).as_posix(), text.count("\n")
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ClassDef):
            yield "class", node.name, (node.end_lineno or 0) - node.lineno + 1
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or 0) - node.lineno + 1
            given = path.parent.name == "api" and node.name in bench.__all__
            if (path.stem, node.name) not in COMMANDS and not given:
                yield "function", node.name, lines


def test_nothing_is_too_long() -> None:
    """No function over 60 lines, no class over 200, no file over 400: it would have two jobs."""
    long = [
        (path.name, kind, name, lines)
        for path in FILES
        for kind, name, lines in _parts(path)
        if lines > LONGEST[kind]
    ]

    assert long == []


def test_no_module_is_imported_under_an_older_name() -> None:
    """`import x as y` hides what x is called; names that clash are imported by themselves."""
    renamed = [
        f"{path.name}: {alias.name} as {alias.asname}"
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("bench")
        for alias in node.names
        if alias.asname
    ]

    assert renamed == []
