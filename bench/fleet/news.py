"""What jobs of a submission tell: the events of their journals, each read once."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from bench.results.record import EngineJob
from bench.run.events import CellEvent, Stopping
from bench.run.journal import JournalReader, journals


@dataclass
class News:
    """The journals of one submission's jobs, as far as they have been read."""

    root: Path
    submission: str
    _known: set[Path] = field(default_factory=set[Path])
    _open: list[JournalReader] = field(default_factory=list[JournalReader])

    def read(self) -> Iterator[tuple[EngineJob, CellEvent]]:
        """What cells' jobs emitted since the last time, and the job of each event."""
        new = journals(self.root, self.submission, self._known)
        self._known |= {journal.path for journal in new}
        self._open += new
        for journal in self._open:
            for _, event in journal.read():
                job = journal.header.job if journal.header else None
                if job and not isinstance(event, Stopping):
                    yield job, event
        self._open = [journal for journal in self._open if journal.over is None]
