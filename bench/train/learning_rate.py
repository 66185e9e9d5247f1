"""How far training has come, and its learning rate, both constant within an epoch."""

import math

from bench.spec.cell import Recipe


def epoch_progress(recipe: Recipe, e: int) -> float:
    """p of epoch e = 0..E-1: e/E, which never reaches 1, or e/(E-1)."""
    return e / (recipe.epochs if recipe.progress == "e/E" else max(recipe.epochs - 1, 1))


def learning_rate(recipe: Recipe, e: int) -> float:
    """
    The learning rate of epoch e = 0..E-1.

    Warm-up, W epochs: lr (e+1)/W. Then, with d = max(W - 1, 0),
    `reference`: lr (1 + cos(π(e - 2d)/(E - d))) / (1 + cos(πd/(E - d))), the released code's
    cosine, which lags d epochs; `clean`: lr (1 + cos(π(e - W)/(E - W))) / 2.
    """
    epochs, warmup = recipe.epochs, recipe.warmup
    if e < warmup:
        return recipe.lr * (e + 1) / warmup
    if recipe.lr_rule == "clean":
        return recipe.lr * (1 + math.cos(math.pi * (e - warmup) / (epochs - warmup))) / 2
    d = max(warmup - 1, 0)
    wave = 1 + math.cos(math.pi * (e - 2 * d) / (epochs - d))
    return recipe.lr * wave / (1 + math.cos(math.pi * d / (epochs - d)))
