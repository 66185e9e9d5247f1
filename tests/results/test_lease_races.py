"""Processes that want one cell at once, on disks of several kinds: it has one owner at a time."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import racer

import bench


def race(root: Path, mode: str) -> str:
    """What is granted to whom, `DOUBLE` where another had it."""
    ours = {**os.environ, "PYTHONPATH": str(Path(bench.__file__).parent.parent)}
    running = [
        subprocess.Popen([sys.executable, racer.__file__, str(root), mode, str(number)], env=ours)
        for number in range(racer.RACERS)
    ]
    try:
        assert [process.wait(60) for process in running] == [0] * racer.RACERS
    finally:
        for process in running:
            process.kill()
    return (root / "granted").read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.linux
@pytest.mark.parametrize("mode", ["plain", "late", "lost", "bare"])
def test_no_cell_is_granted_twice(tmp_path: Path, mode: str) -> None:
    """Without file locks, where a listing is late, answers are lost or there are no hard links."""
    assert race(tmp_path, mode) == "+" * racer.RACERS * racer.GRANTS


@pytest.mark.slow
@pytest.mark.linux
def test_the_killed_are_followed_by_one(tmp_path: Path) -> None:
    """Half of the owners die with the cell; nobody waits for them, and no two follow one."""
    assert race(tmp_path, "killed") == "+" * racer.RACERS * (racer.ROUNDS // 4)


@pytest.mark.slow
@pytest.mark.linux
def test_an_owner_elsewhere_that_died_is_followed_by_one(tmp_path: Path) -> None:
    """All see it dead in the same moment, a hundred times; one has its cell."""
    followed = Counter(race(tmp_path, "dead").split())

    assert followed == {str(i): 1 for i in range(racer.ROUNDS)}
