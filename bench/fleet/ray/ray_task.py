"""
What runs on a node of Ray: one batch, as a child process that ends with its task.

The task never waits for Ray in its main thread, for a task that does so has its CPUs taken from it
meanwhile.
"""

import asyncio
import os
import queue
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import bench
from bench.errors import BenchError, EnvironmentProblem
from bench.execution.worker_process import oom_kills
from bench.fleet import allocation
from bench.fleet.batch import load_batch
from bench.fleet.ray import process_end, transfer
from bench.fleet.ray.ray_messages import Arrived, Begin, Finished, Message, News, Wish
from bench.fleet.ray.ray_node import Outgoing, need_data
from bench.fleet.trial import short_jobs

EVERY_S = 0.2  # between two looks at the child
MARK = "signbench-job-"  # how the folder begins that a batch has on a node
TAIL = 4000  # bytes of what a child printed


class Desk:
    """Where the driver leaves messages for its tasks; an actor on the driver's own node."""

    def __init__(self) -> None:
        self._boxes: dict[str, asyncio.Queue[Any]] = {}

    async def put(self, task: str, wish: Wish | None, order: list[Any]) -> None:
        """Leave a wish, or in a list of its own the reference to a `Begin`."""
        await self._box(task).put((wish, *order) if order else (wish, None))

    async def take(self, task: str) -> tuple[Wish | None, Any]:
        """The next message for a task, when there is one."""
        wish, order = await self._box(task).get()
        if wish == "leave":
            del self._boxes[task]
        return wish, order

    def _box(self, task: str) -> "asyncio.Queue[Any]":
        return self._boxes.setdefault(task, asyncio.Queue())


def run_batch(
    desk: Any, task: str, job: str, restarts: int, setup: tuple[str, ...]
) -> Iterator[News]:
    """
    Run the batch that `desk` has for the task; yields what is new, and `Finished` in the end.

    Args:
        task: whose messages these are.
        job, restarts: what the batch's records and journals name.
        setup: lines of shell before it.
    """
    import ray

    yield Arrived(ray.get_runtime_context().get_node_id(), socket.gethostname())
    messages = _listen(desk, task)
    order = messages.get()
    if not isinstance(order, Begin):
        return
    environ = _environ(job, restarts)
    try:
        if order.transfer is None:
            yield from _run(_see(order.batch), environ, setup, messages)
            return
        home = Path(tempfile.mkdtemp(prefix=MARK))
        alive = process_end.remove_after_me(home, environ)
        try:
            path = transfer.unpack(order.transfer, home)
            yield from _run(path, environ, setup, messages, alive)
        finally:
            os.close(alive)
    except BenchError as error:
        yield Finished(None, str(error))


def _see(path: Path | None) -> Path:
    """
    The path of a batch, if this node sees it.

    Raises:
        EnvironmentProblem: it does not.
    """
    if path is None or not path.is_file():
        message = (
            f"the node {socket.gethostname()} sees no `{path}`: set `results` of the profile to "
            "the results folder as nodes see it, or `shared: false` where they do not"
        )
        raise EnvironmentProblem(message)
    return path


def _run(
    path: Path,
    environ: dict[str, str],
    setup: tuple[str, ...],
    messages: "queue.SimpleQueue[Message]",
    alive: int | None = None,
) -> Iterator[News]:
    """Run `bench work` on a batch, heeding messages; with `alive` all that comes of it travels."""
    batch = load_batch(path)
    need_data(batch)
    outgoing = None if alive is None else Outgoing(batch)
    kills = oom_kills()
    with tempfile.TemporaryFile() as output:
        command = process_end.ended_with_me([sys.executable, "-m", "bench", "work", str(path)])
        if setup:
            command = ["bash", "-c", "\n".join((*setup, 'exec "$@"')), "bash", *command]
        child = subprocess.Popen(
            command, env=environ, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            pass_fds=() if alive is None else (alive,),
        )  # fmt: skip
        try:
            while child.poll() is None:
                if outgoing:
                    yield from outgoing.news()
                _heed(child, messages)
            if outgoing:
                yield from outgoing.news()
            cells = outgoing.results() if outgoing else None
            found = short_jobs.read_found(batch) if outgoing else {}
            yield Finished(child.returncode, _tail(output), cells, oom_kills() > kills, found)
        finally:
            child.kill()
            child.wait()


def _heed(child: "subprocess.Popen[bytes]", messages: "queue.SimpleQueue[Message]") -> None:
    """Wait a little for a message, and do what it says."""
    try:
        message = messages.get(timeout=EVERY_S)
    except queue.Empty:
        return
    if message == "stop":
        child.terminate()
    elif message == "kill":
        child.kill()


def _tail(output: IO[bytes]) -> str:
    """The end of what was printed."""
    size = output.seek(0, os.SEEK_END)
    output.seek(max(0, size - TAIL))
    return output.read().decode(errors="replace")


def _listen(desk: Any, task: str) -> "queue.SimpleQueue[Message]":
    """Have the messages for a task brought here by a thread, until one says to leave."""
    import ray
    from ray.exceptions import RayError

    messages: queue.SimpleQueue[Message] = queue.SimpleQueue()

    def bring() -> None:
        message: Any = None
        while message != "leave":
            try:
                message, reference = ray.get(desk.take.remote(task))
                message = ray.get(reference) if reference else message
            except RayError:  # the desk died, and all of Ray is about to
                message = "leave"
            messages.put(message)

    threading.Thread(target=bring, daemon=True).start()
    return messages


def _environ(job: str, restarts: int) -> dict[str, str]:
    """What a child sees: it is a job of Ray's, and imports the package from where this did."""
    home = str(Path(bench.__file__).parent.parent)
    paths = [home, *filter(None, [os.environ.get("PYTHONPATH")])]
    own = {"PYTHONPATH": os.pathsep.join(paths)}
    return {**os.environ, **allocation.environment("ray", job, restarts), **own}
