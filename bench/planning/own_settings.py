"""
Estimators that train in a structure or by a recipe of their own, in rows beside the suite's.

An entry says so by `train` and `structure`, which has parameters of backbones and, under `train`,
what is of one alone; or by a preset, which composition has spelled out in these two. They go before
what the suite and a backbone's entry say.
"""

from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from bench.base.plain_data import KeyPath, as_mapping
from bench.base.text import suggest
from bench.base.validation import problems
from bench.base.yaml_document import Document, Problem
from bench.planning.axes import Axes, BackboneConfig
from bench.spec.cell import Recipe
from bench.spec.label import base_label
from bench.spec.preset import unknown_preset, without_dependent

KEYS = frozenset({"preset", "train", "structure"})


def with_own_settings(document: Document, axes: Axes) -> tuple[Axes, list[Problem]]:
    """Add the backbones that estimators have otherwise than the suite, and say what is wrong."""
    own: dict[tuple[str, str], BackboneConfig] = {}
    unfit: dict[tuple[str, str], list[Problem]] = {}
    wrong: list[Problem] = []
    for name, written in (as_mapping(document.data.get("estimators")) or {}).items():
        entry, path = as_mapping(written) or {}, ("estimators", str(name))
        if not entry.keys() & KEYS:
            continue
        misshapen = _misshapen(entry, path) or _unknown(entry, path, axes.backbone_labels)
        wrong += misshapen
        networks = {} if misshapen else axes.backbones
        misfits: dict[str, list[Problem]] = {}
        for label, config in networks.items():
            made, misfits[label], misnamed = _own_network(entry, path, label, config)
            wrong += [problem for problem in misnamed if problem not in wrong]
            labels = [x for x in axes.estimators if base_label(x) == name]
            own |= {(x, label): made for x in labels if made not in (None, config)}
            unfit |= {(x, label): misfits[label] for x in labels if misfits[label]}
        if misfits and all(misfits.values()):
            wrong += list({repr(p): p for found in misfits.values() for p in found}.values())
    return replace(axes, own=own, unfit=unfit), wrong


def _misshapen(entry: dict[str, Any], path: KeyPath) -> list[Problem]:
    """Find settings that have not the shape of some."""
    found: list[Problem] = []
    if "preset" in entry and (unknown := unknown_preset(entry["preset"])):
        found.append(Problem((*path, "preset"), unknown))
    if as_mapping(entry.get("train", {})) is None:
        message = "must be a mapping, as the suite's train is"
        found.append(Problem((*path, "train"), message))
    structure = as_mapping(entry.get("structure", {}))
    networks = [as_mapping(value) for value in (structure or {}).values()]
    if structure is None or None in networks:
        message = "must map backbones to parameters, as in {resnet20: {order: bn_hardtanh}}"
        found.append(Problem((*path, "structure"), message))
    for label, network in zip(structure or {}, networks, strict=True):
        if network and as_mapping(network.get("train", {})) is None:
            place = (*path, "structure", label, "train")
            found.append(Problem(place, "must be a mapping, as the suite's train is"))
    return found


def _unknown(entry: dict[str, Any], path: KeyPath, labels: set[str]) -> list[Problem]:
    """Find structures of backbones that the suite has not."""
    known = sorted({base_label(label) for label in labels})
    return [
        Problem((*path, "structure", label), f"no backbone `{label}` here{suggest(label, known)}")
        for label in entry.get("structure", {})
        if label not in known
    ]


def _own_network(
    entry: dict[str, Any], path: KeyPath, label: str, config: BackboneConfig
) -> tuple[BackboneConfig | None, list[Problem], list[Problem]]:
    """Return one backbone as an estimator's rows have it; misfits of recipe and of structure."""
    place = (*path, "structure", base_label(label))
    misfits, wrong = list[Problem](), list[Problem]()
    kind, recipe, plugin = config.plugin.__class__, config.recipe, config.plugin
    structure = dict(entry.get("structure", {}).get(base_label(label), {}))
    alone = structure.pop("train", {})
    try:
        recipe = Recipe.model_validate(_joined(recipe, entry.get("train", {}), alone))
    except ValidationError as error:
        of_one = {True: (*place, "train"), False: (*path, "train")}
        misfits += [
            replace(p, path=(*of_one[bool(alone) and (not p.path or p.path[0] in alone)], *p.path))
            for p in problems(error, (), Recipe)
        ]
    of_this_one = [p for p in misfits if p.path[: len(place)] == place]
    wrong += of_this_one
    misfits = [p for p in misfits if p not in of_this_one]
    try:
        plugin = kind.model_validate(plugin.model_dump() | structure)
    except ValidationError as error:
        wrong += problems(error, place, kind)
    made = replace(config, recipe=recipe, plugin=plugin)
    return (None if wrong or misfits else made), misfits, wrong


def _joined(recipe: Recipe, *over: dict[str, Any]) -> dict[str, Any]:
    """Put recipes over one another, each without what the next says anew."""
    values = recipe.model_dump(exclude_unset=True)
    for own in over:
        values = without_dependent(values, own) | own
    return values
