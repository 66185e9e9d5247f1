"""Machines as they are: users without a name or a home, checkouts of others, limits of files."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

import bench
from bench.results.provenance import _describe_repository  # pyright: ignore[reportPrivateUsage]

STRANGER = 54321  # a number that no file knows
OURS = {**os.environ, "PYTHONPATH": str(Path(bench.__file__).parent.parent)}
NOTHING_SET = ["env", "-u", "HOME", "-u", "USER", "-u", "LOGNAME", "-u", "TORCHINDUCTOR_CACHE_DIR"]
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


@root_only
@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("setpriv"), reason="no setpriv")
def test_a_user_without_a_name_and_a_home_trains(tiny: Path) -> None:
    """Torch would name its folder for compiled code after the user, in the process that plans."""
    rights = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search", "--clear-groups"]
    stranger = ["setpriv", f"--reuid={STRANGER}", f"--regid={STRANGER}", *rights]
    with tempfile.TemporaryDirectory() as name:
        shutil.copy(tiny, name)
        os.chown(name, STRANGER, STRANGER)
        done = subprocess.run(
            [*stranger, *NOTHING_SET, f"TMPDIR={name}", sys.executable, "-m", "bench", "run",
             "tiny.yaml", "--results", "r", "--filter", "estimator=ste"],
            cwd=name, env=OURS, capture_output=True, text=True, check=False, timeout=500,
        )  # fmt: skip
        left = {path.name for path in Path(name).iterdir()}

    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert left == {f"signbench-{STRANGER}", "r", "tiny.yaml"}
