"""
The folder is the registry: `estimators/ede.py` holds the estimator `ede`.

Plugins also come from entry points of other distributions (group `bench.estimators`,
`bench.backbones` or `bench.data`) and from local folders: `./estimators`, `./backbones`, `./data`
and those that a suite names. None of them can take a name that is already taken, and one that fails
to import breaks only itself. The data sets that the harness itself reads are `BUILT_IN`.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import pkgutil
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pydantic import ValidationError

from bench.base.entry_points import find_entry_points
from bench.base.file_states import file_digest, folder_states
from bench.base.files import read_small, real_path
from bench.base.local_modules import import_file
from bench.base.python_files import (
    find_beside,
    follow_imports,
    list_imports,
    package_files,
    shipped,
)
from bench.base.text import suggest
from bench.errors import PluginError, UsageError
from bench.spec.plugin import Plugin

if TYPE_CHECKING:  # listing names must not import torch
    from bench.data.source import DataSource
    from bench.nn.backbone import Backbone
    from bench.nn.contract import Estimator

P = TypeVar("P", bound=Plugin)

BUILT_IN = {  # data sets of the harness itself: their names, and the classes that find them
    "digits": "bench.data.sources:Digits",
    "cifar10": "bench.data.sources:Cifar10",
    "cifar10-partial": "bench.data.sources:Cifar10Partial",
    "cifar100": "bench.data.sources:Cifar100",
    "fashion_mnist": "bench.data.sources:FashionMnist",
    "imagenet": "bench.data.sources:ImageNet",
    "folder": "bench.data.own_images:FolderImages",
    "npz": "bench.data.own_images:NpzImages",
    "parquet": "bench.data.own_images:ParquetImages",
}
RESERVED = {"none": "means full precision in suites"}  # names that no plugin may have


@dataclass(frozen=True)
class Origin:
    """
    Where a plugin comes from: a shipped file, a module of the harness, a module of an entry point,
    or a local file.
    """

    place: str
    module: str = ""
    file: Path | None = None
    problem: str = ""  # why it cannot be used, known without importing it
    distribution: str = ""  # of an entry point: what is installed, and its version

    @property
    def shipped(self) -> bool:
        """Is it a file of signbench itself?"""
        return bool(self.module and self.file) or self.built_in

    @property
    def built_in(self) -> bool:
        """Is it code of the harness, which has no name of its own in a cell?"""
        return self.module in BUILT_IN.values()


class Registry(Generic[P]):
    """
    The plugins of one kind, found by name and imported only when asked for.

    They subclass `base` of the module `home`, and lie in folders called `package`. `built_in` maps
    names to classes of the harness, where it has some in place of a shipped folder.
    """

    def __init__(
        self,
        package: str,
        base: str,
        home: str = "bench.plugin",
        built_in: Mapping[str, str] | None = None,
    ) -> None:
        self.package = package
        self.base, self.home = base, home
        self.group = f"bench.{package}"
        self.built_in = built_in
        self.folders: list[Path] = []
        self._loaded: dict[Origin, type[P]] = {}

    def add_folder(self, folder: Path) -> None:
        """Look for plugins in `folder`, too."""
        if real_path(folder) not in self.folders:
            self.folders.append(real_path(folder))

    def origins(self) -> dict[str, Origin]:
        """Every name, sorted, and where it comes from. Imports no plugin."""
        found = self._own()
        for entry in find_entry_points(self.group):
            made_by = f"{entry.dist.name} {entry.dist.version}" if entry.dist else ""
            origin = Origin(f"entry point {entry.value}", entry.value, distribution=made_by)
            self._add(found, entry.name, origin)
        for folder in self.local_folders():
            files = sorted(folder.glob("[!_]*.py"))
            shared = _shared(files)
            for file in (f for f in files if f not in shared and _kind(f) == self.base):
                self._add(found, file.stem, Origin(str(file), file=file))
        return dict(sorted(found.items()))

    def _own(self) -> dict[str, Origin]:
        """Those of signbench itself."""
        if self.built_in is not None:
            return {name: Origin("signbench", place) for name, place in self.built_in.items()}
        home = shipped(self.package)
        return {**_shipped_origins(home, home.stat().st_mtime_ns if home.is_dir() else 0)}

    def names(self) -> list[str]:
        """Every name, sorted."""
        return list(self.origins())

    def file(self, name: str) -> Path | None:
        """The file that a plugin's module is, found without importing it; None: not found."""
        origin = self.origins().get(name)
        return _file(origin) if origin else None

    def files_beside(self, name: str) -> dict[str, Path]:
        """
        What else a plugin's code consists of, by names that are the same on every machine.

        Of a shipped plugin nothing; of one of another distribution the whole package that it is in;
        of both that and a local file what it imports, and what that imports, that is no library.
        """
        origin = self.origins().get(name)
        file = _file(origin) if origin else None
        if origin is None or origin.shipped or file is None:
            return {}
        top, *inner = origin.module.partition(":")[0].split(".")
        if origin.file or not (inner or file.name == "__init__.py"):
            return follow_imports(file)
        package = file.parents[len(inner) - (file.name != "__init__.py")]
        files = package_files(package) if package.name == top else {}
        others = [p for path in files.values() if path.suffix == ".py"
                  for p in follow_imports(path).items()]  # fmt: skip
        own = {real_path(path) for path in files.values()}
        return files | {module: path for module, path in others if real_path(path) not in own}

    def distribution(self, name: str) -> str:
        """What distribution an entry point is of, and its version; empty of any other plugin."""
        origin = self.origins().get(name)
        return origin.distribution if origin else ""

    def state(self) -> tuple[str, ...] | None:
        """
        Give what all plugins depend on: each name with its place and the digest of its file, and
        the state of every file in local folders, which a plugin may read; but for those among
        data.

        None: those are too many to look at each time, or one changed just now.
        """
        found = [(name, origin, _file(origin)) for name, origin in self.origins().items()]
        states = [
            f"{name} of {origin.place}: {file_digest(file) if file else origin.problem}"
            for name, origin, file in found
        ]
        strangers = (name for name, origin, _ in found if not (origin.shipped or origin.problem))
        for name in strangers:
            beside = self.files_beside(name).items()
            states += [f"{name} with {each}: {file_digest(file)}" for each, file in beside]
        for folder in [] if self.built_in else self.local_folders():
            beside = folder_states(folder)
            if beside is None:
                return None
            states += beside
        return tuple(states)

    def local_folders(self) -> list[Path]:
        """List the folders, there or not, of the plugins that are neither shipped nor installed."""
        folders = [real_path(Path(self.package)), *self.folders]
        own = None if self.built_in else shipped(self.package)
        return [folder for folder in folders if folder != own]

    def _add(self, found: dict[str, Origin], name: str, origin: Origin) -> None:
        if name in RESERVED:
            problem = f"`{name}` {RESERVED[name]}; rename it"
            found[f"{name}@{origin.place}"] = Origin(origin.place, problem=problem)
        elif name in found and found[name] != origin:
            problem = f"its name is taken by {found[name].place}; rename it"
            found[f"{name}@{origin.place}"] = Origin(origin.place, problem=problem)
        else:
            found[name] = origin

    def load(self, name: str) -> type[P]:
        """
        Import one plugin class.

        Raises:
            PluginError: no such name, or its file cannot be imported or has no plugin in it.
        """
        origins = self.origins()
        if name not in origins:
            known = [n for n, o in origins.items() if not o.problem]
            message = f"no `{name}` in {self.package}{suggest(name, known)}"
            raise PluginError(message)
        origin = origins[name]
        if origin.problem:
            message = f"{origin.place}: {origin.problem}"
            raise PluginError(message)
        if origin not in self._loaded:
            self._loaded[origin] = self._import(origin)
        return self._loaded[origin]

    def _import(self, origin: Origin) -> type[P]:
        try:
            module_name, _, attribute = origin.module.partition(":")
            if origin.file and not origin.shipped:
                module = import_file(origin.file)
            else:
                module = importlib.import_module(module_name)
        except (Exception, SystemExit) as error:  # whatever a stranger's file does at import
            message = f"{origin.place}: {type(error).__name__}: {error}"
            raise PluginError(message) from error
        base = getattr(importlib.import_module(self.home), self.base)
        found: list[Any]
        if attribute:
            found = [getattr(module, attribute, None)]
        else:
            found = [
                v for v in vars(module).values() if getattr(v, "__module__", "") == module.__name__
            ]
        found = [
            v for v in dict.fromkeys(v for v in found if isinstance(v, type)) if issubclass(v, base)
        ]
        if len(found) != 1:
            message = f"{origin.place}: must define one {self.base}, found {len(found)}"
            raise PluginError(message)
        if inspect.isabstract(found[0]):
            gaps = ", ".join(sorted(found[0].__abstractmethods__))
            message = f"{origin.place}: {found[0].__name__} does not define {gaps}"
            raise PluginError(message)
        if problem := _misdescribed(found[0]):
            message = f"{origin.place}: {problem}"
            raise PluginError(message)
        return found[0]

    def build(self, name: str, params: dict[str, Any]) -> P:
        """
        Import one plugin and give it its parameters.

        Raises:
            PluginError: as `load`, or the plugin raises what none should.
            ValidationError: the plugin rejects a parameter.
        """
        plugin = self.load(name)
        try:
            return plugin(**params)
        except ValidationError:
            raise
        except Exception as error:  # whatever a stranger's class raises
            message = f"`{name}` raises {type(error).__name__}: {error}"
            raise PluginError(message) from error


