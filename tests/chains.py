"""A method of two stages with a teacher, small and in a folder of its own."""

from pathlib import Path

METHOD = '''"""
A toy of two stages that learns from a teacher.

    forward    y = sign(z)
    backward   straight through
    loss       cross entropy, and a tenth of the distance to what the teacher says
    stages     real weights at first, if `first: real`; then signs

Reference: none.
"""

import os
from typing import Any

import torch
from torch import Tensor, nn

from bench.plugin import Clock, Coach, Literal, Method, Recipe, Role, Seen, Stage, ste_sign


class Toy(Method):
    formula = "f(z) = z"
    kind = "method: a toy"
    aux = "stages, teacher"
    teacher = True

    phase: Literal["first", "last"] = "last"
    real_first: bool = False
    keep: Literal["last", "best"] = "last"

    def stages(self) -> tuple[Stage, ...]:
        if self.real_first:
            return (Stage(real=True, epochs=1), Stage())
        first: dict[str, Any] = {"phase": "first"}
        return (Stage(first, epochs=1, lr=0.05, keep=self.keep), Stage({"phase": "last"}))

    def coach(self, net: nn.Module, clock: Clock, recipe: Recipe) -> Coach:
        if os.environ.get("TOY_FAILS") == self.phase:
            raise ValueError("not today")
        return Pupil(recipe)

    def weight_binarizer(self, shape: tuple[int, ...], clock: Clock, zero: int) -> nn.Module:
        return Signs(zero)

    def input_binarizer(self, channels: int, clock: Clock, zero: int) -> nn.Module:
        return Shifted(channels, zero)


class Signs(nn.Module):
    signs = True

    def __init__(self, zero: int) -> None:
        super().__init__()
        self.zero = zero

    def forward(self, w: Tensor) -> Tensor:
        return ste_sign(w, self.zero)


class Shifted(nn.Module):
    signs = True

    def __init__(self, channels: int, zero: int) -> None:
        super().__init__()
        self.shift, self.zero = nn.Parameter(torch.zeros(())), zero

    def forward(self, x: Tensor) -> Tensor:
        return ste_sign(x + self.shift, self.zero)


class Pupil(Coach):
    taps = frozenset({"teacher"})

    def loss(self, logits: Tensor, labels: Tensor, seen: Seen) -> Tensor:
        taught = seen.teacher
        assert taught is not None
        return super().loss(logits, labels, seen) + 0.1 * (logits - taught.logits).square().mean()
'''
SUITE = """
estimators: {toy: {}}
backbones:
  resnet20: {width: 2}
data:
  digits: {train: 64, test: 50}
seeds: [0]
train: {epochs: 2, batch_size: 32, lr: 0.1}
plugins: [./plugins]
"""


def write(home: Path, suite: str = SUITE, name: str = "toy") -> Path:
    """A suite file, beside it the folder with the method."""
    (home / "plugins").mkdir(parents=True, exist_ok=True)
    (home / "plugins" / "toy.py").write_text(METHOD, encoding="utf-8")
    path = home / f"{name}.yaml"
    path.write_text(suite, encoding="utf-8")
    return path
