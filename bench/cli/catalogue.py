"""What there is: plugins, data sets, schedules, suites and presets, listed and described."""

import inspect
import json
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from bench.base.answer_cache import Question, keep, recall, remembered
from bench.base.files import real_path
from bench.base.python_files import shipped
from bench.base.text import suggest
from bench.errors import BenchError, DataError, PluginError, UsageError
from bench.registry import BACKBONES, DATA, ESTIMATORS, Registry
from bench.spec import parameters
from bench.spec.choices import PLURALS, Kind
from bench.spec.schedule import SCHEDULES
from bench.spec.suite_file import read_question

if TYPE_CHECKING:  # listing suites and schedules needs no torch
    from bench.data.dataset import Count, Dataset

Entry: TypeAlias = tuple[str, str, bool]  # name, text, broken
REGISTRIES: dict[str, Registry[Any]] = {"estimator": ESTIMATORS, "backbone": BACKBONES}


def read_kind(word: str) -> Kind:
    """
    The kind that a word names, in the singular or the plural.

    Raises:
        UsageError: none.
    """
    for several, kind in PLURALS.items():
        if word in (several, kind):
            return kind
    message = f"no kind `{word}`{suggest(word, PLURALS)}"
    raise UsageError(message)


def list_entries(kind: Kind) -> Iterator[Entry]:
    """Yield name, one line, and whether it is broken, of everything of one kind."""
    if kind == "schedule":
        yield from ((name, s.formula, False) for name, s in SCHEDULES.items())
    elif kind in {"suite", "preset", "ledger"}:
        below = {"suite": "", "preset": "presets", "ledger": "published"}
        folder = shipped("suites") / below[kind]
        for path in sorted(folder.glob("*.yaml"), key=lambda path: path.stem):
            yield path.stem, _first_sentence(read_question(path)), False
    elif kind == "data":
        yield from list_data_sets(None)
    else:
        yield from list_plugins(REGISTRIES[kind])


def _first_sentence(lines: list[str]) -> str:
    return re.split(r"(?<=[?.]) ", " ".join(lines))[0]


def list_plugins(registry: Registry[Any]) -> list[Entry]:
    """
    List every plugin of one kind, as it is kept from an earlier call, or by importing all of them.

    A broken one is imported each time: what it lacks may be there by now.
    """
    question = Question(("list", registry.package), registry.state())
    kept = recall(question, _read_entries)
    if kept is not None:
        return kept
    origins = registry.origins()
    listed = [_list_plugin(registry, name) for name in origins]
    if all(origins[name].problem for name, _, broken in listed if broken):
        keep(question, json.dumps(listed))
    return listed


def _read_entries(kept: str) -> list[Entry]:
    """Read entries as they are kept."""
    return [(name, text, broken) for name, text, broken in json.loads(kept)]


def _list_plugin(registry: Registry[Any], name: str) -> Entry:
    try:
        plugin = registry.load(name)
    except PluginError as error:
        return name, f"broken: {error}", True
    text = getattr(plugin, "formula", "") or _docstring(plugin).split("\n")[0]
    return name, f"{text}  ({registry.origins()[name].place})", False


def describe(kind: Kind, name: str) -> str:
    """
    Describe a plugin, data set or schedule, as `bench show` prints it.

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
    if kind == "data":
        from bench.data.source import named

        source = named(name)
        return _describe_parameters(_describe_data(source), source)
    registry = REGISTRIES[kind]
    question = Question(("show", kind, name), registry.state())
    return remembered(question, lambda: _describe_plugin(registry, name))


def _describe_parameters(text: str, model: Any) -> str:
    return f"{text}\n\nparameters:\n{parameters.describe(model)}"


def _describe_plugin(registry: Registry[Any], name: str) -> str:
    plugin: Any = registry.load(name)
    text = _describe_parameters(_docstring(plugin), plugin)
    return f"{text}\n\n{_describe_cost(plugin)}" if registry is BACKBONES else text


def _docstring(plugin: Any) -> str:
    return (import_module(plugin.__module__).__doc__ or plugin.__doc__ or "").strip()


def _describe_data(source: Any) -> str:
    """What a data set says of itself; of somebody's own that has a file, what the file says."""
    own: str | None = source.__dict__.get("__doc__")  # not what it inherits
    return inspect.cleandoc(own) if own else _docstring(source)


