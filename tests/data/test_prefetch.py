"""A copy begun before it is wanted, and waited for alone."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import pytest
import torch

from bench.data.prefetch import CopyStream, copy_stream, prefetch

CPU = torch.device("cpu")


class Stream:
    """Notes what is asked of it; its events are numbers."""

    def __init__(self, name: str, log: list[str]) -> None:
        self.name, self.log, self.events = name, log, 0

    def record_event(self) -> int:
        self.events += 1
        self.log.append(f"{self.name}: event {self.events}")
        return self.events

    def wait_event(self, event: int) -> None:
        self.log.append(f"{self.name}: wait for event {event}")


class Api:
    """Streams as torch.cuda has them, without a GPU."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.side, self.main = Stream("side", self.log), Stream("main", self.log)

    @contextmanager
    def stream(self, chosen: Stream) -> Generator[None, None, None]:
        self.log.append(f"enter {chosen.name}")
        yield
        self.log.append(f"leave {chosen.name}")

    def current_stream(self, device: Any) -> Stream:
        return self.main


def test_one_waits_for_its_own_copy() -> None:
    """Copies run on the side stream; the present one waits for the event of the batch it takes."""
    api, stream = Api(), CopyStream(CPU)
    stream.api = api
    stream.side = api.side  # pyright: ignore[reportAttributeAccessIssue]
    first, second = stream.start_copy(torch.zeros(2)), stream.start_copy(torch.ones(2))
    (x,) = stream.wait_for(first)
    (y,) = stream.wait_for(second)

    assert x.tolist() == [0, 0]
    assert y.tolist() == [1, 1]
    assert api.log == [
        "enter side", "leave side", "side: event 1", "enter side", "leave side", "side: event 2",
        "main: wait for event 1", "main: wait for event 2",
    ]  # fmt: skip


def test_the_cpu_goes_the_same_way() -> None:
    """Through torch's streams that do nothing, without a copy; one stream for each device."""
    x, y = torch.arange(3), torch.arange(2)
    sent = copy_stream(CPU).start_copy(x, y)
    found = copy_stream(CPU).wait_for(sent)

    assert found[0] is x
    assert found[1] is y
    assert copy_stream(CPU) is copy_stream(torch.device("cpu"))


@pytest.mark.parametrize("n", [0, 1, 2, 9])
def test_ahead_makes_n_more_and_loses_none(n: int) -> None:
    """The k-th item comes when k + n are made, or all; the order stays."""
    made: list[int] = []

    def items() -> Generator[int, None, None]:
        for i in range(5):
            made.append(i)
            yield i

    seen = [(item, len(made)) for item in prefetch(items(), n)]

    assert seen == [(i, min(i + 1 + n, 5)) for i in range(5)]
    assert list(prefetch([], n)) == []


@pytest.mark.gpu
def test_a_gpu_gets_what_was_sent() -> None:
    """Many batches through the side stream, each used while the next is copied, arrive whole."""
    stream = copy_stream(torch.device("cuda"))
    made = (torch.full((1 << 20,), i, dtype=torch.int64).pin_memory() for i in range(50))
    batches = (stream.start_copy(x, torch.tensor(i)) for i, x in enumerate(made))
    for batch in prefetch(batches, 1):
        values, i = stream.wait_for(batch)
        assert bool((values * 2 == 2 * i).all())
