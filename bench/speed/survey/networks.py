"""The networks that are measured: the project's own, with its binarizers or the oracle's."""

from functools import partial
from typing import Any

import torch
from torch import nn

from bench.nn import macs
from bench.nn.backbone import Native
from bench.nn.clock import Clock
from bench.nn.layers import Layers, MakeBinarizer
from bench.registry import BACKBONES, ESTIMATORS
from bench.spec.cell import Binarization, Role
from bench.speed.survey import oracle
from bench.train.model import Model, seed_everything

IMAGE = (3, 32, 32)
CLASSES = 10
HALFWAY = 0.5  # progress, at which no estimator is what it is in the beginning


def has_bfloat16_units(device: torch.device) -> bool:
    """Does the processor multiply bfloat16, or only convert it?"""
    known: Any = torch.cpu
    if device.type == "cpu":
        return bool(known._is_amx_tile_supported() or known._is_avx512_bf16_supported())
    return device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)


def choose_binarizer(name: str, clock: Clock, *, plain: bool) -> MakeBinarizer:
    """What makes the binarizers of an estimator: its own, or the oracle's."""
    if plain:
        return oracle.make_binarizer(name, clock)
    return partial(ESTIMATORS.build(name, {}).binarizer, clock=clock, zero=0)


def build_network(
    backbone: str,
    params: dict[str, Any],
    estimator: str,
    device: torch.device,
    *,
    plain: bool = False,
    real_input: bool = False,
    rounded: bool = False,
    seed: int = 0,
) -> Model:
    """
    A binary network halfway through its schedule, the same for each seed.

    Args:
        params: the backbone's.
        plain: as the oracle has it.
        real_input: W/A 1/32.
        rounded: multiply signs by gradients in bfloat16.
    """
    seed_everything(seed)
    clock = Clock()
    if plain:
        method, make = None, oracle.make_binarizer(estimator, clock)
    else:
        method = ESTIMATORS.build(estimator, {})
        make = partial(method.binarizer, clock=clock, zero=0)

    def either(role: Role, shape: tuple[int, ...]) -> nn.Module:
        return nn.Identity() if real_input and role == "A" else make(role, shape)

    layers = Layers(either, oracle.OPTIONS)
    if method:
        gradients = {"gradients": "bfloat16"} if rounded else {}
        options = Binarization.model_validate(method.fixes | gradients)
        layers = Layers(either, options, method.conv, method.linear)
    net = BACKBONES.build(backbone, params).build(CLASSES, IMAGE[0], layers).to(device)
    clock.set(HALFWAY)
    return Model(net, clock, method)


def build_real(backbone: str, params: dict[str, Any], device: torch.device) -> nn.Module:
    """The same network in full precision, untrained: what a method learns from costs as much."""
    seed_everything(0)
    layers = Layers(None, Binarization())
    return BACKBONES.build(backbone, params).build(CLASSES, IMAGE[0], layers).to(device)


def build_skeleton(backbone: str, params: dict[str, Any]) -> nn.Module:
    """A network that multiplies what those do, and binarizes nothing."""
    task = Native(IMAGE[1], CLASSES, IMAGE[0])
    return macs.skeleton(BACKBONES.build(backbone, params), task)
