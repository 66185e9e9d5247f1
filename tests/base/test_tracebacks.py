"""Where a stranger's code raised: its file and line, not the harness's or a library's."""

import json
from collections.abc import Callable

import torch
from torch import nn

from bench.base.tracebacks import find_place
from bench.nn.parts import Alpha


def place_of(call: Callable[[], object]) -> str:
    """Where a call raises."""
    try:
        call()
    except Exception as error:
        return find_place(error)
    return ""


class Raising(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x @ x.new_ones(7, 1)


def test_the_innermost_line_of_a_stranger() -> None:
    """Through torch's and the harness's calls, and libraries below it."""
    assert place_of(lambda: Raising()(torch.ones(2, 3))) == "test_tracebacks.py:24, in forward"
    assert place_of(lambda: json.loads("{")).startswith("test_tracebacks.py:")


def test_nobodys_code() -> None:
    """An error of the harness itself names no line of a plugin but its caller's."""
    error = ValueError("no traceback")

    assert find_place(error) == ""
    assert place_of(lambda: Alpha(torch.ones(2))(None)).startswith("test_")  # pyright: ignore
