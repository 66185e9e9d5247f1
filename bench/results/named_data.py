"""
Whether a recorded cell may name the folder of its data.

A suite may name data anywhere by an absolute path. A record may be anybody's, so it names none but
below this user's data folder, unless a plan here is one that this user ran (`plan_owner`).
"""

import os
from pathlib import Path

from bench.errors import DataError
from bench.results import cell_folders, plan_owner
from bench.spec.cell import Cell


def refuse_elsewhere(cell: Cell, root: Path, folder: Path) -> None:
    """
    Nothing, unless a recorded cell's data lies outside of the data folder, and it is a stranger's.

    Args:
        cell: of a record.
        root: the results folder that it is in.
        folder: the data folder.

    Raises:
        DataError: it is; nothing was opened.
    """
    path = cell.data.params.get("path")
    if not isinstance(path, str):
        return
    below = Path(os.path.abspath(folder))  # noqa: PTH100 - links in it are this user's
    home = Path(os.path.abspath(below / Path(path).expanduser()))  # noqa: PTH100
    if home.is_relative_to(below):
        return
    plans = cell_folders.read_plans(root)
    if any(cell in plan.possible for plan in plans if plan_owner.is_own(plan)):
        return
    message = (
        f"{cell.slug} names data at `{home}`, outside of the data folder `{folder}`, and you "
        f"ran no plan of `{root}`; if you mean that data, give --data a folder that holds it"
    )
    raise DataError(message)