@lru_cache(maxsize=4)
def _shipped_origins(home: Path, _: int) -> dict[str, Origin]:
    """What a folder of shipped plugins has, by name, and where; `_`: when it last changed."""
    names = (module.name for module in pkgutil.iter_modules([str(home)]))
    return {
        name: Origin(
            f"{home.name}/{name}.py",
            module=f"bench.shipped.{home.name}.{name}",
            file=find_beside(name, home),
        )
        for name in names
    }


def _file(origin: Origin) -> Path | None:
    if origin.file or origin.problem or origin.built_in:
        return origin.file
    try:
        spec = importlib.util.find_spec(origin.module.partition(":")[0])
    except Exception:  # whatever the package of a stranger's module does at import
        return None
    return Path(spec.origin) if spec and spec.origin else None


def _misdescribed(plugin: Any) -> str:
    """What a plugin's class says of itself in the wrong type, or nothing."""
    for name in ("formula", "kind"):
        if not isinstance(getattr(plugin, name, ""), str):
            return f"{plugin.__name__}.{name} must be a text"
    version: Any = plugin.version
    if not isinstance(version, int) or version < 1:
        return f"{plugin.__name__}.version must be a whole number from 1"
    if not isinstance(getattr(plugin, "printed", {}), dict):
        return f"{plugin.__name__}.printed must map fields to values"
    try:
        plugin.model_json_schema()
    except Exception as error:  # a field of a type that no suite can write
        return f"parameters that cannot be described: {str(error).splitlines()[0]}"
    return ""


