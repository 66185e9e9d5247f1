"""
A cluster of Ray, as one driver uses it: reached or started, what its nodes have, its tasks.

What Ray would wait for in silence is an error in words here.
"""

import logging
import os
import secrets
import shutil
import signal
import socket
import tempfile
import threading
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.errors import EnvironmentProblem
from bench.fleet.ray.ray_messages import Begin, Wish
from bench.fleet.ray.ray_task import Desk, run_batch

ENVIRONMENT = {  # before Ray is imported
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",  # workers keep their own Python under `uv run`
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # what Ray will do, without a warning about it
}
TOKENS = ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")  # by which a cluster lets in
REACHED_S = 5.0  # for something to answer at an address
CONNECTED_S = 45.0  # below the minute after which Ray ends this process
STARTS = 2  # tries: Ray gives its own processes 30 s, too little where much else runs
STORE_BYTES = 2**28  # of memory for objects, of a cluster that is started here; more goes to disk
GB = 10**9


def prepare() -> None:
    """
    Import Ray, which then keeps its habits to itself.

    Raises:
        ImportError: it is not installed.
    """
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    token = Path.home() / ".ray" / "auth_token"
    if any(name in os.environ for name in TOKENS) or token.is_file():
        os.environ.setdefault("RAY_AUTH_MODE", "token")  # who joins does not show it otherwise
    from ray._private import worker

    worker.print_to_stdstream = _drop  # deaths of nodes would be told on stdout, among JSON lines
    logging.getLogger("ray").setLevel(logging.ERROR)


def _ray() -> Any:
    """Ray, imported when it is used; what it says of its types is half of them."""
    import ray

    return ray


def _drop(*_: Any, **__: Any) -> None:
    """Print nothing: what became of a job, its state says."""


@dataclass(frozen=True)
class Demand:
    """What one task takes of its node: CPUs, GPUs, bytes of memory."""

    cpus: float = 1.0
    gpus: float = 0.0
    memory: int = 0

    def __str__(self) -> str:
        words = [f"{self.cpus:g} CPU{'s' * (self.cpus != 1)}"]
        if self.gpus:
            words.append(f"{round(self.gpus, 4):g} GPU{'s' * (self.gpus > 1)}")
        if self.memory:
            words.append(f"{self.memory / GB:.3g} GB of memory")
        return ", ".join(words)

    def fits(self, node: "Demand") -> bool:
        """Could an empty node that has so much run the task?"""
        return self.cpus <= node.cpus and self.gpus <= node.gpus and self.memory <= node.memory


@dataclass(frozen=True)
class Node:
    """A node that lives, and all that it has."""

    id: str
    host: str
    address: str
    has: Demand


class Cluster:
    """
    A cluster that this process has joined, or started.

    Args:
        address: of a running one, `auto` for that of this machine; None: one is started here, which
            ends with this process.

    Raises:
        EnvironmentProblem: it cannot be reached, or not be started.
    """

    def __init__(self, address: str | None) -> None:
        ray = _ray()
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        self._folder: Path | None = None
        if address is None:
            self._folder = _start()
        else:
            _join(address)
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        self._desk: Any = (
            ray.remote(Desk)
            .options(num_cpus=0, max_concurrency=100_000, scheduling_strategy=here)
            .remote()
        )
        self._work: Any = ray.remote(run_batch)

    def nodes(self) -> list[Node]:
        """The nodes that live."""
        ray = _ray()

        found: list[Node] = []
        for each in ray.nodes():
            if each["Alive"]:
                has: dict[str, float] = each["Resources"]
                whole = Demand(has.get("CPU", 0), has.get("GPU", 0), int(has.get("memory", 0)))
                host, address = each["NodeManagerHostname"], each["NodeManagerAddress"]
                found.append(Node(each["NodeID"], host, address, whole))
        return found

    def lack(self, demand: Demand, exclude: Iterable[str] = ()) -> str:
        """Why no node could ever run the task, in words; empty if one could."""
        left = set(exclude)
        nodes = [n for n in self.nodes() if not left & {n.id, n.host, n.address}]
        if any(demand.fits(node.has) for node in nodes):
            return ""
        memory = {} if demand.memory else {"memory": 0}  # of which nobody asked
        there = "; ".join(sorted({f"{n.host}: {replace(n.has, **memory)}" for n in nodes})[:5])
        return (
            f"no node of the Ray cluster has {demand} for a cell (there: {there or 'no node'}); "
            "set `cpus_per_cell`, `gpus_per_cell`, `slots_per_gpu` or `mem` of the profile"
        )

    def start(self, demand: Demand, exclude: Iterable[str], *words: Any) -> Any:
        """Start a task with words that `run_batch` takes after the first; returns its news."""
        left = set(exclude)
        ids = [n.id for n in self.nodes() if left & {n.id, n.host, n.address}] if left else []
        options: dict[str, Any] = {
            "num_cpus": demand.cpus,
            "num_gpus": demand.gpus,
            "memory": demand.memory or None,
            "max_retries": 0,  # what is lost begins again at its newest checkpoint, here
            "num_returns": "streaming",
        }
        if ids:
            options["label_selector"] = {"ray.io/node-id": f"!in({','.join(ids)})"}
        return self._work.options(**options).remote(self._desk, *words)

    def tell(self, task: str, message: Begin | Wish) -> None:
        """Leave a message for a task."""
        ray = _ray()

        if isinstance(message, Begin):
            self._desk.put.remote(task, None, [ray.put(message)])  # in a list it stays where it is
        else:
            self._desk.put.remote(task, message, [])

    def close(self) -> None:
        """Leave the cluster, or end the one that was started; tasks end with it."""
        ray = _ray()

        ray.shutdown()
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)


