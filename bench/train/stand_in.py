"""
In the place of an estimator that is gone: its forward pass, which is sign.

A `Surrogate` is nothing but a gradient for sign, so a trained network does not need its file. That
a recorded plugin was one, its parameters say: every surrogate has `gain`, raw or unit, and a cell
spells every parameter out.
"""

from contextlib import suppress

from torch import nn

from bench.errors import PluginError, UsageError
from bench.nn.clock import Clock
from bench.nn.contract import Estimator
from bench.nn.parts import Signs, ste_sign
from bench.registry import ESTIMATORS
from bench.results.record import Record
from bench.spec.cell import Cell, Ref, Role
from bench.train.weights import State

LEARNED = (".W.learned", ".A.learned")  # knobs, which no forward pass knows
APART = 0.01  # of accuracies on two machines


class StandIn(Estimator):
    """Sign, without the gradient that trained it."""

    formula = "sign(z)"
    kind = "gone"

    def binarizer(self, role: Role, shape: tuple[int, ...], clock: Clock, zero: int) -> Signs:
        return Signs(ste_sign, zero)


def gone(cell: Cell) -> list[str]:
    """The estimators of a cell that are not here."""
    known = ESTIMATORS.names()
    names = (ref.name for ref in (cell.weights, cell.activations) if ref)
    return [name for name in dict.fromkeys(names) if name not in known]


def find(ref: Ref) -> Estimator:
    """
    What stands in for a recorded estimator that is gone.

    Raises:
        PluginError: it was more than a gradient.
    """
    if ref.params.get("gain") not in ("raw", "unit"):
        message = (
            f"no `{ref.name}` in estimators; it was a method, whose forward pass is in its file: "
            "name its folder with --plugins"
        )
        raise PluginError(message)
    return StandIn()


def add_knobs(net: nn.Module, state: State) -> None:
    """Give a network the learned knobs that its weights have, so that they fit."""
    for name in state.keys() - net.state_dict().keys():
        place, _, field = name.rpartition(".")
        if name.endswith(LEARNED):
            with suppress(AttributeError):  # no such layer: these are another network's
                net.get_submodule(place).register_parameter(field, nn.Parameter(state[name]))


def refuse_other(record: Record, accuracy: float | None, recorded: float) -> None:
    """
    Nothing, unless a network with a stand-in predicts otherwise than was recorded.

    Args:
        accuracy: measured on the whole test split; None: it was not.
        recorded: of the same weights.

    Raises:
        UsageError: its forward pass was not sign.
    """
    names = gone(record.cell)
    if names and accuracy is not None and abs(accuracy - recorded) > APART:
        message = (
            f"`{names[0]}` is gone, and sign in its place has {100 * accuracy:.2f} % where the "
            f"record says {100 * recorded:.2f} %: its forward pass was more, name its folder "
            "with --plugins"
        )
        raise UsageError(message)
