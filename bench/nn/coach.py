"""
What stands beside a network while it trains: the part of a method that is not in a layer.

A coach gives the loss, and may act around each step. The trainer calls it in this order:

    begin_epoch         before the first step of an epoch
    before_step         before the forward pass
    loss                of the forward pass; it may be compiled
    after_backward      gradients are there, the optimizer has not looked at them
    after_step          parameters are updated

Nothing of a coach is in the trained network. Its own parameters train beside the network's, its
buffers are kept in checkpoints.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.spec.cell import Recipe

# preact: what reaches each Hardtanh or, in a network without, the sign of each binary layer;
# stage: the outputs of the backbone's stages; teacher: the teacher's logits and stages.
Tap: TypeAlias = Literal["preact", "stage", "teacher"]

# parameter, gradient, the parameter's own state, the learning rate: updates parameter and state
Rule: TypeAlias = Callable[[Tensor, Tensor, dict[str, Any], float], None]


@dataclass(frozen=True)
class Seen:
    """What a coach asked to see of one forward pass; what it did not ask for is empty."""

    preact: tuple[Tensor, ...] = ()
    stage: tuple[Tensor, ...] = ()
    teacher: "Teaching | None" = None


@dataclass(frozen=True)
class Teaching:
    """What the teacher says of the same images; no gradient flows."""

    logits: Tensor
    stage: tuple[Tensor, ...] = ()


@dataclass(frozen=True)
class Group:
    """
    Parameters that train otherwise than the recipe says.

    Args:
        parameters: of the network or the coach; none may be in two groups.
        factor: times the recipe's learning rate.
        weight_decay: None: as the recipe has it for them.
        rule: None: the recipe's optimizer; a name: that one, with torch's defaults and the recipe's
            momentum; or a function that updates one parameter in place (without weight decay). It
            may keep numbers in the state, and tensors shaped like the parameter.
    """

    parameters: Sequence[nn.Parameter]
    factor: float = 1.0
    weight_decay: float | None = None
    rule: Literal["sgd", "adam", "adamw"] | Rule | None = None


def recipe_loss(logits: Tensor, labels: Tensor, recipe: Recipe) -> Tensor:
    """
    The loss that a recipe names, a 0-d tensor; with K classes, y the label of an image:

        cross_entropy    mean over images of Σ_k -q_k log softmax(logits)_k,
                         q_k = (1 - s) 1[k = y] + s/K, s = label_smoothing
        squared_hinge    mean over images and classes of max(0, 1 - t_k logit_k)²,
                         t_k = 1 where k = y, else -1: an L2-SVM for each class

    Args:
        logits: (N, K).
        labels: (N,).
        recipe: says which, and s.
    """
    if recipe.loss == "cross_entropy":
        return F.cross_entropy(logits, labels, label_smoothing=recipe.label_smoothing)
    targets = torch.full_like(logits, -1).scatter(1, labels[:, None], 1)
    return (1 - targets * logits).clamp(min=0).square().mean()


class Coach(nn.Module):
    """
    The recipe's loss, and nothing else: what trains a network that no method changes.

    Layers of the network are kept in lists and tuples, or torch would take them for the coach's.

    Attributes:
        taps: what `loss` wants to see.
    """

    taps: ClassVar[frozenset[Tap]] = frozenset()

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        self.recipe = recipe

    def loss(self, logits: Tensor, labels: Tensor, seen: Seen) -> Tensor:
        """
        What training minimizes, a 0-d tensor.

        Args:
            logits: (N, classes).
            labels: (N,).
            seen: what `taps` asked for.
        """
        return recipe_loss(logits, labels, self.recipe)

    def begin_epoch(self, epoch: int, lr: float) -> None:
        """Before the first step of `epoch` = 0..E-1; called again where a resumed one goes on."""

    def before_step(self) -> None:
        """Before the forward pass."""

    def after_backward(self) -> None:
        """Gradients are there; weight decay is not yet in them."""

    def after_step(self) -> None:
        """The optimizer has updated the parameters."""

    def groups(self) -> list[Group]:
        """The parameters that train otherwise; all others train by the recipe."""
        return []


class Distilled(Coach):
    """
    Cross entropy with what the teacher says in place of labels: ReActNet's loss.

    The recipe's loss and label smoothing, which are of labels, have no part in it.
    """

    taps = frozenset({"teacher"})

    def loss(self, logits: Tensor, labels: Tensor, seen: Seen) -> Tensor:
        """Return -Σ softmax(teacher) log softmax(logits), the mean of the batch."""
        if seen.teacher is None:
            message = "learns from a teacher, and none is there"
            raise ValueError(message)
        return F.cross_entropy(logits, seen.teacher.logits.softmax(1))


@dataclass(frozen=True)
class Stage:
    """
    One of the trainings of a method, each going on from the weights of the one before.

    Parameters and buffers of equal name and shape are taken over; others keep their first values.
    Each stage has a coach of its own, an optimizer that remembers nothing, and its own schedule.

    Args:
        fields: of the method, in this stage.
        real: train the network in full precision, without a coach or teacher.
        epochs: of the recipe's; None: as many.
        lr: None: the recipe's.
        weight_decay: None: the recipe's.
        keep: which weights the next stage goes on from.
    """

    fields: dict[str, Any] = field(default_factory=dict[str, Any])
    real: bool = False
    epochs: int | None = None
    lr: float | None = None
    weight_decay: float | None = None
    keep: Literal["last", "best"] = "last"
