"""What a node has to have for a batch, and what it sends home where it sees no results folder."""

import re
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from bench.data.source import DataSource, named
from bench.errors import DataError, EnvironmentProblem
from bench.fleet.batch import Batch
from bench.fleet.ray import transfer
from bench.fleet.ray.ray_messages import JournalLines, News, Sent
from bench.results import store
from bench.spec.cell import Cell

CHECKPOINT = re.compile(r"\d+-\d+")
JOURNALS = ("events/*.jsonl", "jobs/*/events/*.jsonl")


def need_data(batch: Batch) -> None:
    """
    Make sure that the node has the data sets of a batch.

    Raises:
        DataError: it lacks one.
    """
    for name, source in _data_sets(batch):
        files = source.files(batch.data)
        if files and not any(path.exists() for path in files):
            message = (
                f"the node {socket.gethostname()} has no data set `{name}` in `{batch.data}`: put "
                "it there, or set `data` of the profile to the folder that has it on nodes"
            )
            raise DataError(message)


def _data_sets(batch: Batch) -> Iterator[tuple[str, DataSource]]:
    """The data sets of a batch, each once, with their names."""
    refs = {cell.data.model_dump_json(): cell.data for cell in batch.cells}
    for _, ref in sorted(refs.items()):
        yield ref.name, named(ref.name).model_validate(ref.params)


class Outgoing:
    """What is new of a batch in its folder on a node."""

    def __init__(self, batch: Batch) -> None:
        self.batch = batch
        self._read: dict[Path, int] = {}  # bytes of each journal
        self._sent = {cell.id: self._newest(cell) for cell in batch.cells}
        self._recorded: dict[str, int] = {}  # when the record that was sent had been written

    def news(self) -> Iterator[News]:
        """What came since the last time: records, checkpoints, whole lines of journals."""
        for cell in self.batch.cells:
            with suppress(EnvironmentProblem):  # it has just given way to a newer one
                yield from self._of_cell(cell)
        for pattern in JOURNALS:
            for path in sorted(self.batch.root.glob(pattern)):
                yield from self._lines(path)

    def results(self) -> bytes:
        """
        What became of the cells and was not sent yet, as an archive.

        Raises:
            EnvironmentProblem: there is no room for it.
        """
        left = [c for c in self.batch.cells if self._recorded.get(c.id) != self._written(c)]
        return transfer.pack_results(left, self.batch.root)

    def _of_cell(self, cell: Cell) -> Iterator[Sent]:
        """What is new of a cell: its record with all that belongs to it, or a checkpoint."""
        written, name = self._written(cell), self._newest(cell)
        if written > self._recorded.get(cell.id, 0):
            content = transfer.pack_results([cell], self.batch.root)
            self._recorded[cell.id] = written
            yield Sent(content)
        elif name > self._sent[cell.id]:
            content = transfer.pack_checkpoint(cell, self.batch.root, name)
            self._sent[cell.id] = name
            yield Sent(content)

    def _written(self, cell: Cell) -> int:
        """When the cell's record was written, in nanoseconds; 0 if there is none."""
        try:
            return (store.cell_path(self.batch.root, cell) / "record.json").stat().st_mtime_ns
        except OSError:
            return 0

    def _lines(self, path: Path) -> Iterator[JournalLines]:
        with path.open("rb") as file:
            file.seek(self._read.get(path, 0))
            lines = file.read()
        if whole := lines[: lines.rfind(b"\n") + 1]:
            self._read[path] = self._read.get(path, 0) + len(whole)
            yield JournalLines(path.relative_to(self.batch.root).as_posix(), whole)

    def _newest(self, cell: Cell) -> str:
        """The name of a cell's newest checkpoint; empty if there is none."""
        folder = store.cell_path(self.batch.root, cell) / "checkpoints"
        names = (path.name for path in folder.iterdir()) if folder.is_dir() else ()
        return max(filter(CHECKPOINT.fullmatch, names), default="")
