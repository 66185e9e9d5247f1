"""Which cells several processes can train together, each with its share of every batch."""

from collections.abc import Iterable

from bench.base.text import count
from bench.errors import UsageError
from bench.registry import ESTIMATORS
from bench.spec.cell import Cell


def find_obstacle(cell: Cell, size: int) -> str:
    """
    Say why so many processes cannot train a cell together; nothing if they can.

    Raises:
        PluginError: a plugin of the cell is missing or broken.
    """
    if size == 1:
        return ""
    if size > (images := cell.recipe.batch_size):
        return f"its batches have {count(images, 'image')}"
    names = [ref.name for ref in (cell.weights, cell.activations) if ref]
    while names:
        plugin = ESTIMATORS.load(name := names.pop())
        if not plugin.shares:
            return f"{name} looks at a batch as a whole (`shares = False`)"
        names += plugin.uses
    return ""


def refuse_ranks(cells: Iterable[Cell], size: int) -> None:
    """
    See that so many processes can train each of these cells together.

    Raises:
        UsageError: they cannot; one line names the first cell, and how many there are.
    """
    found = [(cell, why) for cell in cells if (why := find_obstacle(cell, size))]
    if found:
        cell, why = found[0]
        others = f"; {count(len(found) - 1, 'cell')} more" if len(found) > 1 else ""
        name, _, _ = cell.slug.partition("__")
        message = f"{name} cannot be trained by {size} processes: {why}{others}"
        raise UsageError(message)
