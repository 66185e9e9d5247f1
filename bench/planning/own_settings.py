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
from bench.spec.preset import unknown_preset, without_dependent

KEYS = frozenset({"preset", "train", "structure"})


def with_own_settings(document: Document, axes: Axes) -> tuple[Axes, list[Problem]]:
    """Add the backbones that estimators have otherwise than the suite, and say what is wrong."""
    own: dict[tuple[str, str], BackboneConfig] = {}
    wrong: list[Problem] = []
    for name, written in (as_mapping(document.data.get("estimators")) or {}).items():
        path: KeyPath = ("estimators", str(name))
        networks, misfits = _own_networks(as_mapping(written) or {}, path, axes)
        wrong += misfits
        labels = [label for label in axes.estimators if base_label(label) == name]
        own |= {(label, k): config for label in labels for k, config in networks.items()}
    return replace(axes, own=own), wrong


def _own_networks(
    entry: dict[str, Any], path: KeyPath, axes: Axes
) -> tuple[dict[str, BackboneConfig], list[Problem]]:
    """Return the backbones that the rows of an entry have otherwise, and what is wrong."""
    if not entry.keys() & KEYS:
        return {}, []
    wrong = _misshapen(entry, path) or _unknown(entry, path, axes.backbone_labels)
    if wrong:
        return {}, wrong
    own: dict[str, BackboneConfig] = {}
    for label, config in axes.backbones.items():
        made, misfits = _own_network(entry, path, label, config)
        wrong += [problem for problem in misfits if problem not in wrong]
        if made not in (None, config):
            own[label] = made
    return own, wrong


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
) -> tuple[BackboneConfig | None, list[Problem]]:
    """Return one backbone as an estimator's rows have it."""
    place, wrong = (*path, "structure", base_label(label)), list[Problem]()
    kind, recipe, plugin = config.plugin.__class__, config.recipe, config.plugin
    structure = dict(entry.get("structure", {}).get(base_label(label), {}))
    alone = structure.pop("train", {})
    try:
        recipe = Recipe.model_validate(_joined(recipe, entry.get("train", {}), alone))
    except ValidationError as error:
        of_one = {True: (*place, "train"), False: (*path, "train")}
        wrong += [
            replace(p, path=(*of_one[bool(alone) and (not p.path or p.path[0] in alone)], *p.path))
            for p in problems(error, (), Recipe)
        ]
    try:
        plugin = kind.model_validate(plugin.model_dump() | structure)
    except ValidationError as error:
        wrong += problems(error, place, kind)
    return (None if wrong else replace(config, recipe=recipe, plugin=plugin)), wrong


def _joined(recipe: Recipe, *over: dict[str, Any]) -> dict[str, Any]:
    """Put recipes over one another, each without what the next says anew."""
    values = recipe.model_dump(exclude_unset=True)
    for own in over:
        values = without_dependent(values, own) | own
    return values


def base_label(label: str) -> str:
    """Return a label as the suite writes it: `resnet20` of `resnet20(width=8)`."""
    return label.partition("(")[0]
