"""
Presets: what a release or a paper says of structure and recipe, by name.

`reference` is the released ReSTE code, `paper` its text, where the two differ; `as_*` are the
structures and recipes of other systems. A suite may name one, which is its lowest layer: it fills
in what neither the suite, nor what it extends, nor an override says. An estimator's entry may name
one, too: that fills in the entry's `train`, `structure` and parameters, and goes before what the
suite says of them, but not before an override of the recipe. A preset's estimators, backbones and
data are keyed by plugin, whatever their labels are; a backbone's own `train` goes before the
preset's.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, TypeAlias

from pydantic import AfterValidator

from bench.base.plain_data import as_mapping
from bench.base.python_files import shipped
from bench.base.text import suggest
from bench.base.yaml_document import Document, read
from bench.errors import SuiteError, UsageError
from bench.spec.short_forms import NETWORKS

PLUGINS = ("estimators", "backbones", "data")  # what a preset says of each, by name
# fields of a recipe that go with another one, and are dropped where that is said anew
DEPENDENT = {
    "lr_rule": ("lr_steps", "lr_every", "lr_factor", "lr_end"),
    "optimizer": ("nesterov",),
    "loss": ("label_smoothing",),
}


def preset_names() -> list[str]:
    """List the presets that there are."""
    return sorted(path.stem for path in _home().glob("*.yaml"))


def describe(name: str) -> str:
    """
    Write `bench show preset`: what it says, in its words.

    Raises:
        UsageError: there is no such preset.
    """
    if wrong := unknown_preset(name):
        raise UsageError(wrong)
    return (_home() / f"{name}.yaml").read_text(encoding="utf-8").rstrip("\n")


def unknown_preset(name: Any) -> str:
    """Say that there is no preset of this name; nothing if there is."""
    known = preset_names()
    return "" if name in known else f"no preset `{name}`{suggest(str(name), known)}"


def _known(name: str) -> str:
    if wrong := unknown_preset(name):
        raise ValueError(wrong)
    return name


PresetName: TypeAlias = Annotated[str, AfterValidator(_known)]


def apply_presets(document: Document) -> Document:
    """
    Complete estimators by the presets that they name, then the suite by its own.

    Raises:
        SuiteError: a preset's file is damaged.
    """
    entries = as_mapping(document.data.get("estimators")) or {}
    for label, written in entries.items():
        entry = as_mapping(written) or {}
        if "preset" in entry and not unknown_preset(entry["preset"]):
            own = _own_settings(document, str(label), entry)
            document = _completed(document, {"estimators": {label: own}}, entry["preset"])
    name = document.data.get("preset")
    if name is None or unknown_preset(name):
        return document
    return _completed(document, _relabelled(_read_preset(name), document), name)


def without_dependent(train: dict[str, Any], said: Iterable[str]) -> dict[str, Any]:
    """Drop from a recipe what is `said` over it, and the fields that go with what is said."""
    dropped = {field for key in said for field in (key, *DEPENDENT.get(key, ()))}
    return {k: v for k, v in train.items() if k not in dropped}


def _home() -> Path:
    return shipped("suites") / "presets"


def _completed(document: Document, data: dict[str, Any], name: str) -> Document:
    return document.completed_by(data, dict.fromkeys(_leaf_paths(data, ()), f"preset {name}"))


def _own_settings(document: Document, label: str, entry: dict[str, Any]) -> dict[str, Any]:
    """Write what a preset says of one estimator: its parameters, recipe, and structures."""
    preset = _read_preset(entry["preset"])
    networks = as_mapping(document.data.get("backbones")) or {}
    structure = {
        str(k): _entry(str(k), v, preset["backbones"], {}, with_matrix=True)
        for k, v in networks.items()
    }
    asked = (path[1] for path, at in document.places.items() if overrides_recipe(path, at))
    said = [*map(str, asked), *(as_mapping(entry.get("train")) or {})]
    return {
        **_entry(label, entry, preset["estimators"], {}),
        "train": without_dependent(preset["train"], said),
        "structure": {k: _without_said(v, said) for k, v in structure.items() if v},
    }


def _without_said(network: dict[str, Any], said: Iterable[str]) -> dict[str, Any]:
    """Drop from a network's own recipe, if it has one, what is said elsewhere."""
    own = as_mapping(network.get("train"))
    return network if own is None else network | {"train": without_dependent(own, said)}


def overrides_recipe(path: tuple[Any, ...], place: str) -> bool:
    """Is the value at a path of a suite, which is said at `place`, an override of its recipe?"""
    return path[:1] == ("train",) and len(path) > 1 and is_override(place)


def is_override(place: str) -> bool:
    """Is what is said at `place` said on the command line?"""
    return place.startswith("override `")


def _relabelled(preset: dict[str, Any], document: Document) -> dict[str, Any]:
    """Write a preset with the labels of `document`."""
    data: dict[str, Any] = {k: v for k, v in preset.items() if as_mapping(v) is None}
    own = as_mapping(document.data.get("train")) or {}
    data["train"] = without_dependent(preset["train"], own)
    data["binarization"] = preset["binarization"]
    for axis in ("estimators", *NETWORKS):
        known = preset["backbones" if axis in NETWORKS else axis]
        entries = as_mapping(document.data.get(axis))
        if entries is not None or axis != "teachers":
            entries = entries or {}
            found = {k: _entry(k, v, known, preset["data"]) for k, v in entries.items()}
            data[axis] = {k: _without_said(v, own) for k, v in found.items()}
    data["data"] = _data_sets(document.data.get("data"), preset["data"])
    return data


def _read_preset(name: str) -> dict[str, Any]:
    """
    Read a file whose parts are mappings, and those of plugins mappings of mappings.

    Those that are not in the file are empty.
    """
    document = read(_home() / f"{name}.yaml")
    said = as_mapping(document.data) or {"train": None}
    preset: dict[str, Any] = {k: said.get(k, {}) for k in ("train", "binarization", *PLUGINS)}
    preset |= said
    parts = [preset[key] for key in ("train", "binarization", *PLUGINS)]
    parts += [part for key in PLUGINS for part in (as_mapping(preset[key]) or {}).values()]
    if any(as_mapping(part) is None for part in parts):
        message = f"{document.source}: damaged; install signbench again"
        raise SuiteError(message)
    return preset


def _entry(
    label: str,
    entry: Any,
    plugins: dict[str, Any],
    data_sets: dict[str, Any],
    *,
    with_matrix: bool = False,
) -> Any:
    """
    Return what a preset says of one label: of its plugin, or of the plugins of its two roles.

    Args:
        with_matrix: also what the label's matrix or zip has values of.
    """
    own = as_mapping(entry) or {}
    lists = [] if with_matrix else [as_mapping(own.get(key)) or {} for key in ("matrix", "zip")]
    matrix = {key for each in lists for key in each}
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
