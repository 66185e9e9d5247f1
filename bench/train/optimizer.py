"""The optimizer of a recipe."""

import torch
from torch import nn

from bench.nn.coach import Coach
from bench.spec.cell import Recipe


def optimized(optimizer: torch.optim.Optimizer) -> list[nn.Parameter]:
    """Return the parameters of an optimizer, in the order of its state."""
    return [p for group in optimizer.param_groups for p in group["params"]]


def make_optimizer(
    model: nn.Module, recipe: Recipe, coach: Coach | None = None
) -> torch.optim.Optimizer:
    """Return SGD or AdamW over all parameters in one group, as in the reference."""
    if recipe.optimizer == "adamw":
        return torch.optim.AdamW(
            model.parameters(), recipe.lr, weight_decay=recipe.weight_decay, fused=True
        )
    return torch.optim.SGD(
        model.parameters(),
        recipe.lr,
        recipe.momentum,
        weight_decay=recipe.weight_decay,
        fused=True,
    )
