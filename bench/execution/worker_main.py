"""
What a worker process does: one job after the other, each printed into the log of its cell.

A process whose parent died ends at once, with all that it started.
"""

import contextlib
import multiprocessing
import os
import signal
import threading
import warnings
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import TypeAlias

from bench.base.machine import keep_pages
from bench.base.user_folders import keep_compiled
from bench.errors import BenchError, EnvironmentProblem, NodeLost
from bench.execution.cell_log import Log, attach, redirect
from bench.execution.events import CellEvent
from bench.execution.job import Job
from bench.execution.link import Halt, RunLink
from bench.execution.worker import JobEnd

Task: TypeAlias = tuple[Callable[[Job, RunLink], None], Job]
Message: TypeAlias = CellEvent | JobEnd
LOOK_S = 2.0  # between looks at whether the parent lives


def serve(
    tasks: "Connection[Task, Task]", messages: "Connection[Message, Message]", halt: Halt
) -> None:
    """Do each task that comes; send what its cell emits, and at last how it was left."""
    prepare_process()
    send = partial(_send, messages)
    link = RunLink(send, halt.is_set, partial(_end, send))
    while True:
        try:
            do, job = tasks.recv()
        except EOFError:  # there are no more
            return
        send(do_job(do, job, link))


def do_job(do: Callable[[Job, RunLink], None], job: Job, link: RunLink) -> JobEnd:
    """Do a job, have all that it prints in its cell's log, and return what it raised."""
    try:
        redirect(Log(job.root, job.cell).path)
        try:
            do(job, link)
        finally:
            redirect(Path(os.devnull))
    except BenchError as error:
        reason = "; ".join(str(error).splitlines())
        lost = isinstance(error, NodeLost)
        return JobEnd(reason, environment=isinstance(error, EnvironmentProblem), node_lost=lost)
    except BaseException as error:  # even `sys.exit` ends no worker
        return JobEnd(f"{type(error).__name__}: {error}".splitlines()[0])
    return JobEnd()


def prepare_process() -> None:
    """
    Prepare a fresh process: Ctrl-C is the parent's to handle, and it ends with its parent.

    It leads a process group of its own, so that what its cells start ends with it.
    """
    os.setpgid(0, 0)
    keep_pages()
    keep_compiled()
    attach()
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    warnings.filterwarnings("ignore", module=r"PIL\.")  # odd EXIF tags; damage is an error
    threading.Thread(target=_follow_parent, daemon=True).start()


def _follow_parent() -> None:
    """
    End this process and its own when its parent has died, so that nobody trains unheard.

    What the parent forked may live on and keep the pipe open that tells of its end; then the number
    of the parent does.
    """
    parent = multiprocessing.parent_process()
    if parent is not None:
        while os.getppid() == parent.pid and not wait([parent.sentinel], timeout=LOOK_S):
            pass
        os.killpg(0, signal.SIGKILL)


def _end(send: Callable[[Message], None], end: JobEnd) -> None:
    """End this process and its own though its cell waits for what will never come."""
    send(end)
    os.killpg(0, signal.SIGKILL)


def _send(messages: "Connection[Message, Message]", message: Message) -> None:
    with contextlib.suppress(OSError):  # an orphan has no reader
        messages.send(message)
