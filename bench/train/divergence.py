"""
Which layer spoilt an epoch, and at which step.

In the end every layer is spoilt, and to look while training would be to wait for the device at each
step. So the trainer takes the epoch's steps again as they were, up to the first whose loss is not
finite, and that one uncompiled and watched.
"""

import math
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from functools import partial
from typing import TypeVar

import torch
from torch import Tensor, nn

from bench.train.ranks import ALONE, Ranks

T = TypeVar("T")


def first_bad_step(losses: list[Tensor]) -> int | None:
    """Return the index of the first loss that is not finite; None if all are."""
    sound: list[bool] = torch.stack(losses).isfinite().tolist()  # pyright: ignore
    return None if all(sound) else sound.index(False)


def name_culprit(
    model: nn.Module,
    steps: Iterable[tuple[int, T]],
    bad: int,
    take: Callable[[T, bool], Tensor],
    ranks: Ranks = ALONE,
) -> str:
    """
    Say in words which layer spoils a training, and at which step; nothing if that is not found.

    Args:
        model: as it was before the first of `steps`.
        steps: number and batch of each step.
        bad: the number of the step whose loss is not finite.
        take: takes a step, the last argument being whether eagerly, and returns its loss.
        ranks: the processes that take them together.
    """
    for step, batch in steps:
        if step < bad:
            take(batch, False)
            continue
        with _watch_layers(model) as (layers, spoilt):
            loss = take(batch, True)
        first = ranks.least(min(spoilt, default=math.inf))
        if math.isfinite(first):
            name = layers[int(first)]
            return f"{name} is the first layer whose output is not finite, at step {step + 1}"
        return "" if bool(loss.isfinite()) else f"at step {step + 1}, where every layer's output is"
    return ""


def name_spoilt_parameter(model: nn.Module) -> str:
    """
    Return the name of the first parameter or buffer that is not finite; nothing if all are.

    An infinite running variance leaves the loss finite, and the network in evaluation constant.
    """
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            return name
    return ""


@contextmanager
def _watch_layers(model: nn.Module) -> Generator[tuple[list[str], list[int]], None, None]:
    """
    The layers with weights, in forward order, as they are run; and which outputs are not finite.

    The latter by their place among the former.
    """
    layers: list[str] = []
    spoilt: list[int] = []

    def look(name: str, module: nn.Module, _: object, output: object) -> None:
        if isinstance(output, Tensor) and not bool(output.isfinite().all()):
            spoilt.append(len(layers))
        layers.append(f"{name or 'the network'} ({type(module).__name__})")

    modules: dict[str, nn.Module] = dict(model.named_modules())  # pyright: ignore
    hooks = [
        module.register_forward_hook(partial(look, name))
        for name, module in modules.items()
        if next(module.parameters(recurse=False), None) is not None
    ]
    try:
        yield layers, spoilt
    finally:
        for hook in hooks:
            hook.remove()