def _kind(file: Path) -> str:
    """
    What a local file holds, read but not run: a data set if it says `DataSource` anywhere, a
    backbone if it says `Backbone` or subclasses `ResNet`, else an estimator.
    """
    try:
        text = read_small(file)
    except OSError:
        return "Estimator"  # which cannot be imported, and is listed as such
    if b"DataSource" in text:
        return "DataSource"
    net = b"Backbone" in text or re.search(rb"^class \w+\((\w+\.)*ResNet\)", text, re.MULTILINE)
    return "Backbone" if net else "Estimator"


def _shared(files: list[Path]) -> set[Path]:
    """Those of the files that others of them import, and that name nothing of signbench."""
    codes: dict[Path, bytes] = {}
    for file in files:
        with suppress(OSError):
            codes[file] = read_small(file)
    used = {
        word
        for code in codes.values()
        for _, module, names in list_imports(code)
        for word in (module.partition(".")[0], *names)
    }
    return {file for file, code in codes.items() if file.stem in used and b"bench" not in code}


def add_folders(folders: Iterable[Path]) -> None:
    """Look for plugins of every kind in `folders`, too."""
    for folder in folders:
        for registry in REGISTRIES:
            registry.add_folder(folder)


def find_in_file(file: Path) -> str:
    """
    The name of the plugin that a file holds; plugins of its kind beside it are there from now on.

    Raises:
        UsageError: there is no such file.
        PluginError: another plugin has that name.
    """
    if not file.is_file():
        message = f"no file `{file}`"
        raise UsageError(message)
    registry = next(each for each in REGISTRIES if each.base == _kind(file))
    registry.add_folder(file.parent)
    found = registry.file(file.stem)
    if found is None or real_path(found) != real_path(file):
        place = registry.origins()[file.stem].place
        message = f"{file}: its name is taken by {place}; rename it"
        raise PluginError(message)
    return file.stem


def plugins_state() -> tuple[str, ...] | None:
    """Give the state of every kind of plugins, as `Registry.state` does."""
    found: list[str] = []
    for registry in REGISTRIES:
        states = registry.state()
        if states is None:
            return None
        found += states
    return tuple(found)


ESTIMATORS: Registry[Estimator] = Registry("estimators", "Estimator")
BACKBONES: Registry[Backbone] = Registry("backbones", "Backbone")
DATA: Registry[DataSource] = Registry("data", "DataSource", "bench.data.source", BUILT_IN)
REGISTRIES: tuple[Registry[Any], ...] = (ESTIMATORS, BACKBONES, DATA)
