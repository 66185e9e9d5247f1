"""
The attic: what is out of use is moved there, and nothing is ever deleted.

    ROOT/attic/<slug>@<UTC time>/    a measured cell that was run again
    ROOT/attic/gc@<UTC time>/        what `bench gc --move` took, each thing at its path below ROOT
"""

from datetime import UTC, datetime
from pathlib import Path

from bench.base.files import sync_folder
from bench.errors import EnvironmentProblem
from bench.results import lease, store
from bench.spec.cell import Cell


def move_cell(root: Path, cell: Cell, owner: lease.Owner) -> Path:
    """
    Move a cell's folder away so that it runs again; returns where to.

    Raises:
        Held: a run that is not `owner` has the cell.
        EnvironmentProblem: it cannot be moved.
    """
    home = store.find_cell_path(root, cell)
    goal = new_path(root, home.name)
    with lease.idle(root, home, owner):
        move_durably(home, goal)
    return goal


def new_path(root: Path, name: str) -> Path:
    """A place in the attic of `root` that is not taken."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    return store.path_inside(root, "attic", f"{name}@{stamp}")


def move_durably(path: Path, to: Path) -> None:
    """
    Move a file or a folder at once, for good.

    Raises:
        EnvironmentProblem: it cannot be moved.
    """
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        path.rename(to)
        sync_folder(to.parent)
        sync_folder(path.parent)
    except OSError as error:
        message = f"cannot move `{path}` to `{to}`: {error.strerror or error}"
        raise EnvironmentProblem(message) from None
