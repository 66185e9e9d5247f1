"""
The process that starts and ends a cell's processes on another node than the one that leads.

It reads its task from standard input, connects to the one that leads, and ends with that
connection, or when nothing has come through it for a minute. Then all ends that it has started.
"""

import base64
import contextlib
import json
import os
import pickle
import signal
import sys
from dataclasses import asdict
from multiprocessing.connection import Client, Connection, wait

from bench.base import signals
from bench.base.machine import keep_pages
from bench.execution.cell_log import attach
from bench.execution.rank_children import Children
from bench.execution.rank_nodes import BEAT_S, SILENT, HostTask, use_interface


def main() -> None:
    """Do the task of standard input."""
    signals.ignore()
    with contextlib.suppress(PermissionError):  # it may lead a session
        os.setpgid(0, 0)
    keep_pages()
    attach()
    task: HostTask = pickle.loads(base64.b64decode(sys.stdin.readline()))
    address = os.path.expandvars(task.address)
    try:
        leader: Connection[bytes, bytes] = Client((address, task.port))
        leader.send_bytes(task.key)
        leader.send_bytes(str(task.number).encode())
    except OSError as error:
        sys.exit(f"{os.uname().nodename}: cannot reach {address}:{task.port}: {error}")
    use_interface(leader)
    children = Children()
    devices = dict(enumerate(task.job.devices, task.first))
    children.start(devices, (address, task.store_port), task.job, task.train)
    if not follow(leader, children):
        os.killpg(0, signal.SIGKILL)
    os._exit(0)


def follow(leader: "Connection[bytes, bytes]", children: Children) -> bool:
    """Answer the one that leads and tell it of each end, until all have ended; or is it gone?"""
    living = {process.sentinel: rank for rank, process in children.processes.items()}
    silent = 0
    try:
        while living:
            ready = wait([leader, *living], BEAT_S)
            silent = 0 if leader in ready else silent + (not ready)
            if silent > SILENT:
                return False
            if leader in ready:
                leader.recv_bytes()
                leader.send_bytes(b"")
            for sentinel in living.keys() & {*ready}:
                rank = living.pop(sentinel)
                children.processes[rank].join()
                failure = children.failure(rank)
                leader.send_bytes(json.dumps([rank, failure and asdict(failure)]).encode())
    except (EOFError, OSError):
        return False
    return True


if __name__ == "__main__":
    main()
