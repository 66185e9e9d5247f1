"""The same work in several processes at once, which begin together what is timed."""

import multiprocessing
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any, TypeVar

from bench.base.child_processes import start_process
from bench.errors import BenchError, exhausted
from bench.execution import worker_process
from bench.execution.cell_log import redirect
from bench.execution.worker_main import prepare_process

Given = TypeVar("Given")
Result = TypeVar("Result")
Work = Callable[[Given, Callable[[], object]], Result]  # the second waits for the others


class ProcessFailed(Exception):
    """A process died, or what it was to do raised; in words."""


@dataclass(frozen=True)
class Failure:
    """Why a process has no result."""

    reason: str


def run_at_once(work: Work[Given, Result], inputs: Sequence[Given]) -> list[Result]:
    """
    Do the work for each input in a process of its own; returns results as they come.

    Args:
        work: of an input and a function that waits until every process calls it; a function of a
            module, for it is pickled. What it prints is lost.

    Raises:
        ProcessFailed: one of them failed, which ended the others.
    """
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(len(inputs))
    kills, results = worker_process.oom_kills(), list[Result]()
    running: dict[Any, BaseProcess] = {}
    try:
        for given in inputs:
            reader, writer = context.Pipe(duplex=False)
            process = context.Process(target=_attend, args=(writer, barrier, work, given))
            start_process(process)
            running[reader] = process
            writer.close()
        while running:
            ready: list[Any] = wait([*running])
            for reader in ready:
                results.append(_receive(reader, running[reader], kills))
                running.pop(reader).join()
                reader.close()
    finally:
        for process in running.values():
            process.kill()
            worker_process.end_group(process)
            process.join()
    return results


def call(work: Work[Given, Result], given: Given, ready: Callable[[], object]) -> Result | Failure:
    """Do the work in this process; whatever it raises is a failure, want of memory by its name."""
    try:
        return work(given, ready)
    except Exception as error:  # the boundary: a plugin may raise anything
        if exhausted(error):
            return Failure("out of memory")
        kind = "" if isinstance(error, BenchError) else f"{type(error).__name__}: "
        return Failure(next(iter(f"{kind}{error}".splitlines()), type(error).__name__))


def _attend(
    writer: "Connection[Any, Any]", barrier: Barrier, work: Work[Any, Any], given: Any
) -> None:
    """Be the process of one input: do the work, and send what came of it."""
    prepare_process()
    redirect(Path(os.devnull))
    writer.send(call(work, given, barrier.wait))


def _receive(reader: Any, process: BaseProcess, kills: int) -> Any:
    """
    What a process sent.

    Raises:
        ProcessFailed: it says that it failed, or died.
    """
    try:
        answer = reader.recv()
    except EOFError:
        process.join()
        killed = worker_process.oom_kills() > kills
        reason = "out of memory" if killed else worker_process.death(process.exitcode)
        raise ProcessFailed(reason) from None
    if isinstance(answer, Failure):
        raise ProcessFailed(answer.reason)
    return answer
