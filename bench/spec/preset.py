"""
Presets: `reference` is the released ReSTE code, `paper` its text, where the two differ.

A preset is a suite's lowest layer: it fills in what neither the suite, nor what it extends, nor an
override says. Its estimators, backbones and data are keyed by plugin, whatever their labels are.
"""

from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from bench.base.plain_data import as_mapping
from bench.base.yaml_document import Document, read
from bench.errors import SuiteError
from bench.spec.short_forms import NETWORKS

PresetName: TypeAlias = Literal["reference", "paper"]
PLUGINS = ("estimators", "backbones", "data")  # what a preset says of each, by name


def apply_preset(document: Document) -> Document:
    """
    Complete a suite by the preset that it names, if it names one there is.

    Raises:
        SuiteError: the preset's file is damaged.
    """
    name = document.data.get("preset")
    if name not in get_args(PresetName):
        return document
    data = _relabelled(_read_preset(name), document)
    return document.completed_by(data, dict.fromkeys(_leaf_paths(data, ()), f"preset {name}"))


def _relabelled(preset: dict[str, Any], document: Document) -> dict[str, Any]:
    """Write a preset with the labels of `document`."""
    data: dict[str, Any] = {k: v for k, v in preset.items() if not as_mapping(v)}
    data |= {k: preset[k] for k in ("train", "binarization")}
    for axis in ("estimators", *NETWORKS):
        known = preset["backbones" if axis in NETWORKS else axis]
        entries = as_mapping(document.data.get(axis))
        if entries is not None or axis != "teachers":
            entries = entries or {}
            data[axis] = {k: _entry(k, v, known, preset["data"]) for k, v in entries.items()}
    data["data"] = _data_sets(document.data.get("data"), preset["data"])
    return data


def _read_preset(name: str) -> dict[str, Any]:
    """Read a file whose parts are mappings, and those of plugins mappings of mappings."""
    document = read(Path(str(files("suites"))) / "presets" / f"{name}.yaml")
    preset = as_mapping(document.data) or {}
    parts = [preset.get(key) for key in ("train", "binarization", *PLUGINS)]
    parts += [part for key in PLUGINS for part in (as_mapping(preset.get(key)) or {}).values()]
    if any(as_mapping(part) is None for part in parts):
        message = f"{document.source}: damaged; install signbench again"
        raise SuiteError(message)
    return preset


def _entry(label: str, entry: Any, plugins: dict[str, Any], data_sets: dict[str, Any]) -> Any:
    """Return what a preset says of one label: of its plugin, or of the plugins of its two roles."""
    own = as_mapping(entry) or {}
    matrix = as_mapping(own.get("matrix")) or {}
    if own.keys() & {"W", "A"}:
        for_both = {*own, *matrix}  # what the entry says of both roles
        roles = {role: _role(own[role], plugins) for role in ("W", "A") if role in own}
        return {
            role: {k: v for k, v in parameters.items() if k not in for_both}
            for role, parameters in roles.items()
            if parameters
        }
    known: dict[str, Any] = plugins.get(str(own.get("plugin", label))) or {}
    parameters = {k: v for k, v in known.items() if k not in matrix}
    if "data" in own:
        return parameters | {"data": _data_sets(own["data"], data_sets)}
    return parameters


def _role(entry: Any, plugins: dict[str, Any]) -> dict[str, Any]:
    """Return what a preset says of the plugin of one role."""
    return dict(plugins.get(str((as_mapping(entry) or {}).get("plugin"))) or {})


def _data_sets(entries: Any, data_sets: dict[str, Any]) -> dict[str, Any]:
    """Return what a preset says of each data set that a mapping names."""
    return {name: data_sets[name] for name in as_mapping(entries) or {} if name in data_sets}


def _leaf_paths(value: Any, path: tuple[str, ...]) -> list[tuple[str, ...]]:
    """List the paths of all values but mappings, which stand where the suite has them."""
    inner = as_mapping(value)
    if inner is None:
        return [path]
    return [leaf for key, v in inner.items() for leaf in _leaf_paths(v, (*path, key))]
