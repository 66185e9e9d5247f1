"""Processes that train together in tests, over gloo on loopback."""

import os
import traceback
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from typing import Any, TypeAlias

import pytest
import torch
import torch.distributed as dist
from torch.distributed import TCPStore  # pyright: ignore[reportPrivateImportUsage]

from bench.train.ranks import Group

Work: TypeAlias = Callable[..., Any]
LONGEST_S = 240.0  # without a word


def together(size: int, work: Work, *args: object) -> list[Any]:
    """What `work(group, *args)` returns in each of so many processes; it must be importable."""
    context = get_context("spawn")
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    pipes = [context.Pipe() for _ in range(size)]
    processes = [
        context.Process(target=_process, args=(rank, size, store.port, pipe[1], work, args))
        for rank, pipe in enumerate(pipes)
    ]
    try:
        for process in processes:
            process.start()
        for _, ours in pipes:
            ours.close()
        found = _results([pipe for pipe, _ in pipes])
    finally:
        for process in processes:
            process.kill()
            process.join()
    return found


def _results(pipes: "list[Connection[Any, Any]]") -> list[Any]:
    """What comes through each pipe; an exception in one process is one here, at once."""
    found: dict[int, Any] = {}
    while len(found) < len(pipes):
        waiting = {pipe: rank for rank, pipe in enumerate(pipes) if rank not in found}
        for pipe in wait([*waiting], LONGEST_S) or pytest.fail("processes wait for each other"):
            result, trace = pipe.recv()  # pyright: ignore
            assert not trace, trace
            found[waiting[pipe]] = result  # pyright: ignore
    return [found[rank] for rank in range(len(pipes))]


def _process(
    rank: int, size: int, port: int, pipe: "Connection[Any, Any]", work: Work, args: Any
) -> None:
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    torch.set_num_threads(1)
    store = TCPStore("127.0.0.1", port)
    dist.init_process_group("gloo", store=store, rank=rank, world_size=size)
    try:
        pipe.send((work(Group(), *args), ""))
    except Exception:  # it is raised again in the test
        pipe.send((None, traceback.format_exc()))
    pipe.recv()  # never: the test ends this process
