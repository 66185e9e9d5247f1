"""Networks on the device that trains them, and what a device lacks."""

import torch
from torch import nn

from bench.errors import PluginError
from bench.nn.clock import Dial


def move_network(net: nn.Module, device: str | torch.device) -> None:
    """
    Move a network to a device.

    Metal (`mps`) has no float64: knobs that follow a schedule are float32 there, one rounding
    away, and what else a network keeps in float64 it cannot keep.

    Raises:
        PluginError: a parameter or buffer of the network is float64, and the device has none.
    """
    if torch.device(device).type == "mps":
        for module in net.modules():
            if isinstance(module, Dial):
                module.float()
        wrong = [
            name
            for name, kept in (*net.named_parameters(), *net.named_buffers())
            if kept.dtype == torch.float64
        ]
        if wrong:
            message = f"mps has no float64, in which `{wrong[0]}` is kept; use --device cpu"
            raise PluginError(message)
    net.to(device)
