"""
Powers of positive numbers: r^c = 2^(c log2 r).

A processor overlaps the next numbers with these only while its queue of waiting instructions holds
both, some hundred; the exponential and the logarithm of a library are more. Compiled for a CPU, a
power is two polynomials and the exponent's bits instead, to 3e-7 of it where r is in [0.1, 1.5]
and the exponent in [-1, 1].
"""

import struct

import torch
from torch import Tensor

ROOT_HALF = 0x3F3504F3  # the bits of sqrt(1/2)

# log2(1 + m)/m on [sqrt(1/2) - 1, sqrt(2) - 1] to 4e-8, and (2^u - 1)/u on [-1/2, 1/2] to 4e-9 of
# the power: minimax, by Lawson's weights on Chebyshev nodes
LOG2 = (
    *(1.4426950216293335, -0.7213472127914429, 0.4809102714061737, -0.3607162535190582),
    *(0.2879391014575958, -0.23867568373680115, 0.21521227061748505, -0.2089337855577469),
    0.1292642056941986,
)
EXP2 = (
    *(0.6931471824645996, 0.24022650718688965, 0.055503278970718384, 0.009618003852665424),
    *(0.001340026967227459, 0.00015476299449801445),
)


def power(r: Tensor, exponent: Tensor, low: float, high: float) -> Tensor:
    """
    r^exponent for r in [low, high], low > 0, shaped like r and of its dtype; exponent is 0-d.

    Beyond, it is what it is at the nearer end. NaN stays NaN.
    """
    if torch.compiler.is_compiling() and _has_bits(r):
        return by_bits(r, exponent.to(r.dtype), low, high)
    return torch.exp(exponent * torch.log(r.clamp(low, high)))


def _has_bits(r: Tensor) -> bool:
    return r.dtype == torch.float32 and r.device.type == "cpu" and not r.requires_grad


@torch.compiler.assume_constant_result
def _bits(x: float) -> int:
    """A float32 number's bits, as an integer."""
    number: int = struct.unpack("<i", struct.pack("<f", x))[0]
    return number


def by_bits(r: Tensor, c: Tensor, low: float, high: float) -> Tensor:
    """`power` of finite float32 numbers r ≥ 0, low normal; 0 below 2^-127, inf from 2^127.5."""
    # positive numbers are ordered as their bits are
    bits = r.view(torch.int32).clamp(_bits(low), _bits(high))
    e = (bits - ROOT_HALF) >> 23  # r = 2^e (1 + m)
    m = (bits - (e << 23)).view(torch.float32) - 1
    t = c * (e.to(torch.float32) + m * _polynomial(m, LOG2))
    n = torch.round(t)  # 2^t = 2^n 2^u
    u = t - n
    scale = ((n.to(torch.int32).clamp(-127, 128) + 127) << 23).view(torch.float32)
    return (1 + u * _polynomial(u, EXP2)) * scale + 0 * r  # of NaN's bits nothing is left


def _polynomial(x: Tensor, coefficients: tuple[float, ...]) -> Tensor:
    """Of ascending powers, by Estrin's scheme: a tree of sums, not a chain."""
    terms: list[Tensor | float] = list(coefficients)
    while len(terms) > 1:
        pairs = zip(terms[::2], terms[1::2], strict=False)
        terms = [a + b * x for a, b in pairs] + terms[len(terms) // 2 * 2 :]
        x = x * x
    assert isinstance(terms[0], Tensor)
    return terms[0]
