"""
An import contract: from outside of a package only its doors are imported.

A package's doors are the files that its docstring names after `Doors:`, up to the next full stop
at the end of a line; all its other files are its own. So a new file needs no line anywhere, and
one that others are to import is named where they look for it.
"""

import re
from importlib.util import find_spec
from pathlib import Path

import grimp
from importlinter import Contract, ContractCheck, fields, output


def doors(package: str) -> set[str]:
    """The files that a package's docstring names as its doors, below the package."""
    spec = find_spec(package)
    text = Path(spec.origin).read_text(encoding="utf-8") if spec and spec.origin else ""
    named = re.search(r"^Doors: (.*?)\.$", text, re.MULTILINE | re.DOTALL)
    return set(re.findall(r"[\w.]+", named[1])) if named else set()


def inner(root: str, name: str) -> tuple[str, str]:
    """The package of `root` that holds a module, and the module's name below it."""
    package, _, below = name.removeprefix(f"{root}.").partition(".")
    return f"{root}.{package}", below


def broken(graph: grimp.ImportGraph, root: str) -> set[tuple[str, str]]:
    """Importer and imported, of every import that does not go through a door."""
    packages = {p for p in graph.find_children(root) if graph.find_children(p)}
    found: set[tuple[str, str]] = set()
    for package in packages:
        open_ = doors(package)
        for module in graph.find_descendants(package):
            if inner(root, module)[1] not in open_:
                found |= {(x, module) for x in graph.find_modules_that_directly_import(module)}
    return {(a, b) for a, b in found if inner(root, a)[0] != inner(root, b)[0]}


class DoorsContract(Contract):
    """
    The contract; `root` is the package whose packages have doors.

    A door that nobody uses breaks it, too: the docstring then says more than is true.
    """

    type_name = "doors"

    root = fields.StringField()

    def check(self, graph: grimp.ImportGraph, verbose: bool) -> ContractCheck:
        root = str(self.root)
        wrong = sorted(broken(graph, root))
        return ContractCheck(kept=not wrong, metadata={"wrong": wrong})

    def render_broken_contract(self, check: ContractCheck) -> None:
        for importer, module in check.metadata["wrong"]:
            output.print_error(f"{importer} imports {module}, which is no door of its package")
