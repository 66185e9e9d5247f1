"""The pages of Slurm and of Ray: every command on them is run against real daemons."""

import contextlib
import shlex
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
import ray_machine
import slurm_cluster
from pages import STAMP, Command, walk


@pytest.mark.slow
def test_the_page_of_slurm_can_be_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its commands are run, in order, against daemons of Slurm, and print what it says."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "104")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")

    def call(command: Command) -> str:
        words = shlex.split(command.line)
        argv = [sys.executable, "-m", *words] if words[0] == "bench" else words
        done = subprocess.run(
            argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        assert done.returncode == 0, f"{command.line}\n{done.stdout}"
        return "".join(f"{line.rstrip()}\n" for line in done.stdout.splitlines())

    with slurm_cluster.started() as cluster:
        slurm_cluster.enter(cluster, monkeypatch)
        walk("slurm", call, anywhere=True)


@pytest.mark.slow
def test_the_page_of_ray_can_be_followed(tmp_path: Path) -> None:
    """Its commands are run, in order, on a machine that is a lab, and print what it says."""
    pytest.importorskip("ray", reason="no Ray: pip install 'signbench[ray]'")
    if why := ray_machine.lacking():
        pytest.skip(why)
    (home := tmp_path / "home").mkdir()
    (folder := tmp_path / "work").mkdir()
    machine = ray_machine.RayMachine(home, "lab1")

    def call(command: Command) -> str:
        words = command.words
        if words[0] == "export":
            name, _, value = words[1].partition("=")
            machine.environ[name] = value
            return ""
        argv = [sys.executable, "-m", *words] if words[0] == "bench" else words
        code, printed = machine.call(argv, folder)
        fails = any(line.startswith("error: ") for line in command.printed.splitlines())
        assert (code != 0) == fails, f"{command.line}\n{printed}"
        lines = (line.rstrip() for line in printed.splitlines())
        return "".join(f"{STAMP.sub('', line)}\n" for line in lines if "network_util" not in line)

    with closing(machine), contextlib.chdir(folder):
        walk("ray", call, anywhere=True)
