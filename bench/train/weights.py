"""A network's numbers: copied to the CPU, set again, digested."""

import hashlib
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

State: TypeAlias = dict[str, Tensor]
COACH = "coach/"  # no name of a module has a slash


def copy_weights(model: nn.Module) -> State:
    """Copy every parameter and buffer that a model's state has to the CPU."""
    return {k: to_cpu(v) for k, v in model.state_dict().items()}


def copy_tensors(model: nn.Module) -> State:
    """Copy every parameter and buffer, those outside the model's state too, to the CPU."""
    return {k: to_cpu(v) for k, v in model.named_buffers()} | copy_weights(model)


@torch.no_grad()
def set_tensors(model: nn.Module, state: State) -> None:
    """Set what `copy_tensors` returned."""
    model.load_state_dict({k: state[k] for k in model.state_dict()})
    for name, buffer in model.named_buffers():
        buffer.copy_(state[name])


def copy_both(model: nn.Module, coach: nn.Module) -> State:
    """Copy the tensors of a network and of what stands beside it; the latter's under `coach/`."""
    return copy_tensors(model) | {f"{COACH}{k}": v for k, v in copy_tensors(coach).items()}


def set_both(model: nn.Module, coach: nn.Module, state: State) -> None:
    """Set what `copy_both` returned."""
    set_tensors(model, state)
    set_tensors(coach, {k.removeprefix(COACH): v for k, v in state.items() if k.startswith(COACH)})


def to_cpu(value: Any) -> Any:
    """Copy a tensor to the CPU, apart from its graph; return anything else as it is."""
    return value.detach().to("cpu", copy=True) if isinstance(value, Tensor) else value


def digest(state: State) -> str:
    """Return the SHA-256 of names, types, shapes and bytes."""
    sha = hashlib.sha256()
    for name, tensor in sorted(state.items()):
        sha.update(f"{name}{tensor.dtype}{tuple(tensor.shape)}".encode())
        sha.update(tensor.contiguous().numpy().tobytes())
    return sha.hexdigest()
