"""
Processes of a cell on other nodes, as the one that leads sees them.

On each node a host (`rank_host`) starts them. It is started by the node's command, is given its
task by that command's input, and connects back. Both ends say every few seconds that they live,
for a node without power closes no connection; who falls silent is dead for the other. What the
host prints, and what its processes do, is at the end of this process's own standard error.
"""

import base64
import contextlib
import json
import os
import pickle
import secrets
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection

from bench.base import signals
from bench.base.network import interface_of
from bench.errors import EnvironmentProblem, NodeLost
from bench.execution.job import Job, OtherNode
from bench.execution.rank_children import Failure, Train

START_S = 600.0  # for a host to connect: a node may read Python from a slow disk
LOOK_S = 0.1  # between two looks at those that are to connect
BEAT_S = 5.0
SILENT = 12  # beats unanswered in a row; counted and not timed, for a suspended job has not died
END_S = 10.0  # for a host to end its processes
INTERFACES = ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME")


@dataclass(frozen=True)
class HostTask:
    """What a host is given; pickled."""

    address: str
    port: int
    key: bytes  # that makes a connection the host's
    number: int  # of the host
    store_port: int
    job: Job
    train: Train
    first: int  # rank of its first process


class RankNode:
    """
    One other node.

    Args:
        task: of its host.

    Raises:
        EnvironmentProblem: the node's command is not here.
    """

    def __init__(self, node: OtherNode, task: HostTask) -> None:
        self.node, self.size = node, len(task.job.devices)
        self.failures: dict[int, Failure | None] = {}  # of processes that have ended, by rank
        self.lost = ""  # why, if it is
        self.connection: Connection[bytes, bytes] | None = None
        self._silent = 0
        command = [*node.command, sys.executable, "-m", "bench.execution.rank_host"]
        try:
            with signals.ignored_by_children():
                self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=2)
        except OSError as error:
            message = f"cannot call `{node.command[0]}`: {error.strerror or error}"
            raise EnvironmentProblem(message) from None
        with contextlib.suppress(OSError), self._process.stdin:  # pyright: ignore
            self._process.stdin.write(base64.b64encode(pickle.dumps(task)) + b"\n")  # pyright: ignore

    @property
    def over(self) -> bool:
        """Have all its processes ended, or is it lost?"""
        return len(self.failures) == self.size or bool(self.lost)

    def confirm_start(self) -> bool:
        """
        Has its host come?

        Raises:
            NodeLost: it has ended.
        """
        if self.connection is None and (code := self._process.poll()) is not None:
            self.lost = f"{self.node.name}: no processes could be started there (exit code {code})"
        if self.lost:
            raise NodeLost(self.lost)
        return self.connection is not None

    def hear(self) -> None:
        """Take what its host said."""
        if self.connection is None or self.lost:
            return
        try:
            while self.connection.poll():
                word = self.connection.recv_bytes()
                self._silent = 0
                if word:
                    rank, failure = json.loads(word)
                    self.failures[rank] = failure and Failure(**failure)
        except (EOFError, OSError):
            if len(self.failures) < self.size:
                self.lost = f"{self.node.name} was lost: its processes ended without a word"

    def beat(self) -> None:
        """Say that the cell lives, and count that its host does."""
        if self.connection is None or self.over:
            return
        self._silent += 1
        if self._silent > SILENT:
            seconds = SILENT * BEAT_S
            self.lost = f"{self.node.name} was lost: nothing was heard of it for {seconds:.0f} s"
        with contextlib.suppress(OSError):
            self.connection.send_bytes(b"")

    def end(self) -> None:
        """End its processes, whatever they do."""
        if self.connection is None:
            self._process.terminate()  # on which srun ends what it started
        else:
            self.connection.close()
        try:
            self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def start_nodes(nodes: list[RankNode], job: Job, train: Train, store_port: int) -> None:
    """
    Start a job's processes on other nodes, and find by which interface nodes are reached.

    Args:
        nodes: to which each is added when it is started.

    Raises:
        NodeLost: there is one whose host has ended, or does not come.
        EnvironmentProblem: as `RankNode`.
    """
    if not job.others:
        return
    key = secrets.token_bytes()
    with socket.create_server(("", 0), backlog=len(job.others)) as server:
        server.settimeout(LOOK_S)
        port = int(server.getsockname()[1])
        for i, node in enumerate(job.others):
            first = len(job.devices) * (i + 1)
            task = HostTask(node.address, port, key, i, store_port, job, train, first)
            nodes.append(RankNode(node, task))
        end = time.monotonic() + START_S
        while lacking := [node for node in nodes if not node.confirm_start()]:
            if time.monotonic() > end:
                name = lacking[0].node.name
                message = f"{name}: no processes were started there within {START_S:.0f} s"
                raise NodeLost(message)
            with contextlib.suppress(TimeoutError):
                _greet(server.accept()[0], key, nodes)
    use_interface(nodes[0].connection)  # pyright: ignore[reportArgumentType]


def use_interface(connection: "Connection[bytes, bytes]") -> None:
    """Have collectives take the interface that a connection takes, unless others are named."""
    with socket.socket(fileno=os.dup(connection.fileno())) as same:
        interface = interface_of(same.getsockname()[0])
    for name in INTERFACES if interface else ():
        os.environ.setdefault(name, interface)


def _greet(guest: socket.socket, key: bytes, nodes: Sequence[RankNode]) -> None:
    """Take a connection for a host's if it knows the key; one that says nothing holds up nobody."""

    def identify(connection: "Connection[bytes, bytes]") -> None:
        with contextlib.suppress(EOFError, OSError):
            said, number = connection.recv_bytes(len(key)), connection.recv_bytes(8)
            if secrets.compare_digest(said, key):
                nodes[int(number)].connection = connection
                return
        connection.close()

    threading.Thread(target=identify, args=(Connection(guest.detach()),), daemon=True).start()
