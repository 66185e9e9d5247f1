"""Networks on a device that lacks something."""

import pytest
import torch
from torch import Tensor, nn

from bench.errors import PluginError
from bench.nn.clock import Clock
from bench.registry import ESTIMATORS
from bench.train.devices import move_network


class Moved(nn.Sequential):
    """A network that is asked to move, where there is no such device."""

    place = ""

    def to(self, device: object) -> "Moved":  # pyright: ignore[reportIncompatibleMethodOverride]
        self.place = str(device)
        return self


def network(name: str) -> tuple[Moved, Clock]:
    """A network of one binarizer of weights, and its clock."""
    clock = Clock()
    made = ESTIMATORS.build(name, {}).binarizer("W", (4, 2, 3, 3), clock, 0)
    return Moved(made), clock


def test_a_knob_on_a_schedule_is_float32_on_metal() -> None:
    """Metal has no float64; the clock turns the knob there, too, and elsewhere it is as it was."""
    net, clock = network("ede")
    move_network(net, "cpu")
    kept: list[Tensor] = [dial.value for dial in clock.dials.values()]
    assert [(value.dtype, net.place) for value in kept] == [(torch.float64, "cpu")]

    move_network(net, "mps")
    clock.set(0.5)
    (dial,) = clock.dials.values()
    assert (dial.value.dtype, net.place) == (torch.float32, "mps")
    assert dial.value.item() == pytest.approx(dial.path(0.5))


def test_what_needs_float64_is_refused_on_metal() -> None:
    """One line names what is kept in it, and nothing is moved."""
    net, _ = network("lq_net")
    with pytest.raises(PluginError, match=r"mps has no float64, in which `0\.\w+` is kept; use"):
        move_network(net, "mps")
    assert net.place == ""
