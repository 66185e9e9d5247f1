"""Local plugins as they were when cells were submitted."""

from pathlib import Path

import pytest

from bench.errors import UsageError
from bench.fleet import plugin_copies
from bench.fleet.plugin_copies import copy_plugins
from bench.registry import add_folders


def test_what_is_edited_later_reaches_no_job(tmp_path: Path) -> None:
    """A copy is named by what is in it, with what plugins read; another edit is another copy."""
    folder, root = tmp_path / "mine" / "estimators", tmp_path / "results"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "table.txt").write_text("1", encoding="utf-8")
    (folder / "own.py").write_text("x = 1", encoding="utf-8")
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "own.pyc").write_bytes(b"")
    add_folders([folder])

    (first,) = copy_plugins(root)
    assert copy_plugins(root) == [first]
    (folder / "own.py").write_text("x = 2", encoding="utf-8")
    (second,) = copy_plugins(root)

    assert first != second
    assert (root / first / "own.py").read_text(encoding="utf-8") == "x = 1"
    assert sorted(p.name for p in (root / first).rglob("*.*")) == ["own.py", "table.txt"]
    assert first.name == "estimators"


def test_a_folder_of_other_things_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody copies a data set because a plugin lies beside it."""
    monkeypatch.setattr(plugin_copies, "MOST_MIB", 1e-6)
    (tmp_path / "own.py").write_text("x = 1", encoding="utf-8")
    add_folders([tmp_path])

    with pytest.raises(UsageError, match="keep other files elsewhere"):
        copy_plugins(tmp_path / "results")
