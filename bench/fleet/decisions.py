"""What a run decides about cells of its jobs, in a journal beside those of the jobs."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from bench.execution.events import Event
from bench.execution.journal import JournalWriter
from bench.fleet.tasks import Tasks


class Decisions:
    """
    Listens to what no job tells: that a cell goes on in another job, or has failed with one.

    A submission has its journal from the first decision on.
    """

    def __init__(self, root: Path, tasks: Tasks, argv: Sequence[str]) -> None:
        self.root, self.tasks, self.argv = root, tasks, argv
        self._journals: dict[int, JournalWriter] = {}
        self._open = ExitStack()

    def __call__(self, event: Event) -> None:
        task = self.tasks.find(event.cell_id)
        if task is None:
            return
        claim = task.submission.claim
        if claim.number not in self._journals:
            journal = JournalWriter(
                self.root, claim.suite, claim.cells, self.argv, submission=claim.name
            )
            self._journals[claim.number] = self._open.enter_context(journal)
        self._journals[claim.number](event)

    def close(self) -> None:
        """End the journals."""
        self._open.close()
