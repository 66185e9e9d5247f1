"""
ApproxSign, the estimator of Bi-Real Net: a parabola on each side of 0.

    forward    y = sign(z)
    value      f(z) = 2z - sign(z) z²    for |z| < 1,  sign(z) beyond
    backward   f'(z) = max(0, 2 - 2|z|)
    knob       none

Its slope at 0 is 2 and falls to 0 at |z| = 1, where f has reached sign.

Reference: Liu et al., ECCV 2018, arXiv:1808.00278, for activations; `bi_real` is all of the method.
"""

from torch import Tensor

from bench.plugin import Surrogate


class ApproxSign(Surrogate):
    formula = "f(z) = 2z - sign(z) z²"
    kind = "polynomial function"

    def value(self, z: Tensor, _: Tensor, /) -> Tensor:
        r = z.abs().clamp(max=1)
        return (2 * r - r**2) * z.sign()

    def slope(self, z: Tensor, _: Tensor, /) -> Tensor:
        return (2 - 2 * z.abs()).clamp(min=0)
