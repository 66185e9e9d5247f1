"""A worker and the process that started it."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

PARENT = """
import multiprocessing, os, signal, sys, time
from pathlib import Path
from bench.execution.worker_main import prepare_process

def work(told):
    prepare_process()
    Path(told).write_text(str(os.getpid()))
    time.sleep(120)

if __name__ == "__main__":
    multiprocessing.get_context("spawn").Process(target=work, args=(sys.argv[1],)).start()
    if forked := os.fork():
        print(forked, flush=True)
        while not os.path.exists(sys.argv[1]):
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(120)
"""


@pytest.mark.slow
def test_a_worker_ends_with_its_parent_though_a_fork_of_it_lives(tmp_path: Path) -> None:
    """The fork has the pipe open that would tell; compilers fork."""
    file, told = tmp_path / "parent.py", tmp_path / "worker"
    file.write_text(PARENT, encoding="utf-8")
    with subprocess.Popen(
        [sys.executable, str(file), str(told)], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout
        forked = int(parent.stdout.readline())
        assert parent.wait(timeout=60) == -signal.SIGKILL
        worker = Path("/proc") / told.read_text(encoding="utf-8")
        try:
            end = time.monotonic() + 30
            while _runs(worker) and time.monotonic() < end:
                time.sleep(0.1)
            assert not _runs(worker)
        finally:
            os.kill(forked, signal.SIGKILL)
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(worker.name), signal.SIGKILL)


def _runs(process: Path) -> bool:
    """Whether a process is there, and more than the entry of one that ended."""
    with contextlib.suppress(OSError):
        return ") Z " not in (process / "stat").read_text(encoding="utf-8")
    return False
