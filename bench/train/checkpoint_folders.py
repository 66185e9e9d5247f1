"""Folders of checkpoints: listed, taken over, removed; without torch, for who reads none."""

import contextlib
import re
import shutil
from pathlib import Path

from bench.base.files import sync_folder
from bench.errors import EnvironmentProblem

KEPT = 2  # the newest ones


def folder(home: Path) -> Path:
    """Where the checkpoints of the cell whose files are in `home` lie."""
    return home / "checkpoints"


def adopt(home: Path, others: Path) -> None:
    """
    Take over the checkpoints in the folder `others` if their newest is newer than those of a cell.

    They lie on the same disk; as ever the newest are kept.

    Raises:
        EnvironmentProblem: they cannot be moved, or the cell's folder of checkpoints is a link.
    """
    root, known = folder(home), {path.name for path in list_folders(home)}
    theirs = {path.name: path for path in list_folders(others)}
    if max(theirs, default="") <= max(known, default=""):
        return
    try:
        if root.is_symlink():
            message = f"cannot write `{root}`: it is a link"
            raise EnvironmentProblem(message)
        root.mkdir(parents=True, exist_ok=True)
        for name in sorted(theirs.keys() - known):
            theirs[name].rename(root / name)
        sync_folder(root)
        for old in list_folders(home)[KEPT:]:
            remove(old)
    except OSError as error:
        message = f"cannot write `{root}`: {error.strerror or error}"
        raise EnvironmentProblem(message) from None


def remove_all(home: Path) -> None:
    """Remove all checkpoints, the damaged too: the cell is measured."""
    with contextlib.suppress(OSError):
        remove(folder(home))


def list_folders(home: Path, name: str = r"\d+-\d+") -> list[Path]:
    """The checkpoints of a cell, the newest first; none where their folder is a link."""
    root = folder(home)
    if root.is_symlink() or not root.is_dir():
        return []
    return sorted((p for p in root.iterdir() if re.fullmatch(name, p.name)), reverse=True)


def remove(path: Path) -> None:
    """Remove a file, a link or a folder, if there is one; what a link leads to stays."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
