"""The terminal is not the run: it may go away, be full or never have been there."""

import os
import pty
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import bench
from bench.results.cell_state import CellStates
from bench.results.store import find_plan

BENCH = [sys.executable, "-m", "bench"]
OURS = {**os.environ, "PYTHONPATH": str(Path(bench.__file__).parent.parent)}
SUITE = """
estimators: [ste]
backbones:
  resnet20: {width: 2}
data:
  digits: {train: 64, test: 50}
seeds: [0, 1]
train: {epochs: EPOCHS, batch_size: 32, lr: 0.1}
"""


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """Two short cells."""
    path = tmp_path / "suite.yaml"
    path.write_text(SUITE.replace("EPOCHS", "2"), encoding="utf-8")
    return path


def states(root: Path) -> list[str]:
    cells = find_plan(root, "suite").cells
    return [state.state for state in CellStates(root, cells).by_id.values()]


@pytest.mark.slow
def test_a_terminal_that_goes_away_ends_nothing(suite: Path, tmp_path: Path) -> None:
    """A run that was disowned hears no SIGHUP, and goes on without a screen."""
    root, (pid, master) = tmp_path / "results", pty.fork()
    if not pid:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        os.execve(sys.executable, [*BENCH, "run", str(suite), "--results", str(root)], OURS)
    seen = b""
    while b"to run" not in seen:
        seen += os.read(master, 4096)
    os.kill(pid, signal.SIGHUP)
    os.close(master)

    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert states(root) == ["recorded", "recorded"]


@pytest.mark.slow
def test_a_hang_up_stops_as_sigterm_does(suite: Path, tmp_path: Path) -> None:
    """Cells checkpoint, and the exit code says which signal it was."""
    root = tmp_path / "results"
    suite.write_text(SUITE.replace("EPOCHS", "5000"), encoding="utf-8")
    run = subprocess.Popen(
        [*BENCH, "run", str(suite), "--results", str(root), "-j", "1"],
        env=OURS, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    while not any("epoch" in path.read_text() for path in root.glob("cells/*/log.txt")):
        time.sleep(0.05)
    run.send_signal(signal.SIGHUP)
    _, told = run.communicate(timeout=100)

    assert run.returncode == 128 + signal.SIGHUP
    assert "stopped by SIGHUP; 2 of 2 cells left, 1 of them checkpointed" in told
    assert len([*root.glob("cells/*/checkpoints/*/progress.json")]) == 1


def shell(command: str, home: Path) -> tuple[int, str]:
    """The exit code of a command in a shell, `bench` ours, and what it says on standard error."""
    words = " ".join(BENCH)
    done = subprocess.run(
        ["sh", "-c", command.replace("bench ", f"{words} ", 1)],
        cwd=home, env=OURS, stderr=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr


@pytest.mark.slow
@pytest.mark.linux
def test_output_that_is_full_or_missing(measured: Path, tmp_path: Path) -> None:
    """What only prints has failed, in a line; a run has not; and nothing has no output at all."""
    shutil.copytree(measured.parent, tmp_path / "m")
    shutil.rmtree(tmp_path / "m" / "results" / "suites")  # which name where they came from
    full = "cannot write to standard output: No space left on device\n"

    for command, answer in {
        "bench list estimators > /dev/full": (5, f"error: {full}"),
        "bench list estimators > /dev/full 2>&1": (5, ""),
        "bench list estimators >&-": (0, ""),
        "bench list estimators <&- >&- 2>&-": (0, ""),
        "bench run m/tiny.yaml --results m/results > /dev/full": (0, f"note: {full}"),
        "bench run m/tiny.yaml --results m/results >&- 2>&-": (0, ""),
        "bench run m/tiny.yaml --results m/results --json > /dev/full": (0, None),
        "bench run m/tiny.yaml --results m/results | true": (0, ""),
    }.items():
        code, told = shell(command, tmp_path)
        assert code == answer[0], command
        assert answer[1] is None or told == answer[1], command
