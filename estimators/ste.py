"""
STE, the straight-through estimator, clipped.

    forward    y = sign(z)
    value      f(z) = z                  printed, BinaryConnect
               f(z) = clamp(z, ±clip)    as trained, BNN
    backward   f'(z) = 1[|z| ≤ clip]
    knob       none

Reference: Bengio et al., 2013, arXiv:1308.3432, sec. 4; the clip is Hubara et al.,
NeurIPS 2016, arXiv:1602.02830, eq. 4. ReSTE's comparisons print f(z) = z (its eq. 1).
"""

import math

from torch import Tensor

from bench.plugin import Annotated, Field, Surrogate, upto


class STE(Surrogate):
    formula = "f(z) = z"
    kind = "identity function"
    printed = {"clip": math.inf}

    clip: Annotated[float, Field(gt=0)] = 1.0

    def value(self, z: Tensor, _: Tensor, /) -> Tensor:
        return z.clamp(-self.clip, self.clip)

    def slope(self, z: Tensor, _: Tensor, /) -> Tensor:
        return upto(z.abs(), self.clip)
