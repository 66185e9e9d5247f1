"""
What is done when a process dies that had no time to do it: its child ends, its folder goes.

    python -m bench.fleet.ray.process_end child PID COMMAND...    with which process PID starts it
    python -m bench.fleet.ray.process_end folder PATH             until its standard input ends
"""

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

PR_SET_PDEATHSIG = 1  # of Linux
TRIES, PAUSE_S = 50, 0.2  # at a folder in which somebody still writes
MODULE = (sys.executable, "-m", "bench.fleet.ray.process_end")


def ended_with_me(command: list[str]) -> list[str]:
    """The command, for `Popen`: it has SIGTERM when the thread that starts it ends, however."""
    return [*MODULE, "child", str(os.getpid()), *command]


def remove_after_me(folder: Path, environ: dict[str, str]) -> int:
    """
    Have a folder removed when this process has ended, however, and children that were given this.

    Returns a file descriptor; all is over when it is closed everywhere.
    """
    reader, writer = os.pipe()
    command = [*MODULE, "folder", str(folder)]
    with os.fdopen(reader) as waits:
        subprocess.run(
            command, stdin=waits, stdout=subprocess.DEVNULL, start_new_session=True,
            env=environ, cwd="/", check=True,
        )  # fmt: skip
    return writer


def _become(parent: int, command: list[str]) -> None:
    """Become the command, which hears of its parent's death where the system can tell."""
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it died before
            sys.exit(1)
    os.execv(command[0], command)


def _remove(folder: Path) -> None:
    """Leave this to a process that is nobody's child: who kills whole families leaves it alone."""
    if os.fork():
        return
    with contextlib.suppress(OSError):
        while os.read(0, 1):
            pass
    for _ in range(TRIES):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(PAUSE_S)


def main(verb: str, *words: str) -> None:
    if verb == "child":
        _become(int(words[0]), list(words[1:]))
    else:
        _remove(Path(words[0]))


if __name__ == "__main__":
    main(*sys.argv[1:])
