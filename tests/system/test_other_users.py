"""Machines as they are: users without a name or a home, checkouts of others, limits of files."""

import os
import subprocess
from pathlib import Path

import pytest

import bench
from bench.results.provenance import _describe_repository  # pyright: ignore[reportPrivateUsage]

STRANGER = 54321  # a number that no file knows
OURS = {**os.environ, "PYTHONPATH": str(Path(bench.__file__).parent.parent)}
root_only = pytest.mark.skipif(os.getuid() != 0, reason="only root takes other numbers")

pytestmark = pytest.mark.linux


@root_only
def test_a_checkout_of_another_owner(tmp_path: Path) -> None:
    """As a container's volume: git refuses it, and its commit is found all the same."""
    home = tmp_path / "own"
    home.mkdir()
    (home / "mine.py").write_text("x = 1\n", encoding="utf-8")
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", str(home)]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "one"]):
        subprocess.run([*git, *words], check=True)
    commit = subprocess.check_output([*git, "rev-parse", "HEAD"], text=True).strip()
    for path in (home, *home.rglob("*")):
        os.chown(path, STRANGER, STRANGER)
    refused = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, check=False)
    assert b"dubious ownership" in refused.stderr

    assert _describe_repository((home / "mine.py",)) == (commit, False)
    (home / "mine.py").write_text("x = 2\n", encoding="utf-8")
    _describe_repository.cache_clear()
    assert _describe_repository((home / "mine.py",)) == (commit, True)