def describe_network(name: str, words: list[str]) -> str:
    """
    Say what a network costs: with the parameters that `words` set, `image`, `classes`, `channels`.

    Raises:
        UsageError: a word without `=`, no such parameter, a value that it does not take, or a
            network that cannot be built so.
        PluginError: no such backbone, or a broken one.
    """
    from bench.nn import macs
    from bench.properties.backbone_claims import build_backbone

    backbone, task = build_backbone(name, words)
    try:
        return macs.describe_cost(backbone, task)
    except Exception as error:  # whatever a stranger's network does
        reason = (str(error) or type(error).__name__).splitlines()[0]
        message = f"{name} cannot be built so: {reason}"
        raise UsageError(message) from error


def _describe_cost(backbone: Any) -> str:
    """Say what a backbone costs at its default parameters, or why that is not known."""
    from bench.nn import macs

    try:
        return macs.describe_cost(backbone())
    except Exception as error:  # whatever a stranger's network does
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        return f"cost: cannot be counted, {reason}"


def list_data_sets(folder: Path | None) -> Iterator[Entry]:
    """
    Yield every data set: label and sizes, or what is missing. No image file is decoded.

    Of one that is found by its parameters, what it is.
    """
    for name in DATA.names():
        try:
            yield name, describe_data_set(name, folder), False
        except BenchError as error:
            yield name, str(error), True


def describe_data_set(name: str, folder: Path | None) -> str:
    """
    Find a data set and describe it.

    Raises:
        UsageError: no such data set.
        DataError: not there, or damaged.
    """
    from bench.data.source import data_folder, load, named

    kind, home = named(name), folder or data_folder()
    if needed := [key for key, field in kind.model_fields.items() if field.is_required()]:
        first = _describe_data(kind).split("\n")[0]
        return f"{first} ({', '.join(f'{key}: ...' for key in needed)})"
    source = parameters.build(kind, name, [])
    question = Question(("data", name, str(real_path(home))), source.state(home))
    if question.inputs is None or not DATA.origins()[name].built_in:
        return _summary(load(name, source, home))
    return remembered(question, lambda: _summary(load(name, source, home)))


def verify_data_set(name: str, folder: Path | None, fields: list[str], count: "Count") -> str:
    """
    Find a data set, read all of it, and describe it.

    Args:
        fields: parameters as a suite gives them, `classes=100`.
        count: told how many files of how many are decoded, where there are files to decode.

    Raises:
        UsageError: no such data set, or no such parameter.
        DataError: not there, or damaged; every damaged file has its line.
    """
    import torch

    from bench.data.source import data_folder, load, named

    source = parameters.build(named(name), name, fields)
    found = load(name, source, folder or data_folder()).to(torch.device("cpu"))
    damaged = found.damaged(count)
    if damaged:
        heading = (
            f"{found.label}: {len(damaged):,} of {sum(found.sizes.values()):,} files are damaged"
        )
        raise DataError("\n".join([heading, *(f"{p}: {why}" for p, why in damaged.items())]))
    return _summary(found)


def _summary(found: "Dataset") -> str:
    shape = "x".join(str(n) for n in found.shape)
    train, test = found.sizes["train"], found.sizes["test"]
    line = (
        f"{found.label}: {train:,} train, {test:,} test, {shape}, "
        f"{found.num_classes} classes, fingerprint {found.fingerprint}"
    )
    return "\n".join([line, *(f"  {note}" for note in found.notes)])
