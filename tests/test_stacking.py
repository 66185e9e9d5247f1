"""K trainings at a time: every way there is does what it says."""

import dataclasses
import math
from collections.abc import Callable

import pytest
import torch

from bench.perf import stacking
from bench.perf.stacking import Row, Setting, Step

TINY = Setting(torch.device("cpu"), threads=1, batch=2, rounds=1, width=2, image=8)
CPU = {"separate", "grouped", "patches"}


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction]
    monkeypatch.setattr(stacking, "LEAST", 2)


def test_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """One for each way, every way in each round, images a second from the median of its rounds."""
    asked: list[str] = []

    def way(name: str, times: list[float]) -> stacking.Way:
        def run() -> float:
            asked.append(name)
            return times.pop(0)

        return lambda *_: run

    two = {"one": way("one", [1.0, 4.0, 2.0]), "two": way("two", [8.0, 1.0, 4.0])}
    monkeypatch.setattr(stacking, "ways", lambda _: two)
    found = list(stacking.rows(dataclasses.replace(TINY, rounds=3), 4))

    assert asked == ["one", "two"] * 3
    assert found == [Row("one", 4, 4 * 2 / 2.0), Row("two", 4, 4 * 2 / 4.0)]


def test_a_round_trains_every_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Separate or stacked, a round of K networks takes the same number of steps of each."""
    seen: dict[str, int] = {}
    for name in CPU:
        way = stacking.ways(TINY.device)[name]
        steps: list[int] = []
        with monkeypatch.context() as patch:
            patch.setattr(stacking, "seconds", lambda c, _, n: steps.append(len(c) * n))  # noqa: B023
            way(TINY, 2, None)()  # pyright: ignore[reportArgumentType]
        seen[name] = steps[0]

    assert seen == {"separate": 2, "grouped": 1, "patches": 1}


def test_what_a_gpu_has_beside() -> None:
    """Streams, and graphs of every way that a CPU has but processes, are a GPU's alone."""
    cpu, gpu = (set(stacking.ways(torch.device(kind))) for kind in ("cpu", "cuda"))

    assert gpu - cpu == {f"{name}, graphs" for name in cpu - {"processes"}} | {"separate, streams"}


@pytest.mark.slow
def test_all_ways() -> None:
    """On this machine each of them trains three networks, two processes among them."""
    found = list(stacking.rows(TINY, 3))

    assert {row.way for row in found} == set(stacking.ways(TINY.device))
    assert all(0 < row.images_per_s < math.inf for row in found)


@pytest.mark.gpu
def test_all_ways_of_a_gpu() -> None:
    """The same there, with streams and graphs."""
    at = dataclasses.replace(TINY, device=torch.device("cuda"))
    found = list(stacking.rows(at, 3))

    assert {row.way for row in found} == set(stacking.ways(at.device))
    assert all(0 < row.images_per_s < math.inf for row in found)


@pytest.mark.gpu
@pytest.mark.parametrize("launch", [stacking.streamed, stacking.captured])
def test_a_launched_step_is_the_step(launch: Callable[[Step], Step]) -> None:
    """In a stream or as a graph a network goes where the step itself takes it."""
    at = dataclasses.replace(TINY, device=torch.device("cuda"))
    weights: list[torch.Tensor] = []
    for how in (None, launch):
        net = stacking.network(at, 0)
        torch.manual_seed(1)
        step = stacking.step_of(at, net, torch.channels_last)
        if how is not None:
            step = how(step)
        taken = stacking.WARM_UP if how is stacking.captured else 0
        for _ in range(2 * stacking.WARM_UP - taken):
            step()
        torch.cuda.synchronize()
        weights.append(torch.cat([p.detach().flatten() for p in net.parameters()]))

    assert torch.equal(*weights)
