"""
A machine of its own for commands of Ray: nothing outside of it is seen, stopped or reached.

It has a loopback interface and nothing else, names and processes of its own, and ends with this
process. Needs root, as `unshare` does.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
NAMESPACES = ("--net", "--uts", "--mount", "--pid")
SETUP = """
ip link set lo up
hostname $1
mount --bind hosts /etc/hosts
mkdir -p /tmp/ray
mount -t tmpfs tmpfs /tmp/ray
echo ready
cat
"""


def lacking() -> str:
    """Why there can be no such machine here; empty if there can."""
    for tool in ("unshare", "nsenter", "ip", "hostname"):
        if shutil.which(tool) is None:
            return f"no {tool}"
    made = ["unshare", *NAMESPACES, "--fork", "true"]
    refused = subprocess.run(made, capture_output=True, check=False).returncode
    return "namespaces need root" if refused else ""


class RayMachine:
    """
    Such a machine.

    Args:
        home: an empty folder, for its home folder and files that it needs.
        name: by which it is reached from within.
    """

    def __init__(self, home: Path, name: str) -> None:
        (home / "hosts").write_text(f"127.0.0.1 localhost {name}\n", encoding="utf-8")
        own = {
            "HOME": str(home),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "OMP_NUM_THREADS": "1",
            "COLUMNS": "104",
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_worker_niceness": "0",
        }
        self.environ = {**os.environ, **own}
        self._process = subprocess.Popen(
            ["unshare", *NAMESPACES, "--mount-proc", "--fork", "--kill-child", "sh", "-ec", SETUP,
             "sh", name],
            cwd=home, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self._process.stdout
        assert self._process.stdout.readline() == "ready\n"
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        self._first = children.read_text().split()[0]

    def call(self, words: list[str], folder: Path) -> tuple[int, str]:
        """Run a command in it; returns its exit code and all that it printed."""
        enter = ["nsenter", "--target", self._first, *NAMESPACES]
        done = subprocess.run(
            [*enter, f"--wd={folder}", *words], env=self.environ, text=True, check=False,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        return done.returncode, done.stdout

    def close(self) -> None:
        """Switch it off."""
        self._process.communicate()
