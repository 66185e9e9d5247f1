"""
trackio: a run for each cell in the project of the suite, in a local SQLite file below FOLDER.

Its storage is called, not its `init`: that starts a thread, prints, and asks the network for a user
name where a token lies. So nothing here can leave the machine.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from shlex import quote
from typing import Any

from bench.base.files import real_path
from bench.spec.cell import Cell

OFFLINE = {"HF_HUB_OFFLINE": "1", "GRADIO_ANALYTICS_ENABLED": "False"}


class Tracker:
    """Writes at once what it is told."""

    def __init__(self, folder: Path, suite: str) -> None:
        place = quote(str(real_path(folder)))
        self.command = f"TRACKIO_DIR={place} trackio show --project {quote(suite)}"
        folder.mkdir(parents=True, exist_ok=True)
        self.suite, self._storage = suite, _storage(real_path(folder))
        self._parameters: dict[str, dict[str, Any]] = {}

    def begin(self, cell: Cell, parameters: Mapping[str, str | float]) -> None:
        self._parameters[cell.id] = {**parameters, "status": "running"}
        self.log(cell, {0: {}})

    def log(self, cell: Cell, values: Mapping[int, Mapping[str, float]]) -> None:
        self._storage.bulk_log(
            self.suite,
            cell.slug,
            [dict(told) for told in values.values()],
            steps=[*values],
            config=self._parameters[cell.id],
            log_ids=[f"{epoch} {' '.join(told)} {cell.id}" for epoch, told in values.items()],
        )  # what is told twice, by a cell that goes on, is kept once

    def end(self, cell: Cell, status: str, reason: str) -> None:
        self._parameters[cell.id] |= {"status": status, "reason": reason}
        self.log(cell, {0: {}})

    def close(self) -> None:
        """Nothing is kept back."""


def _storage(folder: Path) -> Any:
    """
    trackio's local storage, in `folder`, which it asks for once: when it is imported.

    Raises:
        ValueError: it is imported already, for another folder.
    """
    asked = {**OFFLINE, "TRACKIO_DIR": str(folder)}
    before = {name: os.environ.get(name) for name in asked}
    os.environ.update(asked)
    try:
        from trackio import utils
        from trackio.sqlite_storage import SQLiteStorage
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
    if folder != utils.TRACKIO_DIR:
        message = f"this process writes to {utils.TRACKIO_DIR} already"
        raise ValueError(message)
    return SQLiteStorage
