"""
Eager or compiled: whether a cell's training step is worth compiling.

`torch.compile` takes the better part of a minute once for each graph, and a few seconds in each
process that finds it on the disk. The law is one of the cell, not of the machine's speed, so that
the cell is trained alike whenever it is trained; where nothing can be compiled it is eager.
"""

import shutil

from bench.data.dataset import Dataset
from bench.nn import macs
from bench.nn.backbone import Native
from bench.spec.cell import Cell
from bench.train import model

_counted: dict[tuple[str, bool, Native], int] = {}
WORTH = 2e13  # floating-point operations of a training that earn compilation back


def count_operations(cell: Cell, data: Dataset) -> float:
    """
    Of an epoch: three passes (forward, backward to inputs and to weights), two for each MAC.

    0 for a network that cannot be built on torch's meta device. A process counts each network once.
    """
    channels, _, side = data.shape
    task, binary = Native(side, data.num_classes, channels), cell.weights is not None
    key = cell.backbone.model_dump_json(), binary, task
    if key not in _counted:
        try:
            counted = macs.count_cost(model.build_backbone(cell), binary=binary, task=task)
        except Exception:  # a stranger's network; what is wrong with it shows in training
            return 0.0
        _counted[key] = counted.binary_macs + counted.real_macs
    return 6.0 * _counted[key] * data.sizes["train"]


def is_worth_compiling(needed: float, device: str) -> tuple[bool, str]:
    """Is a training of so many operations compiled, if nobody says whether? And why, in a line."""
    amount = f"training takes {needed:.1e} operations, and {WORTH:.0e} earn compilation back"
    if needed < WORTH:
        return False, f"eager: {amount}"
    if device == "cpu" and not any(map(shutil.which, ("c++", "g++", "clang++"))):
        return False, "eager: there is no C++ compiler here, which compilation needs on a CPU"
    if device == "mps":
        return False, "eager: of compilation nothing is known on Metal; --compile tries it"
    return True, f"compiled: {amount}"


def choose(asked: bool | None, cell: Cell, data: Dataset, device: str) -> tuple[bool, str]:
    """Is the cell's step compiled? And why, in a line."""
    if asked is None:
        return is_worth_compiling(cell.recipe.epochs * count_operations(cell, data), device)
    return asked, "compiled, as asked for" if asked else "eager, as asked for"


def is_compile_error(error: Exception) -> bool:
    """Did compilation fail, rather than what was compiled?"""
    from torch._dynamo.exc import TorchDynamoException  # which takes its time

    return isinstance(error, TorchDynamoException)
