"""A network's numbers: copied to the CPU, set again, digested."""

import hashlib
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

State: TypeAlias = dict[str, Tensor]


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
