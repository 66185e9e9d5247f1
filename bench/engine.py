"""
Eager or compiled: whether a cell's training step is worth compiling.

`torch.compile` takes the better part of a minute once for each graph, and a few seconds in each
process that finds it on the disk. The law is one of the cell alone, not of the machine's speed, so
that the cell is trained alike whenever it is trained.
"""

import shutil

from bench import cost, model
from bench.cell import Cell
from bench.data import Dataset
from bench.plugin import Native

WORTH = 2e13  # floating-point operations of a training that earn compilation back


def operations(cell: Cell, data: Dataset) -> float:
    """Of training: three passes (forward, and backward to inputs and weights), two for each MAC."""
    channels, _, side = data.shape
    task = Native(side, data.num_classes, channels)
    counted = cost.cost(model.backbone(cell), binary=cell.weights is not None, task=task)
    images = cell.recipe.epochs * data.sizes["train"]
    return 6.0 * (counted.binary_macs + counted.real_macs) * images


def compiles(cell: Cell, data: Dataset, device: str) -> tuple[bool, str]:
    """Is the cell's step compiled, if nobody says whether? And why, in a line."""
    needed = operations(cell, data)
    amount = f"training takes {needed:.1e} operations, and {WORTH:.0e} earn compilation back"
    if needed < WORTH:
        return False, f"eager: {amount}"
    if device == "cpu" and not any(map(shutil.which, ("c++", "g++", "clang++"))):
        return False, "eager: there is no C++ compiler here, which compilation needs on a CPU"
    return True, f"compiled: {amount}"
