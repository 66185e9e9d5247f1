"""Means that stay finite."""

import sys
from collections.abc import Iterable
from statistics import fmean

LARGEST = sys.float_info.max


def mean(values: Iterable[float]) -> float:
    """The mean, `LARGEST` where the sum is beyond: records write that for infinity."""
    try:
        return fmean(values)
    except OverflowError:
        return LARGEST
