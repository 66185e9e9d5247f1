"""
BatchNorm over the images of a batch that several processes share.

Mean and variance are those of the whole batch, so that a network is the same one whatever the
number of processes: two small sums over processes forward, and two back. The same code for CPUs and
GPUs; it compiles into the one graph of a step. Torch's SyncBatchNorm refuses CPUs, breaks graphs
and waits for the device in each layer.
"""

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm  # pyright: ignore[reportPrivateUsage]

from bench.errors import UsageError


def join_norms(net: nn.Module) -> None:
    """
    Let every BatchNorm of a network look at all processes' images; parameters and names stay.

    Raises:
        UsageError: one is of a kind that nobody has joined.
    """
    modules: dict[str, nn.Module] = dict(net.named_modules())  # pyright: ignore
    for name, module in modules.items():
        if type(module) in _JOINT:
            module.__class__ = _JOINT[type(module)]  # pyright: ignore
        elif isinstance(module, _BatchNorm) and not isinstance(module, _Joint):
            kind = type(module).__name__
            message = f"{name} is a {kind}, which several processes cannot compute together"
            raise UsageError(message)


def leave_out(network: nn.Module, out: bool) -> None:
    """Have a network's norms leave this process's images out, or not: it has none of its own."""
    for module in network.modules():
        if isinstance(module, _Joint):
            module.counted = not out


class _Joint:
    """What makes a BatchNorm of torch's a joint one, in training."""

    counted: bool = True  # are this process's images of the batch?

    def forward(self: Any, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)  # pyright: ignore
        dims, shape = [0, *range(2, x.ndim)], [1, -1, *[1] * (x.ndim - 2)]
        number = x.new_full((1,), x.numel() // x.shape[1])
        sums = self.summed(torch.cat([x.sum(dims), number]))
        count, mean = sums[-1], sums[:-1] / sums[-1]
        apart = x - mean.view(shape)
        var = self.summed(apart.square().sum(dims)) / count
        if self.track_running_stats:
            self.follow(mean.detach(), var.detach() * (count / (count - 1)).detach())
        factor = torch.rsqrt(var + self.eps)
        if self.weight is None:
            return apart * factor.view(shape)
        return apart * (factor * self.weight).view(shape) + self.bias.view(shape)

    def follow(self: Any, mean: Tensor, var: Tensor) -> None:
        """Move the running moments; without a momentum they are means of all steps."""
        with torch.no_grad():
            self.num_batches_tracked.add_(1)
            momentum = self.momentum
            if momentum is None:
                momentum = 1 / self.num_batches_tracked.to(mean.dtype)
            self.running_mean.copy_(self.running_mean + momentum * (mean - self.running_mean))
            self.running_var.copy_(self.running_var + momentum * (var - self.running_var))

    def summed(self, x: Tensor) -> Tensor:
        """The sum over processes, through which gradients flow."""
        from torch.distributed._functional_collectives import all_reduce  # pyright: ignore

        return all_reduce(x if self.counted else x * 0, "sum", dist.group.WORLD)  # pyright: ignore


class JointNorm1d(_Joint, nn.BatchNorm1d): ...  # pyright: ignore


class JointNorm2d(_Joint, nn.BatchNorm2d): ...  # pyright: ignore


class JointNorm3d(_Joint, nn.BatchNorm3d): ...  # pyright: ignore


_JOINT: dict[type[nn.Module], type[nn.Module]] = {
    nn.BatchNorm1d: JointNorm1d,
    nn.BatchNorm2d: JointNorm2d,
    nn.BatchNorm3d: JointNorm3d,
}
