"""
Every network of a suite, built once without memory: what it costs, or why it cannot be.

A network runs one image of its data on torch's meta device, so that a layer, an image size or a
number of classes that cannot be is found before anything trains. One that cannot be built there,
and only there, is built and run as it is; what it costs is not known then.
"""

import json
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from bench.base.plain_data import KeyPath
from bench.base.yaml_document import Problem
from bench.errors import PluginError
from bench.nn.backbone import Native
from bench.nn.layers import BinaryConv2d, Layers
from bench.nn.macs import check_logits, count_cost, skeleton
from bench.planning.axes import BackboneConfig, Roles
from bench.planning.checks import once, own_generators
from bench.spec.cell import Binarization, Role
from bench.spec.plan import NetworkCost

LONGEST = 300  # characters of what is told of one


@dataclass(frozen=True)
class _Network:
    """One network: its backbone, its images, and whether layers that may be binary are."""

    backbone: BackboneConfig
    task: Native
    binary: bool

    @property
    def words(self) -> tuple[str, ...]:
        """What is asked of it, for an answer that is kept."""
        params = self.backbone.plugin.ref(self.backbone.name).params
        asked = json.dumps([self.task, self.binary, params], sort_keys=True)
        return ("network", self.backbone.name, asked)


class Networks:
    """
    Builds the networks of one suite.

    Attributes:
        problems: what cannot be built, with its place in the suite.
    """

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def cost(
        self, place: KeyPath, backbone: BackboneConfig, roles: Roles, images: Native
    ) -> NetworkCost | None:
        """
        Count what the network at `place` costs; None, if that is not known, or it cannot be.

        Args:
            place: where it stands in the suite.
            backbone: its backbone.
            roles: what makes it binary; nothing: it is real.
            images: what it is to train on.
        """
        if (needed := backbone.plugin.only_image) not in {None, images.image}:
            message = f"takes images of {needed}x{needed}, these are {images.image}x{images.image}"
            self.problems.append(Problem(place, message))
            return None
        network = _Network(backbone, images, bool(roles))
        found = once(network.words, backbone.digest, lambda: _look(network))
        if wrong := found.get("wrong") or _refusal(network, roles):
            self.problems.append(Problem(place, wrong))
        return NetworkCost.model_validate(found["cost"]) if found.get("cost") else None


def _look(network: _Network) -> dict[str, Any]:
    """What a network costs, or what is wrong with it, as JSON keeps it."""
    backbone, task = network.backbone.plugin, network.task
    with own_generators():
        try:
            cost = count_cost(backbone, binary=network.binary, task=task)
        except Exception as on_meta:
            try:
                _run_as_it_is(network)
            except Exception:  # whatever a stranger's network does
                return {"wrong": _told(task, on_meta)}
            return {}
    names = NetworkCost.model_fields
    return {"cost": {name: getattr(cost, name) for name in names}}


def _run_as_it_is(network: _Network) -> None:
    """Run an image through a real network that has memory; raises what it raises."""
    task = network.task
    net = skeleton(network.backbone.plugin, task, binary=False)
    with torch.no_grad():
        logits = net.eval()(torch.zeros(1, task.channels, task.image, task.image))
    check_logits(logits, task.classes)


def _refusal(network: _Network, roles: Roles) -> str:
    """Say which of its layers the convolution of a method cannot be; nothing if it can."""
    conv = roles["W"].plugin.conv if "W" in roles else BinaryConv2d
    if conv is BinaryConv2d:
        return ""
    task = network.task
    layers = Layers(_identity, Binarization(), conv)
    with own_generators(), torch.device("meta"):
        try:
            network.backbone.plugin.build(task.classes, task.channels, layers)
        except PluginError as error:
            return _told(task, error)
        except Exception:  # of a class that is not made to binarize nothing
            return ""
    return ""


def _identity(_role: Role, _shape: tuple[int, ...]) -> nn.Module:
    return nn.Identity()


def _told(task: Native, error: Exception) -> str:
    kind = "" if isinstance(error, PluginError | ValueError) else f"{type(error).__name__}: "
    images = f"images of {task.image}x{task.image}x{task.channels}, {task.classes} classes"
    return f"cannot be built for {images}: {kind}{' '.join(str(error).split())}"[:LONGEST]
