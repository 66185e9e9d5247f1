"""
Powers, tanh, sine and cosine, each in some twenty instructions.

A processor overlaps the next numbers with these only while its queue of waiting instructions holds
both, some hundred; a library's functions are more. Compiled for a CPU, ours are polynomials and
operations on bits instead, as exact as float32 lets them be but for a rounding or two.
"""

import math

import torch
from torch import Tensor

NARROW = (torch.float32, torch.bfloat16)  # what float32 is enough for
ROOT_HALF = 0x3F3504F3  # the bits of sqrt(1/2)
SHIFT = 1.5 * 2**23  # added to a float32 number, it leaves no place for digits after the point
PI = (3.1415927410125732, -8.742277657347586e-08)  # the float32 next to π, and what is left

# Minimax polynomials, by Lawson's weights on Chebyshev nodes:
# log2(1 + m)/m on [sqrt(1/2) - 1, sqrt(2) - 1] to 4e-8; (2^u - 1)/u on [-1/2, 1/2] to 4e-9 of 2^u;
# (sin(r)/r - 1)/r² in r² on [-π/2, π/2] to 6e-9 of sin
LOG2 = (
    *(1.4426950216293335, -0.7213472127914429, 0.4809102714061737, -0.3607162535190582),
    *(0.2879391014575958, -0.23867568373680115, 0.21521227061748505, -0.2089337855577469),
    0.1292642056941986,
)
EXP2 = (
    *(0.6931471824645996, 0.24022650718688965, 0.055503278970718384, 0.009618003852665424),
    *(0.001340026967227459, 0.00015476299449801445),
)
SIN = (
    *(-0.16666659712791443, 0.008333064615726471, -0.00019809475634247065),
    2.605481540740584e-06,
)


def power(r: Tensor, exponent: Tensor, low: float, high: float) -> Tensor:
    """
    r^exponent for r in [low, high], low > 0, shaped like r and of its dtype; exponent is 0-d.

    Of a finite r beyond, it is what it is at the nearer end. NaN stays NaN.
    """
    if torch.compiler.is_compiling() and _for_bits(r):
        return power_by_bits(r.float(), exponent.float(), low, high).to(r.dtype)
    return torch.exp(exponent * torch.log(r.clamp(low, high)))


def _for_bits(r: Tensor) -> bool:
    return r.dtype in NARROW and r.device.type == "cpu" and not r.requires_grad


def _bits(x: float) -> int:
    """
    Return the bits of the float32 number next to x as an integer; x is normal, or inf.

    In arithmetic that torch's compiler computes while it traces. `struct` would need
    `torch.compiler.assume_constant_result`, which imports the compiler wherever this file is.
    """
    fraction, exponent = math.frexp(min(x, 2.0**128))  # fraction in [1/2, 1) times 2^exponent
    return ((exponent + 125) << 23) + round(fraction * 2**24)


def power_by_bits(r: Tensor, c: Tensor, low: float, high: float) -> Tensor:
    """`power` of finite float32 numbers r ≥ 0, low normal; 0 below 2^-127, inf from 2^127.5."""
    # positive numbers are ordered as their bits are
    bits = r.view(torch.int32).clamp(_bits(low), _bits(high))
    e = (bits - ROOT_HALF) >> 23  # r = 2^e (1 + m)
    m = (bits - (e << 23)).view(torch.float32) - 1
    t = c * (e.to(torch.float32) + m * _polynomial(m, LOG2))
    more, whole = _exp2(t)
    scale = _two_to(whole.clamp(_bits(SHIFT - 127), _bits(SHIFT + 128)))
    return (1 + more) * scale + 0 * r  # of NaN's bits nothing is left


def tanh(x: Tensor) -> Tensor:
    """tanh x of float32 numbers, to 2e-7 of it: (e - 1)/(e + 1) of e = 2^(2x/ln 2)."""
    t = (2 / math.log(2) * x).clamp(-30, 30)  # beyond, it is 1
    more, whole = _exp2(t)
    scale = _two_to(whole)
    less = scale * more + (scale - 1)  # e - 1
    return less / (less + 2)


def sin(x: Tensor) -> Tensor:
    """sin x of float32 numbers, to 2e-7 and half an ulp of x up to 10^7, then just in [-1, 1]."""
    return _wave(x, 0)


def cos(x: Tensor) -> Tensor:
    """cos x of float32 numbers, to 2e-7 and half an ulp of x up to 10^7, then just in [-1, 1]."""
    return _wave(x, 0.5)


def _wave(x: Tensor, ahead: float) -> Tensor:
    """sin(x + π ahead), ahead = 0 or 1/2: of x = (k - ahead) π + r it is (-1)^k sin r."""
    k, whole = _nearest(x * (1 / math.pi) + ahead)
    n = k - ahead
    r = (x - n * PI[0] - n * PI[1]).clamp(-2, 2)
    q = r * r
    wave = r + r * q * _polynomial(q, SIN)
    return (wave.view(torch.int32) + (whole << 31)).view(torch.float32)


def _exp2(t: Tensor) -> tuple[Tensor, Tensor]:
    """Of 2^t = 2^n (1 + v): v, and n as `_nearest` gives it."""
    n, whole = _nearest(t)
    u = t - n
    return u * _polynomial(u, EXP2), whole


def _nearest(t: Tensor) -> tuple[Tensor, Tensor]:
    """The whole number next to t, |t| < 2^22, and an integer with its last bits."""
    high = t + SHIFT
    return high - SHIFT, high.view(torch.int32)


def _two_to(whole: Tensor) -> Tensor:
    """2^n of n in [-126, 127] as `_nearest` gives it, 0 of -127, and inf of 128."""
    return ((whole + 127) << 23).view(torch.float32)


def _polynomial(x: Tensor, coefficients: tuple[float, ...]) -> Tensor:
    """Of ascending powers, by Estrin's scheme: a tree of sums, not a chain."""
    terms: list[Tensor | float] = list(coefficients)
    while len(terms) > 1:
        pairs = zip(terms[::2], terms[1::2], strict=False)
        terms = [a + b * x for a, b in pairs] + terms[len(terms) // 2 * 2 :]
        x = x * x
    assert isinstance(terms[0], Tensor)
    return terms[0]
