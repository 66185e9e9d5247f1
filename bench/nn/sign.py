"""
Sign, and the one rule by which a gradient crosses it.

    forward    y = sign(z)
    backward   dL/dz = f'(z) · dL/dy

f' is an estimator's `slope`. It is computed from z in the backward pass, so nothing but z
is kept; what training multiplies by is the very function that the checks and plots call.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.overrides import handle_torch_function, has_torch_function

Slope: TypeAlias = Callable[[Tensor, Tensor], Tensor]


def sign(z: Tensor, zero: int = 0) -> Tensor:
    """
    Sign of z in {-1, `zero`, +1}, shaped like z and of its dtype; no gradient flows.

    `zero` = 0 is the released ReSTE code (`torch.sign`); +1 gives a codomain of two values.
    """
    y = torch.sign(z.detach())
    return y if zero == 0 else y.add_(upto(y.abs(), 0), alpha=zero)


def upto(r: Tensor, t: float) -> Tensor:
    """
    1[r ≤ t], shaped like r and of its dtype; no gradient flows.

    Masks as numbers multiply; as booleans they would branch, ten times slower on a CPU.
    """
    if has_torch_function((r,)):  # a range of `bench check`'s proofs
        return handle_torch_function(upto, (r,), r, t)
    r = r.detach()
    if torch.compiler.is_compiling():  # which keeps the boolean in a register
        return torch.where(r <= t, 1.0, 0.0).to(r.dtype)
    return torch.le(r, t, out=torch.empty_like(r))


def piecewise(r: Tensor, t: float, inner: Tensor, outer: Tensor) -> Tensor:
    """`inner` where r ≤ t, `outer` beyond, both finite: shaped like r, and of its dtype."""
    if has_torch_function((r,)):  # a range of `bench check`'s proofs
        return torch.where(r <= t, inner, outer)
    inner, outer = (x.to(r.dtype).expand_as(r) for x in (inner, outer))
    if torch.compiler.is_compiling():
        return torch.where(r <= t, inner, outer)
    return torch.lerp(outer, inner, upto(r, t))  # either end comes out as it is


class _Crossing(torch.autograd.Function):
    """The rule at the top of this file as autograd wants it."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, knob: Tensor, slope: Slope, zero: int) -> Tensor:
        ctx.save_for_backward(z, knob)
        ctx.slope = slope
        return sign(z, zero)

    @staticmethod
    def backward(ctx: Any, *dy: Tensor) -> tuple[Tensor, None, None, None]:
        z, knob = ctx.saved_tensors
        return dy[0] * ctx.slope(z, knob), None, None, None


def cross(z: Tensor, knob: Tensor, slope: Slope, zero: int = 0) -> Tensor:
    """Return sign(z) with `slope(z, knob)` in place of its derivative."""
    crossed: Tensor = _Crossing.apply(z, knob, slope, zero)  # pyright: ignore[reportAssignmentType]
    return crossed


class _LearnedCrossing(torch.autograd.Function):
    """sign forward; backward that of f, with respect to z and to the knob."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, knob: Tensor, value: Slope, zero: int) -> Tensor:
        ctx.save_for_backward(z, knob)
        ctx.value = value
        return sign(z, zero)

    @staticmethod
    def backward(ctx: Any, *dy: Tensor) -> tuple[Tensor, Tensor, None, None]:
        z, knob = ctx.saved_tensors
        with torch.enable_grad():
            z, knob = z.detach().requires_grad_(), knob.detach().requires_grad_()
            value = ctx.value(z, knob).expand_as(z)
            if not value.requires_grad:
                return torch.zeros_like(z), torch.zeros_like(knob), None, None
            dz, dknob = torch.autograd.grad(value, (z, knob), dy, materialize_grads=True)
        return dz, dknob, None, None


def cross_learned(z: Tensor, knob: Tensor, value: Slope, zero: int = 0) -> Tensor:
    """Return sign(z) with `value(z, knob)` differentiated in its place, knob included."""
    crossed: Tensor = _LearnedCrossing.apply(z, knob, value, zero)  # pyright: ignore[reportAssignmentType]
    return crossed
