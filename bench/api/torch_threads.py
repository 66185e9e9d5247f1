"""The number of threads that torch computes on while the harness plans and checks."""

from collections.abc import Callable, Generator
from contextlib import contextmanager

from bench.base.user_folders import keep_compiled


@contextmanager
def one_thread() -> Generator[Callable[[], None], None, None]:
    """Yield what imports torch for small tensors, as commands do; its threads are put back."""
    before: list[int] = []

    def prepare_torch() -> None:
        keep_compiled()
        import torch

        before.append(torch.get_num_threads())
        torch.set_num_threads(1)

    try:
        yield prepare_torch
    finally:
        for threads in before[:1]:
            import torch

            torch.set_num_threads(threads)
