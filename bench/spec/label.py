"""
Labels of rows and networks: a name, and in brackets the values that a matrix or cross made it of.

    resnet20(width=8,gradients=bfloat16)
"""

import re

BETWEEN = re.compile(r",(?=\w+=)")  # values; a list has commas of its own


def base_label(label: str) -> str:
    """Return a label as the suite writes it: `resnet20`."""
    return label.partition("(")[0]


def label_values(label: str) -> dict[str, str]:
    """Return what stands in its brackets: width `8`, gradients `bfloat16`."""
    inner = label.partition("(")[2].removesuffix(")")
    words = [word.partition("=") for word in BETWEEN.split(inner)]
    return {key: value for key, equals, value in words if equals}


def without_value(label: str, key: str) -> str:
    """Leave one of the values out: `resnet20(width=8)`."""
    kept = [f"{k}={value}" for k, value in label_values(label).items() if k != key]
    return base_label(label) + (f"({','.join(kept)})" if kept else "")
