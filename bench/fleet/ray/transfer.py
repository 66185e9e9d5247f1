"""
What travels where nodes see no results folder: to a node what its batch needs, and back what came.

To a node: the batch, local plugins, logs and checkpoints of its cells, records and weights of the
cells that these rest on. Back: the cells, as `bench export` packs them.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.base.files import write_file
from bench.errors import EnvironmentProblem
from bench.fleet import job_ends
from bench.fleet.batch import Batch, save_batch
from bench.results import archive, store
from bench.results.cell_folders import CellFolder, read_folder
from bench.spec.cell import Cell

LIGHTLY = 1  # tensors hardly shrink, however long one tries
PLUGIN_BYTES = 2**26  # of a folder of plugins
CACHES = {"__pycache__", ".git"}

Files = dict[str, bytes]  # by their paths in a folder


@dataclass(frozen=True)
class Transfer:
    """
    What a node is given.

    Args:
        batch: as JSON; its folders are those of the machine that packed.
        cells: an archive.
        plugins: the folders that the batch names, in that order.
        ends: the file that says how jobs of the submission ended before.
    """

    batch: str
    cells: bytes
    plugins: tuple[Files, ...] = ()
    ends: bytes = b""


def pack(batch: Batch, root: Path) -> Transfer:
    """
    Pack what a node needs to run a batch of the results folder `root`.

    Raises:
        EnvironmentProblem: a file cannot be read.
        UsageError: a folder of plugins is too large to travel.
    """
    members = dict(member for cell in batch.cells for member in _members_of(cell, root))
    ends = job_ends.ends_path(root, batch.submission) if batch.submission else None
    return Transfer(
        batch.model_dump_json(),
        archive.pack_archive(members.items(), LIGHTLY),
        tuple(_read_folder(folder) for folder in batch.plugins),
        ends.read_bytes() if ends and ends.is_file() else b"",
    )


def unpack(transfer: Transfer, home: Path) -> Path:
    """
    Lay a transfer out in the empty folder `home`; returns the path of its batch.

    Raises:
        UsageError: it is damaged.
        EnvironmentProblem: there is no room for it.
    """
    batch = Batch.model_validate_json(transfer.batch)
    root = home / "results"
    root.mkdir()
    archive.read_archive(write_file(home / "cells.tar.gz", transfer.cells), root)
    folders: list[Path] = []
    for number, (folder, files) in enumerate(zip(batch.plugins, transfer.plugins, strict=True)):
        folders.append(home / "plugins" / str(number) / folder.name)
        for name, content in files.items():
            write_file(folders[-1] / name, content)
    if transfer.ends:
        write_file(job_ends.ends_path(root, batch.submission), transfer.ends)
    return save_batch(batch.model_copy(update={"root": root, "plugins": folders}), root)


def pack_results(cells: Iterable[Cell], root: Path) -> bytes:
    """
    Pack what became of cells in the results folder `root`.

    Raises:
        EnvironmentProblem: a file cannot be read.
    """
    folders = _folders(cells, root)
    members = (member for each in folders for member in archive.list_cell_files(each))
    return archive.pack_archive(members, LIGHTLY)


def pack_checkpoint(cell: Cell, root: Path, name: str) -> bytes:
    """
    Pack one checkpoint of a cell, and its log.

    Raises:
        EnvironmentProblem: it is gone, for a newer one is there.
    """
    inside = f"cells/{cell.slug}/checkpoints/{name}/"
    members = (
        (path, file)
        for each in _folders([cell], root)
        for path, file in archive.list_cell_files(each, ())
        if path.startswith(inside) or path.endswith("/log.txt")
    )
    return archive.pack_archive(members, LIGHTLY)


def _members_of(cell: Cell, root: Path) -> Iterator[tuple[str, Path]]:
    """What a node needs of a cell to train it: how far it is, and its parents."""
    record = store.find_record(root, cell)
    if record is None or not record.measured:
        for folder in _folders([cell], root):
            for name, path in archive.list_cell_files(folder, ()):
                if path.name != "record.json":
                    yield name, path
    for parent in cell.parents.values():
        weights = [f"{parent.which}.safetensors"]
        for folder in _folders([parent.cell], root):
            yield from archive.list_cell_files(folder, weights, checkpoints=False)


def _folders(cells: Iterable[Cell], root: Path) -> list[CellFolder]:
    homes = [store.cell_path(root, cell) for cell in cells]
    return [read_folder(home) for home in homes if home.is_dir()]


def _read_folder(folder: Path) -> Files:
    """
    Read all files of a folder of plugins; links do not travel.

    Raises:
        EnvironmentProblem: they are too many, or cannot be read.
    """
    paths = [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink() and not CACHES & {*path.parts}
    ]
    try:
        if sum(path.stat().st_size for path in paths) > PLUGIN_BYTES:
            size = PLUGIN_BYTES // 2**20
            message = (
                f"`{folder}` holds more than {size} MiB: keep plugins in a folder of their own"
            )
            raise EnvironmentProblem(message)
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
    except OSError as error:
        message = f"cannot read `{folder}`: {error.strerror or error}"
        raise EnvironmentProblem(message) from None
