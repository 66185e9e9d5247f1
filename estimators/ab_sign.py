"""
The sign of A&B BNN: a logistic function.

    forward    y = sign(z)
    value      f(z) = 2σ(αz) - 1 = tanh(αz/2)
    backward   f'(z) = 2α σ(αz) (1 - σ(αz)) = α/2 (1 - tanh²(αz/2))
    knob       none

EDE with t = α/2 that does not move: 1.5 at z = 0 with α = 3.

Reference: A&B BNN, CVPR 2024, and α = 3 of its released code.
"""

import torch
from torch import Tensor

from bench.plugin import Annotated, Field, Surrogate


class ABSign(Surrogate):
    formula = "f(z) = 2σ(αz) - 1"
    kind = "tanh-like"

    alpha: Annotated[float, Field(gt=0)] = 3.0

    def value(self, z: Tensor, _: Tensor, /) -> Tensor:
        return torch.tanh(self.alpha / 2 * z)

    def slope(self, z: Tensor, _: Tensor, /) -> Tensor:
        return self.alpha / 2 * (1 - torch.tanh(self.alpha / 2 * z) ** 2)
