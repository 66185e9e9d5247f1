"""
Checkpoints: a cell's training between two steps, on disk.

    CELL/checkpoints/<epoch>-<step>/  progress.json  weights.safetensors  state.pt  best.safetensors

A checkpoint is there whole or not at all. progress.json holds the digests of the other files and of
itself: one that is damaged, or another cell's, is not used but the one before it, and no file
of a checkpoint can run code. A disk or a memory that fails says nothing of a checkpoint, and
touches none. Two are kept.
"""

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from bench.base.files import sync_folder
from bench.errors import EnvironmentProblem
from bench.results.record import Provenance
from bench.train.checkpoint_files import Unusable, read_files, read_intact, write_files
from bench.train.checkpoint_folders import KEPT, folder, list_folders, remove
from bench.train.snapshot import Snapshot

PART = ".part"  # the one that is being written
DAMAGED = r"\d+-\d+\.damaged"


@dataclass
class CheckpointWriter:
    """
    Writes a cell's checkpoints, by time and when its training is to stop.

    Args:
        home: of the cell's files.
        every_s: seconds between checkpoints.
        processes: those that trained, this one last.
        stopping: is training to stop?
        report: told of a checkpoint that cannot be written; training goes on without.
    """

    home: Path
    cell_id: str
    every_s: float
    processes: Callable[[], list[Provenance]]
    stopping: Callable[[], bool]
    report: Callable[[str], None]
    last: float = field(init=False, default_factory=lambda: time.monotonic())

    def due(self) -> bool:
        return time.monotonic() - self.last >= self.every_s

    def keep(self, snapshot: Snapshot) -> None:
        try:
            write(self.home, self.cell_id, snapshot, self.processes())
        except EnvironmentProblem as problem:
            self.report(f"no checkpoint: {problem}")
        self.last = time.monotonic()


def step_folder(home: Path, epoch: int, step: int) -> Path:
    """Where the checkpoint before that step lies."""
    return folder(home) / f"{epoch:06d}-{step:08d}"


def count_epochs(home: Path) -> int:
    """How many epochs are done by the newest checkpoint of the cell whose files are in `home`."""
    return max((int(path.name.partition("-")[0]) for path in list_folders(home)), default=0)


def write(home: Path, cell_id: str, snapshot: Snapshot, processes: list[Provenance]) -> Path:
    """
    Keep a snapshot, and of those before it the newest; one that is kept already stays.

    Raises:
        EnvironmentProblem: the disk is full, or the folder cannot be written or leads elsewhere.
    """
    root, path = folder(home), step_folder(home, snapshot.epoch, snapshot.step)
    part = root / PART
    try:
        if root.is_symlink():
            message = f"cannot write `{root}`: it is a link"
            raise EnvironmentProblem(message)
        root.mkdir(parents=True, exist_ok=True)
        if _is_sound(path, cell_id):
            return path
        remove(part)
        part.mkdir()
        try:
            write_files(part, cell_id, snapshot, processes)
            remove(path)
            part.rename(path)
        except BaseException:
            remove(part)
            raise
        for each in (path, root):
            sync_folder(each)
        for old in list_folders(home)[KEPT:]:
            remove(old)
    except OSError as error:
        message = f"cannot write `{path}`: {error.strerror or error}"
        raise EnvironmentProblem(message) from None
    return path


def read_newest(
    home: Path, cell_id: str, report: Callable[[str], None]
) -> tuple[Snapshot, list[Provenance]] | None:
    """
    The newest checkpoint that is sound, and the processes that trained it; None: there is none.

    One that is not is set aside, and the one before it tried.

    Raises:
        EnvironmentProblem: the disk cannot be read, or one cannot be set aside.
    """
    try:
        for path in list_folders(home):
            try:
                return read_files(path, cell_id)
            except Unusable as problem:
                set_aside(path, str(problem), report)
        if list_folders(home, DAMAGED):
            report("no checkpoint is left, training begins anew")
    except OSError as error:
        message = f"cannot read `{error.filename or folder(home)}`: {error.strerror or error}"
        raise EnvironmentProblem(message) from None
    return None


def examine(home: Path, cell_id: str) -> Iterator[tuple[Path, str]]:
    """Each checkpoint of a cell, the newest first, and what is wrong with it; nothing if sound."""
    for path in list_folders(home):
        try:
            read_intact(path, cell_id)
            yield path, ""
        except OSError as error:
            yield path, f"it cannot be read: {error.strerror or error}"
        except Unusable as problem:
            yield path, str(problem)


def set_aside(path: Path, why: str, report: Callable[[str], None]) -> None:
    """
    Report a checkpoint that must not be used, and rename it to `<name>.damaged`.

    Raises:
        EnvironmentProblem: it cannot be renamed.
    """
    report(f"checkpoint {path.name} is not used: {why}")
    aside = path.with_name(f"{path.name}.damaged")
    try:
        remove(aside)
        path.rename(aside)
    except OSError as error:
        message = f"cannot rename `{path}`: {error.strerror or error}"
        raise EnvironmentProblem(message) from None


def remove_unfinished(home: Path) -> None:
    """Remove what a process that was killed while it wrote has left."""
    unfinished = (home.glob(f".{name}.*") for name in ("*.safetensors", "record.json"))
    with contextlib.suppress(OSError):
        for path in (folder(home) / PART, *(p for paths in unfinished for p in paths)):
            remove(path)


def _is_sound(path: Path, cell_id: str) -> bool:
    try:
        read_files(path, cell_id)
    except Unusable:
        return False
    return True
