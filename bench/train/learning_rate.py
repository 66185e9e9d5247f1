"""How far training has come, and its learning rate, both constant within an epoch."""

import math
from collections.abc import Callable

from bench.spec.cell import LRRule, Recipe


def epoch_progress(recipe: Recipe, e: int) -> float:
    """p of epoch e = 0..E-1: e/E, which never reaches 1, or e/(E-1)."""
    return e / (recipe.epochs if recipe.progress == "e/E" else max(recipe.epochs - 1, 1))


def learning_rate(recipe: Recipe, e: int) -> float:
    """
    The learning rate of epoch e = 0..E-1.

    Warm-up, W epochs: lr (e+1)/W. Then, with d = max(W - 1, 0) and q = (e - W)/(E - W),

        reference      lr (1 + cos(π(e - 2d)/(E - d))) / (1 + cos(πd/(E - d)))
        clean          lr (1 + cos(πq)) / 2
        linear         lr + (lr_end - lr) q
        linear_early   lr + (lr_end - lr) (e + 1 - W)/(E - W)
        step           lr · the product of lr_factor over all of lr_steps that are ≤ e,
                       or lr · lr_factor^⌊e/lr_every⌋
        exponential    lr (lr_end/lr)^q
        constant       lr

    `reference` is the released ReSTE code's cosine, which lags d epochs. `linear_early` is a
    scheduler that steps before the epoch, as ReActNet's does: the last epoch has lr_end. The others
    would reach their end in an epoch E. The epochs of `step` count from the first of warm-up.
    """
    if e < recipe.warmup:
        return recipe.lr * (e + 1) / recipe.warmup
    return RULES[recipe.lr_rule](recipe, e)


def _reference(r: Recipe, e: int) -> float:
    d = max(r.warmup - 1, 0)
    wave = 1 + math.cos(math.pi * (e - 2 * d) / (r.epochs - d))
    return r.lr * wave / (1 + math.cos(math.pi * d / (r.epochs - d)))


def _clean(r: Recipe, e: int) -> float:
    return r.lr * (1 + math.cos(math.pi * (e - r.warmup) / (r.epochs - r.warmup))) / 2


def _linear(r: Recipe, e: int) -> float:
    return r.lr + (r.lr_end - r.lr) * (e - r.warmup) / (r.epochs - r.warmup)


def _step(r: Recipe, e: int) -> float:
    if r.lr_every:
        return r.lr * r.lr_factor[0] ** (e // r.lr_every)
    each = r.lr_factor * len(r.lr_steps) if len(r.lr_factor) == 1 else r.lr_factor
    passed = (factor for at, factor in zip(r.lr_steps, each, strict=True) if at <= e)
    return r.lr * math.prod(passed)


def _exponential(r: Recipe, e: int) -> float:
    return r.lr * (r.lr_end / r.lr) ** ((e - r.warmup) / (r.epochs - r.warmup))


RULES: dict[LRRule, Callable[[Recipe, int], float]] = {
    "reference": _reference,
    "clean": _clean,
    "linear": _linear,
    "linear_early": lambda r, e: _linear(r, e + 1),
    "step": _step,
    "exponential": _exponential,
    "constant": lambda r, _: r.lr,
}
