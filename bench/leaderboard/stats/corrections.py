"""
Corrections of p values for their number, by the names that commands know them by.

holm: Holm (1979), bounds the chance of any false difference, whatever depends on what.
fdr: Benjamini and Hochberg (1995), bounds the expected part of false among found differences where
these are independent or depend positively, which pairs that share a row need not do.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.spec.choices import Correction


@dataclass(frozen=True)
class Method:
    """How p values are corrected, and what tables say of it."""

    adjust: Callable[[Sequence[float]], list[float]]
    about: str


def adjusted(p: Sequence[float], correction: Correction) -> list[float]:
    """p values corrected for their number, in the order given."""
    return METHODS[correction].adjust(p)


def _holm(p: Sequence[float]) -> list[float]:
    corrected, bound = [1.0] * len(p), 0.0
    for step, i in enumerate(_ascending(p)):
        bound = max(bound, (len(p) - step) * p[i])
        corrected[i] = min(1.0, bound)
    return corrected


def _benjamini_hochberg(p: Sequence[float]) -> list[float]:
    corrected, bound = [1.0] * len(p), 1.0
    for step, i in reversed([*enumerate(_ascending(p), start=1)]):
        bound = min(bound, p[i] * len(p) / step)
        corrected[i] = bound
    return corrected


def _ascending(p: Sequence[float]) -> list[int]:
    return sorted(range(len(p)), key=lambda i: p[i])


METHODS: dict[Correction, Method] = {
    "holm": Method(_holm, "Holm's correction, 5 % for any"),
    "fdr": Method(_benjamini_hochberg, "Benjamini and Hochberg's correction, 5 % of those found"),
}
