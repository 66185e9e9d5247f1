"""How long a call takes on a device, and several of them in turn."""

import math
import time
from collections.abc import Callable, Mapping

import torch

ROUND_S = 0.03  # of a call that is shorter there are several to a measurement


def time_call(call: Callable[[], object], device: torch.device, repeats: int = 1) -> float:
    """Seconds of one call, out of `repeats`; a GPU's by events."""
    if device.type != "cuda":
        began = time.perf_counter()
        for _ in range(repeats):
            call()
        return (time.perf_counter() - began) / repeats
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    for _ in range(repeats):
        call()
    end.record()
    end.synchronize()
    return start.elapsed_time(end) / 1000 / repeats


def time_repeatedly(call: Callable[[], object], device: torch.device) -> Callable[[], float]:
    """Warm the call up; what is returned measures it, often enough to be read off a clock."""
    time_call(call, device)
    once = time_call(call, device)
    repeats = math.ceil(min(ROUND_S / max(once, 1e-9), 1000)) or 1
    return lambda: time_call(call, device, repeats)


def time_in_turn(
    ways: Mapping[str, Callable[[], float]], rounds: int, until: float = math.inf
) -> dict[str, list[float]]:
    """
    What each way measured in each round; they take turns, for machines are noisy.

    After the first round there is another one only before `until`, by `time.monotonic`.
    """
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for done in range(rounds):
        if done and time.monotonic() > until:
            break
        for name, way in ways.items():
            seconds[name].append(way())
    return seconds
