"""
The results folder, for jobs on nodes that do not see it: what they are given, and what they bring.

While a job has a cell this process holds its lease, as a run here would.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from pydantic import ValidationError

from bench.base.files import append_text, write_file
from bench.execution.journal import Header
from bench.fleet.batch import Batch
from bench.fleet.ray import received, transfer
from bench.fleet.ray.transfer import Transfer
from bench.results import store
from bench.results.lease import Leases, myself
from bench.spec.cell import Cell

FOUND = re.compile(r"[a-z]+(\.\d)?")
JOURNAL = re.compile(r"(jobs/[^/.][^/]*/)?events/[^/.][^/]*\.jsonl")


class Transfers:
    """
    What goes out of a results folder to nodes, and comes in.

    Args:
        root: the results folder, as this process sees it.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.owner = myself()
        self._leases = Leases(root, self.owner)

    def send(self, batch: Batch) -> tuple[Transfer | None, str]:
        """
        Take the cells of a batch that nobody has ended since it was made, and pack them.

        Returns what is to be sent, None if there is nothing to do now; and who has cells that are
        left out, in words, empty if none is.

        Raises:
            EnvironmentProblem: the results folder cannot be read, written or locked.
        """
        if batch.purpose != "train":
            return transfer.pack(batch, self.root), ""
        taken: list[Cell] = []
        others = ""
        for cell in batch.cells:
            answer = self._leases.take(cell)
            if not answer.ours:
                others = f"{cell.slug}: {answer.other or 'somebody'} has it"
            elif _is_over(batch, cell, self.root):
                self._leases.release(cell)
            else:
                taken.append(cell)
        if not taken:
            return None, others
        ids = {cell.id for cell in taken}
        entries = [entry for entry in batch.entries if entry.id in ids]
        part = batch.model_copy(update={"cells": taken, "entries": entries})
        return transfer.pack(part, self.root), others

    def land(self, batch: Batch, content: bytes) -> list[str]:
        """
        Take in cells of a batch as a node sent them; returns what stays behind, and why.

        Raises:
            UsageError: it is no archive, or a damaged one.
            EnvironmentProblem: the disk is full, or the results folder cannot be written.
        """
        return received.land(content, self.root, self.owner, batch.cells, batch.before)

    def write_found(self, batch: Batch, found: Mapping[str, bytes]) -> None:
        """Lay down what a job that trains nothing found, where it is waited for."""
        folder = self.root / "jobs" / batch.submission
        for name, content in found.items():
            if batch.purpose != "train" and FOUND.fullmatch(name) and folder.is_dir():
                write_file(folder / name, content)

    def write_journal(self, name: str, content: bytes) -> None:
        """Add lines to a journal that a node writes, if `name` is that of one."""
        if not JOURNAL.fullmatch(name):
            return
        path = self.root / name
        text = content.decode(errors="replace")
        if not path.exists():
            first, newline, rest = text.partition("\n")
            text = f"{self._at_home(first)}{newline}{rest}"
        append_text(path, text)

    def release(self, cells: Iterable[Cell]) -> None:
        """Let cells go."""
        for cell in cells:
            self._leases.release(cell)

    def beat(self) -> None:
        """Show that this process lives."""
        self._leases.beat()

    def _at_home(self, line: str) -> str:
        """The first line of a journal, with the results folder that its cells come home to."""
        try:
            header = Header.model_validate_json(line)
        except ValidationError:
            return line
        return header.model_copy(update={"root": str(self.root.absolute())}).model_dump_json()


def _is_over(batch: Batch, cell: Cell, root: Path) -> bool:
    """Has the cell come to its end, well or badly, since the batch was made?"""
    record = store.find_record(root, cell)
    return record is not None and record.seal != batch.before.get(cell.id)
