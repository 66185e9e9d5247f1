"""What a coach asked to see of the forward pass that just ran."""

from typing import Any

import torch
from torch import Tensor, nn

from bench.errors import UsageError
from bench.nn.coach import Coach, Seen, Teaching
from bench.nn.layers import binary_layers


class Observer:
    """
    Keeps the tensors that a coach's `taps` name, from one forward pass to its loss.

    Only training is observed: what an evaluation left would enter the next loss.

    Args:
        net: the network that trains.
        teacher: the network to learn from, in evaluation mode; None: there is none.

    Raises:
        UsageError: the coach asks for what these networks do not have.
    """

    def __init__(self, net: nn.Module, coach: Coach, teacher: nn.Module | None) -> None:
        self.preact: list[Tensor] = []
        self.stage: list[Tensor] = []
        self.teacher_stage: list[Tensor] = []
        self.teacher = teacher if "teacher" in coach.taps else None
        who = type(coach).__name__
        if "teacher" in coach.taps and teacher is None:
            message = f"{who} learns from a teacher, and there is none"
            raise UsageError(message)
        if "preact" in coach.taps:
            _observe_preactivations(net, self.preact)
        if "stage" in coach.taps:
            _observe_stages(net, self.stage, who)
            if self.teacher is not None:
                _observe_stages(self.teacher, self.teacher_stage, who, always=True)

    def take(self, images: Tensor) -> Seen:
        """What the forward pass of these images left; it is kept no longer."""
        teaching = None
        if self.teacher is not None:
            with torch.no_grad():
                logits = self.teacher(images)
            teaching = Teaching(logits, _emptied(self.teacher_stage))
        return Seen(_emptied(self.preact), _emptied(self.stage), teaching)


def _emptied(kept: list[Tensor]) -> tuple[Tensor, ...]:
    found = tuple(kept)
    kept.clear()
    return found


def _observe_preactivations(net: nn.Module, kept: list[Tensor]) -> None:
    """Keep what reaches each Hardtanh or, where there is none, each binary layer."""

    def keep(module: nn.Module, args: tuple[Any, ...]) -> None:
        if module.training:
            kept.append(args[0])

    clips = [m for m in net.modules() if isinstance(m, nn.Hardtanh)]
    for module in clips or [layer for _, layer in binary_layers(net)]:
        module.register_forward_pre_hook(keep)


def _observe_stages(net: nn.Module, kept: list[Tensor], who: str, *, always: bool = False) -> None:
    def keep(module: nn.Module, _: object, output: Tensor) -> None:
        if always or module.training:
            kept.append(output)

    names: tuple[str, ...] = getattr(net, "stages", ())
    if not names:
        message = f"{who} looks at the stages of a network, and this one names none"
        raise UsageError(message)
    for name in names:
        net.get_submodule(name).register_forward_hook(keep)
