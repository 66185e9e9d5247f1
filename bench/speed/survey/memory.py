"""How much memory a training step holds."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks


def count_bytes_kept(net: nn.Module, loss_of: Callable[[], Tensor]) -> int:
    """
    Bytes that a forward keeps for its backward, each memory counted once.

    Parameters and buffers are not counted: they are there anyway.
    """
    own = {t.untyped_storage().data_ptr() for t in (*net.parameters(), *net.buffers())}
    sizes: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            sizes[storage.data_ptr()] = storage.nbytes()
        return tensor

    with saved_tensors_hooks(pack, lambda tensor: tensor):
        loss = loss_of()
    del loss  # until here it held what was kept, so that no memory was used twice
    return sum(sizes.values())


def measure_peak_bytes(call: Callable[[], object], device: torch.device) -> int:
    """Bytes that a GPU's allocator held at most during a call."""
    torch.cuda.reset_peak_memory_stats(device)
    call()
    return torch.cuda.max_memory_allocated(device)
