"""
Files outside of Python's path, imported as modules that may import what lies beside them.

What is beside a file is found by its name where Python's path has no such name, and with a dot
before the name in any case.
"""

import hashlib
import importlib
import importlib.abc
import importlib.util
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

from bench.base.files import read_small, real_path
from bench.base.python_files import LIBRARY, find_beside, is_installed, list_imports


def import_file(file: Path) -> ModuleType:
    """
    Import a file, once more if it was before.

    Raises:
        ImportError: what lies beside it has the name of another module that is imported.
        OSError: it is no file, but a pipe or device, of which a read might never end.
        Exception: whatever the file raises.
    """
    read_small(file)
    folder = hashlib.sha256(str(file.parent).encode(errors="surrogateescape")).hexdigest()[:8]
    name = f"bench_local.{file.parent.name}_{folder}.{file.stem}"
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # pydantic resolves annotations through it
    home = name.rpartition(".")[0]
    sys.modules.setdefault(home, _folder_as_package(home, file.parent))
    try:
        with _NEIGHBOURS.of(file.parent), _no_bytecode():
            spec.loader.exec_module(module)
        _refuse_other_neighbours(file)
    except BaseException:
        del sys.modules[name]
        raise
    return module


@contextmanager
def _no_bytecode() -> Generator[None, None, None]:
    """Keep no compiled form: it tells by seconds and size alone whether its file was edited."""
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        yield
    finally:
        sys.dont_write_bytecode = before


def _folder_as_package(name: str, folder: Path) -> ModuleType:
    """A package whose modules are the files of a folder, for imports with a dot before the name."""
    package = ModuleType(name)
    package.__path__ = [str(folder)]
    return package


class _Neighbours(importlib.abc.MetaPathFinder):
    """Finds files beside local plugins by their names, where Python's path has no such name."""

    def __init__(self) -> None:
        self.folders: list[Path] = []  # the one whose file is imported first

    @contextmanager
    def of(self, folder: Path) -> Generator[None, None, None]:
        """Look into this folder first, and from now on."""
        if self not in sys.meta_path:
            sys.meta_path.append(self)  # the last: what is installed goes before
        self.folders = [folder, *(f for f in self.folders if f != folder)]
        importlib.invalidate_caches()
        yield

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None, /
    ) -> ModuleSpec | None:
        if path is not None or "." in fullname:
            return None
        for folder in self.folders:
            if file := find_beside(fullname, folder):
                places = [str(file.parent)] if file.name == "__init__.py" else None
                return importlib.util.spec_from_file_location(
                    fullname, file, submodule_search_locations=places
                )
        return None


_NEIGHBOURS = _Neighbours()


def _refuse_other_neighbours(file: Path) -> None:
    """
    Refuse a plugin that got another own module than the file of that name beside it.

    Raises:
        ImportError: it did, and which.
    """
    for level, module, _ in list_imports(file.read_bytes()):
        top = module.partition(".")[0]
        beside = None if level or not top else find_beside(top, file.parent)
        got = getattr(sys.modules.get(top), "__file__", None)
        if not (beside and got) or top in LIBRARY or is_installed(Path(got)):
            continue
        if real_path(Path(got)) != real_path(beside):
            message = (
                f"`{top}` is {got} and not the file beside it; rename that, or write "
                f"`from .{top} import ...`"
            )
            raise ImportError(message)
