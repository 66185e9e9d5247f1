"""What there is: plugins, data sets, schedules and suites, listed, described and checked."""

import inspect
from collections.abc import Iterator
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from bench.document import suggest
from bench.errors import BenchError, PluginError, UsageError
from bench.registry import BACKBONES, ESTIMATORS, Registry
from bench.schedule import SCHEDULES

Entry = tuple[str, str, bool]  # name, text, broken
REGISTRIES: dict[str, Registry[Any]] = {"estimator": ESTIMATORS, "backbone": BACKBONES}


def entries(
    kind: Literal["estimators", "backbones", "data", "schedules", "suites"],
) -> Iterator[Entry]:
    """Name, one line, and whether it is broken, of everything of one kind."""
    if kind == "schedules":
        yield from ((name, s.formula, False) for name, s in SCHEDULES.items())
    elif kind == "suites":
        folder = Path(str(files("suites")))
        for path in sorted(folder.glob("*.yaml")):
            yield path.stem, question(path.read_text(encoding="utf-8")), False
    elif kind == "data":
        yield from data_sets(None)
    else:
        registry = REGISTRIES[kind.removesuffix("s")]
        for name in registry.names():
            yield _plugin_entry(registry, name)


def question(text: str) -> str:
    """The question that heads a suite: its comment, editor line aside."""
    lines = [line.lstrip("# ") for line in text.splitlines() if line.startswith("# ")]
    return " ".join(line for line in lines if not line.startswith("yaml-language-server"))


def _plugin_entry(registry: Registry[Any], name: str) -> Entry:
    try:
        plugin = registry.load(name)
    except PluginError as error:
        return name, f"broken: {error}", True
    text = getattr(plugin, "formula", "") or _doc(plugin).split("\n")[0]
    return name, f"{text}  ({registry.origins()[name].place})", False


def describe(kind: Literal["estimator", "backbone", "data", "schedule"], name: str) -> str:
    """
    The text of `bench show`.

    Raises:
        UsageError: no such data set or schedule.
        PluginError: no such plugin, or a broken one.
    """
    if kind == "schedule":
        if name not in SCHEDULES:
            message = f"no schedule `{name}`{suggest(name, SCHEDULES)}"
            raise UsageError(message)
        schedule = SCHEDULES[name]
        points = ", ".join(f"{schedule.at(1, 3, p):.4f}" for p in (0, 0.25, 0.5, 0.75, 1))
        return (
            f"{name}(p) = {schedule.formula}\n{schedule.note}\n"
            f"p = epoch/epochs; from 1 to 3 at p = 0, 1/4, 1/2, 3/4, 1: {points}"
        )
    from bench.sources import named

    plugin = named(name) if kind == "data" else REGISTRIES[kind].load(name)
    text = inspect.getdoc(plugin) if kind == "data" else _doc(plugin)
    return f"{text}\n\nparameters:\n{_parameters(plugin)}"


def _doc(plugin: Any) -> str:
    return (import_module(plugin.__module__).__doc__ or plugin.__doc__ or "").strip()


def _parameters(plugin: Any) -> str:
    lines = [f"  {f.name}: {f.annotation} = {f.default!r}" for f in _fields(plugin)]
    return "\n".join(lines) or "  none"


def _fields(plugin: Any) -> Iterator[Any]:
    return iter(inspect.signature(plugin).parameters.values())


def data_sets(folder: Path | None) -> Iterator[Entry]:
    """Every data set: its label and sizes, or what is missing."""
    from bench.sources import SOURCES

    for name in SOURCES:
        try:
            yield name, verify(name, folder), False
        except BenchError as error:
            yield name, str(error), True


def verify(name: str, folder: Path | None) -> str:
    """
    Load a data set and describe it.

    Raises:
        UsageError: no such data set.
        DataError: not there, or damaged.
    """
    from bench.sources import data_folder, named

    found = named(name)().load(folder or data_folder())
    shape = "x".join(str(n) for n in found.train[0].shape[1:])
    return (
        f"{found.label}: {len(found.train[0]):,} train, {len(found.test[0]):,} test, {shape}, "
        f"{found.num_classes} classes, fingerprint {found.fingerprint}"
    )