def news(streams: list[Any]) -> list[Any]:
    """Those of some streams that have something new, or have ended."""
    ray = _ray()

    if not streams:
        return []
    return ray.wait(streams, num_returns=len(streams), timeout=0)[0]


def take(stream: Any) -> Any:
    """
    The next of the news of a stream.

    Raises:
        StopIteration: it has ended.
        RayError: so has its task, badly.
    """
    ray = _ray()

    return ray.get(next(stream))


def end(stream: Any) -> None:
    """End a task now."""
    ray = _ray()
    from ray.exceptions import RayError

    with suppress(ValueError, RayError):
        ray.cancel(stream, force=True)


def _start() -> Path:
    """
    Start a cluster of this machine alone; returns its folder of logs and sockets.

    Raises:
        EnvironmentProblem: it does not start.
    """
    ray = _ray()

    os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))  # for nobody but this run
    folder = Path(tempfile.mkdtemp(prefix="bench-ray-", dir="/tmp"))  # names of sockets are short
    before = signal.getsignal(signal.SIGTERM)
    failure: Exception | None = None
    for _ in range(STARTS):
        try:
            ray.init(  # in the thread that stays: Ray's processes end with it
                address="local",
                include_dashboard=False,
                log_to_driver=False,
                configure_logging=False,
                object_store_memory=STORE_BYTES,
                _temp_dir=str(folder),
            )
            return folder
        except Exception as error:  # whatever Ray raises
            failure = error
            ray.shutdown()
        finally:
            with suppress(ValueError):  # not in the main thread
                signal.signal(signal.SIGTERM, before)
    shutil.rmtree(folder, ignore_errors=True)
    message = f"cannot start Ray here: {_line(failure or RuntimeError())}"
    raise EnvironmentProblem(message) from None


def _join(address: str) -> None:
    """
    Join a running cluster.

    Raises:
        EnvironmentProblem: none answers, or it wants another token or version.
    """
    ray = _ray()

    _reach(address)
    failures: list[BaseException] = []

    def join() -> None:
        try:
            ray.init(address, log_to_driver=False, configure_logging=False)
        except BaseException as error:  # whatever Ray raises, SystemExit among it
            failures.append(error)

    thread = threading.Thread(target=join, daemon=True)  # which leaves signals alone, too
    thread.start()
    thread.join(CONNECTED_S)
    if failures or thread.is_alive():
        why = _line(failures[0]) if failures else f"no answer in {CONNECTED_S:.0f} s"
        message = (
            f"cannot join the Ray cluster `{address}`: {why}; join it on one of its nodes, with "
            "its version of Ray and its token (~/.ray/auth_token, or in RAY_AUTH_TOKEN)"
        )
        raise EnvironmentProblem(message)


def _reach(address: str) -> None:
    """
    Make sure that something listens at an address.

    Raises:
        EnvironmentProblem: nothing does, or it is an address of another kind.
    """
    if address == "auto":
        return
    host, _, port = address.rpartition(":")
    if "/" in address or not host or not port.isdigit():
        message = f"address `{address}`: expected HOST:PORT of a running Ray cluster, or auto"
        raise EnvironmentProblem(message)
    try:
        socket.create_connection((host, int(port)), REACHED_S).close()
    except OSError as error:
        message = f"no Ray cluster answers at `{address}`: {error.strerror or error}"
        raise EnvironmentProblem(message) from None


def _line(error: BaseException) -> str:
    """An exception of Ray's in one line."""
    return " ".join(str(error).split())[:300] or type(error).__name__
