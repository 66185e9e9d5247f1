"""Which fields of a recipe do not go together."""

from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.spec.cell import Recipe


def _misused(r: "Recipe") -> Iterator[str]:
    """Name the fields of a recipe that say something which its other fields do not use."""
    steps, ends = ("step",), ("linear", "linear_early", "exponential")
    defaults = {name: field.default for name, field in type(r).model_fields.items()}
    for name, user, users in (
        ("lr_steps", "lr_rule", steps),
        ("lr_every", "lr_rule", steps),
        ("lr_factor", "lr_rule", steps),
        ("lr_end", "lr_rule", ends),
        ("nesterov", "optimizer", ("sgd",)),
        ("label_smoothing", "loss", ("cross_entropy",)),
    ):
        if getattr(r, name) != defaults[name] and getattr(r, user) not in users:
            wanted = " or ".join(f"`{word}`" for word in users)
            yield f"{name} needs {user} {wanted}, which is `{getattr(r, user)}`; leave it out"


def _missing(r: "Recipe") -> Iterator[str]:
    """Say what a recipe lacks that its own fields need, or has twice."""
    if r.lr_rule == "step" and bool(r.lr_steps) == bool(r.lr_every):
        yield "lr_rule `step` needs lr_steps, a list of epochs, or lr_every, a period, one of them"
    elif len(r.lr_factor) not in (1, len(r.lr_steps)):
        count = f"{len(r.lr_factor)} factors, lr_steps {len(r.lr_steps)} epochs"
        yield f"lr_factor names {count}; give one factor, or one for each epoch"
    if r.lr_rule == "exponential" and r.lr_end == 0:
        yield "lr_rule `exponential` needs lr_end, above 0"
    if r.nesterov == "on" and r.momentum == 0:
        yield "nesterov needs momentum above 0"


@lru_cache(maxsize=1024)
def wrong_fields(r: "Recipe") -> str:
    """Say what is wrong with a recipe; cells by the thousand share one."""
    wrong: list[str] = []
    if r.warmup > r.epochs:
        wrong.append(f"warmup (={r.warmup}) must be at most epochs (={r.epochs})")
    elif r.lr_rule == "reference" and r.warmup > 1 and r.epochs < 4 * r.warmup:
        wrong.append(
            f"lr_rule `reference` needs epochs (={r.epochs}) of at least 4 warmup "
            f"(={r.warmup}), its lagging cosine overshoots below; use lr_rule: clean"
        )
    for name, named in (("histograms", r.histograms), ("lr_steps", r.lr_steps)):
        beyond = [epoch for epoch in named if not 0 <= epoch < r.epochs]
        if beyond:
            last = r.epochs - 1
            wrong.append(f"{name} names epoch {beyond[0]}, epochs run from 0 to {last}")
    return "; ".join([*wrong, *_misused(r), *_missing(r)])
