"""
SignSwish, the estimator of BNN+.

    forward    y = sign(z)
    value      f(z) = 2σ(βz) (1 + βz (1 - σ(βz))) - 1 = tanh(βz/2) + βz/2 sech²(βz/2)
    backward   f'(z) = β (2 - βz tanh(βz/2)) / (1 + cosh βz) = β/2 (2 - βz tanh(βz/2)) sech²(βz/2)
    knob       none

Its slope at 0 is β, and negative beyond |z| = 2.4/β, where f has overshot sign. With
q = e^-|βz|, sech²(βz/2) = 4q / (1 + q)² and tanh(|βz|/2) = (1 - q) / (1 + q), none of which
overflows.

Reference: Darabi et al., 2018, arXiv:1812.11800; β = 5 is also the default of larq's SwishSign.
"""

import torch
from torch import Tensor

from bench.plugin import Annotated, Field, Surrogate


class SignSwish(Surrogate):
    formula = "f(z) = 2σ(βz) (1 + βz (1 - σ(βz))) - 1"
    kind = "swish function"

    beta: Annotated[float, Field(gt=0)] = 5.0

    def value(self, z: Tensor, _: Tensor, /) -> Tensor:
        u = (self.beta * z.abs()).clamp(max=100)  # finite in half precision, too
        q = torch.exp(-u)
        return ((1 - q) / (1 + q) + 2 * u * q / (1 + q) ** 2) * z.sign()

    def slope(self, z: Tensor, _: Tensor, /) -> Tensor:
        u = (self.beta * z.abs()).clamp(max=100)  # finite in half precision, too
        q = torch.exp(-u)
        return 2 * self.beta * (2 - u * (1 - q) / (1 + q)) * q / (1 + q) ** 2
