"""Formulas as SVG in the colour of the text around them, set by matplotlib."""

import html
import io
from typing import Any

from matplotlib import rc_context  # pyright: ignore[reportUnknownVariableType]
from matplotlib.font_manager import FontProperties
from matplotlib.mathtext import math_to_image  # pyright: ignore[reportUnknownVariableType]

INK = "#010203"  # stands for the reader's text colour


def svg(source: str, *_: Any, **__: Any) -> str:
    """The HTML of a `math` fence: each line is one formula in TeX's notation."""
    return f'<div class="formula">{"".join(map(_line, source.strip().splitlines()))}</div>'


def _line(formula: str) -> str:
    file = io.StringIO()
    with rc_context(
        {"mathtext.fontset": "stix", "svg.hashsalt": "formula", "savefig.transparent": True}
    ):
        math_to_image(f"${formula}$", file, FontProperties(size=16), format="svg", color=INK)
    image = file.getvalue().partition("<svg")[2].replace(INK, "currentColor")
    return f'<svg role="img" aria-label="{html.escape(formula)}"{image}'
