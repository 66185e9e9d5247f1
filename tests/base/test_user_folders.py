"""Folders of users that have no home, no name, or a home that cannot be written."""

import os
import pwd
import stat
from pathlib import Path

import pytest

from bench.base import answer_cache, user_folders


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("BENCH_CACHE", raising=False)
    user_folders.local_folder.cache_clear()
    return tmp_path


def test_a_number_without_a_name(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No folder is called ~; what is compiled is kept here, and no answer is."""

    def unknown(_: int) -> None:
        raise KeyError

    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    monkeypatch.chdir(temporary)

    assert user_folders.compiled_folder() == temporary / f"signbench-{os.getuid()}" / "compiled"
    with pytest.raises(RuntimeError, match="home"):
        answer_cache.folder()
    assert [path.name for path in temporary.iterdir()] == [f"signbench-{os.getuid()}"]


def test_a_home_that_cannot_be_written(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where it is no folder, or read-only."""
    monkeypatch.setenv("HOME", "/proc")

    assert user_folders.compiled_folder().is_relative_to(temporary)


def test_in_a_job_the_node_keeps_what_is_compiled(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A home that nodes share is slow, and locked by all; elsewhere it is the user's cache."""
    monkeypatch.setenv("HOME", str(temporary / "home"))
    assert user_folders.compiled_folder() == temporary / "home/.cache/signbench/compiled"
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setenv("SLURM_TMPDIR", str(temporary))
    assert user_folders.compiled_folder().parent.parent == temporary


def test_what_somebody_else_made_is_not_taken(temporary: Path) -> None:
    """Compiled code is run: a link in its place is left alone, and others may not write there."""
    (temporary / f"signbench-{os.getuid()}").symlink_to(temporary)
    found = user_folders.local_folder()

    assert found.parent == temporary
    assert not found.is_symlink()
    assert stat.S_IMODE(found.stat().st_mode) == 0o700
