"""What jobs of a submission tell: the events of their journals, each read once."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from bench.execution.events import CellEvent, Stopping
from bench.execution.journal import JournalReader, journals
from bench.results.record import EngineJob


@dataclass
class News:
    """The journals of one submission's jobs, as far as they have been read."""

    root: Path
    submission: str
    _known: set[Path] = field(default_factory=set[Path])
    _open: list[JournalReader] = field(default_factory=list[JournalReader])

    def read(self) -> Iterator[tuple[datetime, EngineJob | None, CellEvent]]:
        """
        What was emitted of cells since the last time: when, and by which job.

        No job: by a run that follows them.
        """
        new = journals(self.root, self.submission, self._known)
        self._known |= {journal.path for journal in new}
        self._open += new
        for journal in self._open:
            for at, event in journal.read():
                if journal.header and not isinstance(event, Stopping):
                    yield at, journal.header.job, event
        self._open = [journal for journal in self._open if journal.over is None]
