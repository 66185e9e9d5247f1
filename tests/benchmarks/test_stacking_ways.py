"""K trainings at a time: every way there is does what it says."""

import dataclasses
import math
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack

import pytest
import stacking_ways
import torch
from stacking_ways import Row, Setting, Step
from torch import nn

from bench.spec.cell import Recipe

TINY = Setting(torch.device("cpu"), threads=1, batch=2, rounds=1, steps=4, width=2, image=8)


def test_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """One for each way, every way in each round, images a second from the median of its rounds."""
    asked: list[str] = []

    def way(name: str, times: list[float]) -> stacking_ways.Way:
        def run(count: int) -> float:
            asked.append(f"{count} {name}")
            return times.pop(0)

        return lambda *_: run

    two = {"one": way("one", [1.0, 4.0, 2.0]), "two": way("two", [8.0, 1.0, 4.0])}
    monkeypatch.setattr(stacking_ways, "ways", lambda _: two)
    found = list(stacking_ways.rows(dataclasses.replace(TINY, rounds=3), 2))

    assert asked == ["2 one", "2 two"] * 3
    assert found == [Row("one", 2, 2 * 2 * 2 / 2.0), Row("two", 2, 2 * 2 * 2 / 4.0)]


@pytest.mark.parametrize(("way", "networks"), [("separate", 2), ("grouped", 1), ("patches", 1)])
def test_a_round_steps_every_network(
    way: str, networks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two networks are two optimizers that step as often as asked, or one that steps both."""
    optimizers: list[str] = []

    def counted(net: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
        made = torch.optim.SGD(net.parameters(), recipe.lr)
        made.register_step_post_hook(lambda *_: optimizers.append(str(id(made))))
        return made

    monkeypatch.setattr(stacking_ways, "make_optimizer", counted)
    monkeypatch.setattr(stacking_ways, "WARM_UP", 0)
    stacking_ways.ways(TINY.device)[way](TINY, 2, ExitStack())(3)

    assert sorted(Counter(optimizers).values()) == [3] * networks


def test_what_a_gpu_has_beside() -> None:
    """Streams, and graphs of every way that a CPU has but processes, are a GPU's alone."""
    cpu, gpu = (set(stacking_ways.ways(torch.device(kind))) for kind in ("cpu", "cuda"))

    assert gpu - cpu == {f"{name}, graphs" for name in cpu - {"processes"}} | {"separate, streams"}


@pytest.mark.long
@pytest.mark.slow
def test_all_ways() -> None:
    """On this machine each of them trains three networks, two processes among them."""
    found = list(stacking_ways.rows(TINY, 3))

    assert {row.way for row in found} == set(stacking_ways.ways(TINY.device))
    assert all(0 < row.images_per_s < math.inf for row in found)


@pytest.mark.gpu
def test_all_ways_of_a_gpu() -> None:
    """The same there, with streams and graphs."""
    at = dataclasses.replace(TINY, device=torch.device("cuda"))
    found = list(stacking_ways.rows(at, 3))

    assert {row.way for row in found} == set(stacking_ways.ways(at.device))
    assert all(0 < row.images_per_s < math.inf for row in found)


@pytest.mark.gpu
@pytest.mark.parametrize("launch", [stacking_ways.streamed, stacking_ways.captured])
def test_a_launched_step_is_the_step(launch: Callable[[Step], Step]) -> None:
    """In a stream or as a graph a network goes where the step itself takes it."""
    at = dataclasses.replace(TINY, device=torch.device("cuda"))
    weights: list[torch.Tensor] = []
    for how in (None, launch):
        net = stacking_ways.network(at, 0)
        torch.manual_seed(1)
        step = stacking_ways.step_of(at, net, torch.channels_last)
        if how is not None:
            step = how(step)
        taken = stacking_ways.WARM_UP if how is stacking_ways.captured else 0
        for _ in range(2 * stacking_ways.WARM_UP - taken):
            step()
        torch.cuda.synchronize()
        weights.append(torch.cat([p.detach().flatten() for p in net.parameters()]))

    assert torch.equal(*weights)
