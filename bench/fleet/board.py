"""
The board of a submission: its cells, by the journals of its jobs and the last look at these.

The engine is not asked, so that it can be read wherever the results folder is seen.
"""

from collections import Counter
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bench.base.text import count
from bench.execution.events import Ended, Event, Queued, Retrying, Started
from bench.execution.progress import CellProgress, RunProgress
from bench.execution.status import Board, cell_facts, find_runs, steady
from bench.fleet.engine import JobState, Phase
from bench.fleet.last_look import read_look
from bench.fleet.news import News
from bench.fleet.submission import Submission, submissions
from bench.results.lease import alive
from bench.spec.cell_status import CellStatus

LIVE = (Phase.QUEUED, Phase.RUNNING, Phase.UNKNOWN)
CANCELLED, KEY = "cancelled", "submission "


class SubmissionBoard:
    """One submission, and how far its cells are; a `bench.execution.status.Board`."""

    def __init__(self, submission: Submission) -> None:
        self.submission = submission
        claim, root = submission.claim, submission.root
        cells = {
            cell.id: CellProgress(cell.name, cell.epochs, root / "cells" / cell.folder / "log.txt")
            for cell in claim.cells
        }
        self.progress = RunProgress(claim.suite, cells, steady(claim.at))
        self._news = News(root, claim.name)
        self._looked: datetime | None = None
        self._states: dict[str, JobState] = {}
        self._batch_of = {i: batch for batch, ids in claim.batches.items() for i in ids}
        self.closed = False

    @property
    def key(self) -> str:
        return f"{KEY}{self.submission.claim.name}"

    @property
    def going(self) -> bool:
        """May jobs be waiting or at work?"""
        cells = self.progress.cells.values()
        if self.closed or not any(cell.open for cell in cells):
            return False
        if any(state.phase in LIVE for state in self._states.values()):
            return True
        return not self._states or bool(alive(self.submission.claim.owner))

    @property
    def line(self) -> str:
        """Whose it is, how its jobs are, and when the engine was last asked."""
        claim, words = self.submission.claim, [count(len(self.submission.jobs), "job")]
        if self.going:
            phases = Counter(s.phase for s in self._states.values() if s.phase in LIVE)
            words += [f"{n} {phase}" for phase, n in phases.items()]
        if self._looked and self.going:
            ago = round((datetime.now(UTC) - self._looked).total_seconds())
            words.append(f"looked at {timedelta(seconds=ago)} ago")
        state = "going" if self.going else "over" if self._all_ended else "left"
        if state == "left":
            words.append("the same command goes on")
        told = "; ".join([f"{claim.owner}", f"since {claim.at:%Y-%m-%d %H:%M:%S} UTC", *words])
        return f"{state}: submission {claim.name}: {' '.join(claim.command)}  ({told})"

    @property
    def _all_ended(self) -> bool:
        return self.closed or not any(cell.open for cell in self.progress.cells.values())

    def read(self) -> list[Event]:
        """Read on in the journals of its jobs; returns the events that are new."""
        self.submission.refresh()
        self.closed = self.submission.closed
        events: list[Event] = []
        for at, job, event in self._news.read():
            cell = self.progress.cells.get(event.cell_id)
            if cell is None:
                continue
            if job is not None and isinstance(event, Ended):
                event = _as_seen_from_outside(event)
            self.progress.update(event, steady(at))
            if isinstance(event, Started) and job is not None:
                cell.place = job.node
            events.append(event)
        for i in self.submission.take_cancelled():
            if (cell := self.progress.cells.get(i)) and cell.open:
                event = Ended(i, CellStatus.INTERRUPTED, CANCELLED)
                self.progress.update(event)
                events.append(event)
        self._read_look()
        return events

    def facts(self) -> dict[str, Any]:
        """All of it, for programs."""
        claim = self.submission.claim.model_dump(
            mode="json", include={"suite", "command", "owner", "at"}
        )
        return {
            "submission": self.submission.claim.name,
            "profile": self.submission.claim.profile.name,
            "state": "going" if self.going else "over" if self._all_ended else "left",
            **claim,
            "looked": self._looked.isoformat() if self._looked else None,
            "jobs": {
                job: {"phase": s.phase, "word": s.word, "reason": s.reason, "nodes": [*s.nodes]}
                for job, s in self._states.items()
            },
            "cells": cell_facts(self.progress),
        }

    def _read_look(self) -> None:
        """Take what the engine was last heard to say; cells whose jobs wait are queued."""
        look = read_look(self.submission.root, self.submission.claim.name)
        if look is None:
            return
        self._looked, self._states = look.at, look.jobs
        for i, cell in self.progress.cells.items():
            state = self._states.get(self.submission.jobs.get(self._batch_of[i], ""))
            if not cell.open:
                cell.place = ""
            elif state and state.phase is Phase.QUEUED:
                self.progress.update(Queued(i, state.reason), cell.updated_at)


def find_boards(root: Path, known: Collection[str] = ()) -> list[Board]:
    """The boards of runs and of submissions whose keys are not known, read; runs first."""
    boards: list[Board] = [*find_runs(root, known)]
    words = (key.removeprefix(KEY) for key in known if key.startswith(KEY))
    numbers = {int(word) for word in words if word.isdigit()}
    for submission in submissions(root, closed=True, known=numbers):
        board = SubmissionBoard(submission)
        board.read()
        boards.append(board)
    return boards


def _as_seen_from_outside(event: Ended) -> Event:
    """A cell that its job left open goes on in another one."""
    if event.status in {CellStatus.INTERRUPTED, CellStatus.BLOCKED}:
        return Retrying(event.cell_id, event.reason, event.status, event.epoch)
    return event
