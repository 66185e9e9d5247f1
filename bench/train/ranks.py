"""
Ranks: the processes that train one cell together, each its share of every batch.

A loss is a mean over the images of a batch, and terms of weights. Each process multiplies the
gradient of its own mean by its share of the images, and gradients, losses and the sums of
indicators are added up: what they then are is what one process has, for batches that do not divide
evenly, too. Every process draws the same random numbers and takes the same decisions, for what
decides goes through `total`. Small words go between CPUs, so that no device is waited for.
"""

import hashlib
from collections.abc import Iterable
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from bench.data.dataset import Share
from bench.errors import UsageError
from bench.nn.joint_norm import join_norms, leave_out

T = TypeVar("T")


class Ranks:
    """One process: nothing to share, to sum or to agree on."""

    def __init__(self, rank: int = 0, size: int = 1) -> None:
        self.rank, self.size = rank, size

    @property
    def leads(self) -> bool:
        """Does this process write what is kept?"""
        return self.rank == 0

    @property
    def share(self) -> Share:
        return Share(self.rank, self.size)

    def join(self, net: nn.Module) -> None:
        """Make one network of all processes'."""

    def total(self, *numbers: float) -> tuple[float, ...]:
        """The sum over processes of each number, whole numbers exactly; of booleans how many."""
        return numbers

    def least(self, number: float) -> float:
        """The least over processes."""
        return number

    def norm(self, number: float) -> float:
        """The root of the sum of squares over processes."""
        return number

    def sum(self, tensors: Iterable[Tensor]) -> None:
        """Set each tensor to its sum over processes."""

    def leave_out(self, net: nn.Module, out: bool) -> None:
        """Have norms not look at this process's images, for it has none of this batch."""

    def backward(self, loss: Tensor, part: float, modules: Iterable[nn.Module]) -> Tensor:
        """
        Leave the gradients of the whole batch in the leaves of its graph; returns its loss, 0-d.

        Args:
            loss: of this process's images, 0-d.
            part: they are of the batch.
            modules: what has the leaves: parameters, and tensors that are attributes.
        """
        loss.backward()
        return loss.detach().clone()  # a replayed graph writes the next one over it

    def told(self, value: T) -> T:
        """What the process that leads has for this value."""
        return value

    def everyone(self, value: T) -> list[T]:
        """What each process has for this value, by rank."""
        return [value]

    def confirm(self, state: dict[str, Tensor], random: Any, where: str) -> None:
        """
        See that all processes have the same.

        Args:
            state: tensors on the CPU.
            random: state of the random generators.
            where: when that is, for the message.

        Raises:
            UsageError: they have not; in all processes.
        """


ALONE = Ranks()


class Group(Ranks):
    """The processes of torch's process group, which has been joined."""

    def __init__(self) -> None:
        super().__init__(dist.get_rank(), dist.get_world_size())
        self._left_out = False

    def join(self, net: nn.Module) -> None:
        join_norms(net)

    def total(self, *numbers: float) -> tuple[float, ...]:
        words = torch.tensor(numbers, dtype=torch.float64)
        dist.all_reduce(words)
        return (*words.tolist(),)  # pyright: ignore

    def least(self, number: float) -> float:
        word = torch.tensor(number, dtype=torch.float64)
        dist.all_reduce(word, dist.ReduceOp.MIN)
        return word.item()

    def norm(self, number: float) -> float:
        return self.total(number**2)[0] ** 0.5

    def sum(self, tensors: Iterable[Tensor]) -> None:
        alike: dict[tuple[torch.dtype, torch.device], list[Tensor]] = {}
        for tensor in tensors:
            alike.setdefault((tensor.dtype, tensor.device), []).append(tensor)
        for some in alike.values():
            flat = torch.cat([x.reshape(-1) for x in some])
            dist.all_reduce(flat)
            parts = torch.split(flat, [x.numel() for x in some])
            for x, part in zip(some, parts, strict=True):
                x.copy_(part.view(x.shape))

    def leave_out(self, net: nn.Module, out: bool) -> None:
        if out or self._left_out:
            leave_out(net, out)
        self._left_out = out

    def backward(self, loss: Tensor, part: float, modules: Iterable[nn.Module]) -> Tensor:
        loss.backward(torch.full_like(loss, part))
        whole = loss.detach() * part if part else torch.zeros_like(loss)
        self.sum([whole, *(x.grad for x in _leaves(modules) if x.grad is not None)])
        return whole

    def told(self, value: T) -> T:
        box: list[Any] = [value if self.leads else None]
        dist.broadcast_object_list(box, device=torch.device("cpu"))
        return box[0]

    def everyone(self, value: T) -> list[T]:
        found: list[Any] = [None] * self.size
        dist.all_gather_object(found, value)
        return found

    def confirm(self, state: dict[str, Tensor], random: Any, where: str) -> None:
        found = {name: _digest(x.contiguous().numpy().tobytes()) for name, x in state.items()}
        found["the random numbers"] = _digest(repr(_plain(random)).encode())
        for rank, other in enumerate(self.everyone(found)):
            differ = [name for name, digest in found.items() if other[name] != digest]
            if differ:
                message = (
                    f"{differ[0]} of process {self.rank + 1} and {rank + 1} are not the same "
                    f"{where}: something looks at a batch as a whole; train with one process"
                )
                raise UsageError(message)


def _leaves(roots: Iterable[nn.Module]) -> Iterable[Tensor]:
    """Parameters, and what else of modules' attributes gathers a gradient: taps and probes."""
    found: dict[int, Tensor] = {}
    for module in (module for root in roots for module in root.modules()):
        own = (*module.parameters(recurse=False), *vars(module).values())
        leaves = (x for x in own if isinstance(x, Tensor) and x.requires_grad and x.is_leaf)
        found |= {id(x): x for x in leaves}
    return found.values()


def _plain(value: Any) -> Any:
    """The same without tensors, whose contents `repr` leaves out."""
    if isinstance(value, Tensor):
        return value.tolist()  # pyright: ignore
    if isinstance(value, dict):
        pairs: list[Any] = [*value.items()]  # pyright: ignore
        return _plain(pairs)
    if isinstance(value, (list, tuple)):
        values: list[Any] = [*value]  # pyright: ignore
        return [_plain(each) for each in values]
    return value


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]
