"""What has become of the cells of a run that train elsewhere, by what is known of them here."""

import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench.base.text import printable
from bench.errors import EnvironmentProblem
from bench.execution.events import CellEvent, Elsewhere, Ended, Listener, Retrying, Started
from bench.execution.executor import RunResult
from bench.execution.settings import Settings
from bench.fleet.engine import JobState
from bench.fleet.verdict import Course, History, Verdict, judge
from bench.fleet.work import STALE
from bench.results import store
from bench.results.provenance import make_provenance
from bench.results.record import EngineJob, Record
from bench.spec.cell import Cell
from bench.spec.cell_status import CellStatus


@dataclass
class _Seen:
    """What the newest job that touched a cell said of it; `said` is its last word."""

    job: str
    said: CellStatus | None = None


class CellFates:
    """
    The cells of a run, and what it knows of each that has not ended.

    Args:
        seals: of the records that there were when the cells were claimed; None: there was none.
        settle_s: until a record must be seen here that a job has written.
        ended: called with the end of each cell.
        decided: told what no job's journal tells: what was decided here.
    """

    def __init__(
        self,
        cells: Iterable[Cell],
        settings: Settings,
        listener: Listener,
        seals: dict[str, str | None],
        settle_s: float,
        ended: Callable[[Ended], None],
        decided: Listener,
    ) -> None:
        self.open = {cell.id: cell for cell in cells}
        self.settings, self.listener, self.seals = settings, listener, seals
        self.settle_s, self.ended, self.decided = settle_s, ended, decided
        self.result = RunResult()
        self.failures = 0
        self.later: set[str] = set()  # cells that other runs have
        self.problems: list[str] = []  # of the results folder
        self._seen: dict[str, _Seen] = {}
        self._histories: dict[str, History] = {}
        self._places: dict[str, str] = {}  # newest checkpoints, when a job last ended
        self._late: dict[str, tuple[EngineJob, Ended, float]] = {}  # ends without a record, yet

    def hear(self, job: EngineJob, event: CellEvent) -> None:
        """Take what a job says of one of the open cells, and pass it on."""
        cell = self.open[event.cell_id]
        seen = self._seen.setdefault(cell.id, _Seen(job.job))
        if isinstance(event, Started):
            seen.job, seen.said = job.job, None
        if not isinstance(event, Ended):
            if isinstance(event, Elsewhere):
                seen.job, seen.said = job.job, CellStatus.ELSEWHERE
            self.listener(event)
            return
        seen.job, seen.said = job.job, event.status
        if event.status is CellStatus.INTERRUPTED:
            if event.reason.startswith(STALE):
                self.end(event, told=True)
                return
            reason = event.reason or f"job {job.job} was told to stop"
            self.listener(Retrying(cell.id, reason, event.status, event.epoch))
        elif event.status is not CellStatus.BLOCKED:
            self._late[cell.id] = job, event, time.monotonic()
        elif not any(parent.cell.id in self.open for parent in cell.parents.values()):
            self.end(event, told=True)

    def settle(self) -> None:
        """End the cells whose jobs said so and whose records can be seen."""
        for i, (job, event, since) in [*self._late.items()]:
            if self._recorded(self.open[i]):
                self.end(event, told=True)
            elif time.monotonic() - since > self.settle_s:
                del self._late[i]
                if event.status.failed:  # where it could not write
                    self._fail(self.open[i], job, event.status, event.reason)

    def awaits(self, ids: Iterable[str]) -> bool:
        """Is a record to be seen soon of one of these cells?"""
        return any(i in self._late for i in ids)

    def judge(self, cell_id: str, job: EngineJob, state: JobState) -> bool:
        """Decide on a cell whose job has ended; returns whether the job did anything for it."""
        cell = self.open.get(cell_id)
        if cell is None:  # it ended with one that it rests on
            return False
        if self.end_recorded(cell_id):
            return True
        seen = self._seen.get(cell_id)
        ours = seen is not None and seen.job == job.job
        place = _newest_checkpoint(store.cell_path(self.settings.root, cell))
        moved = bool(place) and place != self._places.get(cell_id, "")
        self._places[cell_id] = place
        verdict = judge(
            self._histories.setdefault(cell_id, History()),
            state,
            began=ours,
            moved=moved,
            said=seen.said if seen and ours else None,
            retries=self.settings.retry.retries,
        )
        self._act(cell, job, verdict)
        return moved

    def end_recorded(self, cell_id: str) -> bool:
        """End a cell that has a new record, whoever wrote it; returns whether it has."""
        record = store.find_record(self.settings.root, self.open[cell_id])
        if record is None or record.seal == self.seals[cell_id]:
            return False
        self.end(Ended(cell_id, record.status, record.reason, record.last_acc))
        return True

    def end(self, event: Ended, *, told: bool = False) -> None:
        """Take a cell as ended, and pass that on; `told`: its job has written that down."""
        if not told:
            self.decided(event)
        del self.open[event.cell_id]
        for known in (self._late, self._seen, self._histories, self._places):
            known.pop(event.cell_id, None)
        self.failures += event.status.failed
        self.result.ended[event.cell_id] = event
        self.ended(event)
        self.listener(event)

    def _act(self, cell: Cell, job: EngineJob, verdict: Verdict) -> None:
        """Do what a verdict says, but for submitting the cell again."""
        match verdict.course:
            case Course.FAIL:
                self._fail(cell, job, verdict.status, verdict.reason)
            case Course.STOP:
                self.end(Ended(cell.id, CellStatus.INTERRUPTED, verdict.reason))
            case Course.LATER:
                self.later.add(cell.id)
            case Course.AGAIN | Course.RETRY:
                again = verdict.course is Course.AGAIN
                status = CellStatus.INTERRUPTED if again else verdict.status
                event = Retrying(cell.id, verdict.reason, status)
                self.decided(event)
                self.listener(event)
            case Course.WAIT:
                pass

    def _recorded(self, cell: Cell) -> bool:
        """Can a record be seen that is new since the cell was claimed?"""
        if self.seals[cell.id] is None:
            return (store.cell_path(self.settings.root, cell) / "record.json").is_file()
        record = store.find_record(self.settings.root, cell)
        return record is not None and record.seal != self.seals[cell.id]

    def _fail(self, cell: Cell, job: EngineJob, status: CellStatus, reason: str) -> None:
        """Write the record of a cell whose job could not, and end it."""
        settings, compiled = self.settings, bool(self.settings.compiled)
        origin = make_provenance(
            datetime.now(UTC), "cpu", compiled, list(settings.argv), job=job
        ).model_copy(update={"device": "", "host": job.node})
        reason = printable(reason).replace("\n", "; ")[:300]
        try:
            store.save_record(
                settings.root, Record(cell=cell, status=status, reason=reason, provenance=origin)
            )
        except EnvironmentProblem as problem:
            self.problems.append(str(problem))
        self.end(Ended(cell.id, status, reason))


def _newest_checkpoint(home: Path) -> str:
    """The name of the newest checkpoint of a cell; empty if it has none."""
    try:
        names = [p.name for p in (home / "checkpoints").iterdir()]
    except OSError:
        return ""
    places = [name for name in names if re.fullmatch(r"\d+-\d+", name)]
    return max(places, key=lambda name: [int(word) for word in name.split("-")], default="")
