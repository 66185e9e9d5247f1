"""The logs of cells: which one is meant, what it holds, and what is added to it."""

import time
from collections.abc import Callable
from pathlib import Path

from bench.base.files import is_plain_file
from bench.base.signals import Stopped
from bench.errors import EnvironmentProblem, UsageError
from bench.execution.cell_log import NAME
from bench.execution.status import RunStatus, all_runs
from bench.results import cell_folders, store

EVERY_S = 0.3
LOOK_S = 2.0  # between two looks at whether the cell has ended


def find(root: Path, cell: str) -> Path:
    """
    The log of the cell that a run shows under this name, or whose folder `cell_folders.fitting`
    finds, or that no other has this part of its name.

    Cells of a run that goes on count, though they have not begun and there is no file yet.

    Raises:
        UsageError: none, or several; their logs are listed.
    """
    names = _names(root)
    fitting = cell_folders.match_slugs(cell, [path.parent.name for path in names])
    found = (
        [path for path, shown in names.items() if cell in shown]
        or [path for path in names if path.parent.name in fitting]
        or [path for path, shown in names.items() if any(cell in name for name in shown)]
    )
    if len(found) == 1:
        return found[0]
    if not found:
        message = f"no cell of `{root}` is called `{cell}`; `bench status` names what runs"
        raise UsageError(message)
    listed = "\n".join(f"  {path}" for path in sorted(found))
    message = f"`{cell}` names {len(found)} cells of `{root}`, with the logs\n{listed}"
    raise UsageError(message)


def show(path: Path, write: Callable[[str], None]) -> None:
    """
    Say what a log says so far.

    Raises:
        UsageError: there is none yet.
    """
    if path.is_symlink():
        message = f"`{path}` is a link, which no run makes, and is not followed"
        raise UsageError(message)
    if not path.is_file():
        message = f"no `{path}` yet: the cell has not begun; -f waits for it"
        raise UsageError(message)
    write(path.read_text(encoding="utf-8", errors="replace"))


def follow(root: Path, path: Path, write: Callable[[str], None]) -> None:
    """Write what a log holds, and what is added to it, until its cell ends or Ctrl-C."""
    try:
        place, looked = _more(path, 0, write), 0.0
        while True:
            if time.monotonic() - looked > LOOK_S:
                looked = time.monotonic()
                if not _expected(root, path):
                    _more(path, place, write)
                    return
            time.sleep(EVERY_S)
            place = _more(path, place, write)
    except Stopped:  # how one leaves
        return


def _names(root: Path) -> dict[Path, set[str]]:
    """Each cell's log, and how runs show the cell."""
    logs = (root / "cells").glob(f"*/{NAME}")
    found: dict[Path, set[str]] = {path: set() for path in logs if _inside(root, path.parent.name)}
    for run in all_runs(root):
        for entry in run.journal.header.cells if run.journal.header else []:
            path = root / "cells" / entry.folder / NAME
            if path in found or (run.going and _inside(root, entry.folder)):
                found.setdefault(path, set()).add(entry.name)
    return found


def _inside(root: Path, folder: str) -> bool:
    """Is it the name of a cell's folder, and does no link there lead out of the results?"""
    try:
        return bool(store.path_inside(root, "cells", folder))
    except EnvironmentProblem:
        return False


def _expected(root: Path, path: Path) -> bool:
    """Does a run go on in which the cell has not ended?"""
    return any(_open(run, path) for run in all_runs(root) if run.going)


def _open(run: RunStatus, path: Path) -> bool:
    cells = run.progress.cells.values()
    return any(cell.log == path and cell.open for cell in cells)


def _more(path: Path, place: int, write: Callable[[str], None]) -> int:
    """Write what was added since; returns up to where."""
    if not is_plain_file(path):
        return place
    with path.open("rb") as file:
        file.seek(place)
        content = file.read()
    whole = content[: content.rfind(b"\n") + 1]
    if whole:
        write(whole.decode("utf-8", errors="replace"))
    return place + len(whole)
