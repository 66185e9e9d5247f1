"""
What one `bench run --on` gave to an engine: which cells, in which batches, as which jobs.

    ROOT/jobs/<number>.json               the cells and batches; made once, never changed
    ROOT/jobs/<number>/waves/<n>.json     batches that somebody gives to the engine
    ROOT/jobs/<number>/waves/<n>.jobs     what the engine made of them
    ROOT/jobs/<number>/cancelled.jsonl    cells that are not wanted any more
    ROOT/jobs/<number>/closed             there is nothing to come

Files are made by link, each number by one process alone. So two runs never claim one cell, and no
batch is given to the engine twice at a time: who finds a number taken reads on before it goes on.
"""

import json
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import AwareDatetime, Field, ValidationError

from bench.base.files import append_text, create_file, is_file, read_small
from bench.base.text import count
from bench.base.validation import Frozen
from bench.errors import EnvironmentProblem, UsageError
from bench.execution.journal import Entry
from bench.fleet.cancelled import Cancelled, cancelled_path, home
from bench.fleet.engines import ATTACHED
from bench.fleet.own_mark import Marked, is_own, mark_own
from bench.fleet.profile import Profile, Word
from bench.results import store
from bench.results.lease import DEAD_S, Held, Owner, alive, myself

F = TypeVar("F", bound=Frozen)
Job = Annotated[str, Field(pattern=r"^[0-9A-Za-z][\w.+-]*$")]  # never an option of a command


class Claim(Marked):
    """
    The first file of a submission.

    Args:
        before: seals of the records that its cells had, by the cell's id.
        remeasure: measured cells are measured again.
        batches: the cells of each batch, by their ids, in the order in which batches are given to
            the engine.
    """

    number: int
    suite: str
    profile: Profile
    command: list[str]
    owner: Owner
    at: AwareDatetime
    cells: list[Entry]
    before: dict[str, str] = {}
    remeasure: bool = False
    batches: dict[str, list[str]]

    @property
    def name(self) -> str:
        """As folders and batches name it."""
        return str(self.number)


class Wave(Frozen):
    """Batches that are given to the engine together; `excluded` nodes are left alone since."""

    owner: Owner
    at: AwareDatetime
    batches: list[str]
    excluded: list[Word] = []


class Outcome(Marked):
    """What the engine made of a wave: jobs by batch, or why it refused."""

    jobs: dict[str, Job] = {}
    refused: str = ""


@dataclass
class Submission:
    """
    One submission, as far as its files have been read; `refresh` reads on.

    Args:
        trusting: it is followed whoever made it.

    Attributes:
        jobs: the newest job of each batch that the engine has taken.
        owners: who gave it to the engine.
        waves: how many are read with what became of them.
        excluded: nodes that are left alone.
        ended: cells that have come to their end, as far as this process knows.
    """

    root: Path
    claim: Claim
    trusting: bool = False
    jobs: dict[str, str] = field(default_factory=dict[str, str])
    owners: dict[str, Owner] = field(default_factory=dict[str, Owner])
    waves: int = 0
    excluded: set[str] = field(default_factory=set[str])
    ended: set[str] = field(default_factory=set[str])
    _gave: set[str] = field(default_factory=set[str])  # jobs that this process submitted
    _news: list[str] = field(default_factory=list[str])  # cells cancelled since they were asked for
    _seen: dict[str, float] = field(default_factory=dict[str, float])  # runs that give a wave

    @cached_property
    def _cancelled(self) -> Cancelled:
        return Cancelled(cancelled_path(self.root, self.claim.name))

    @property
    def cancelled(self) -> set[str]:
        """Cells that are not wanted any more."""
        return self._cancelled.cells

    @cached_property
    def own(self) -> bool:
        """May its profile and its jobs be believed: did this user make it, or is it trusted?"""
        return self.trusting or is_own(self.claim, self.claim.name)

    @cached_property
    def ids(self) -> set[str]:
        """Of its cells."""
        return {cell.id for cell in self.claim.cells}

    @property
    def home(self) -> Path:
        return home(self.root, self.claim.name)

    @property
    def closed(self) -> bool:
        return (self.home / "closed").exists()

    def close(self, reason: str) -> None:
        """Say that there is nothing to come; EnvironmentProblem if that cannot be written."""
        create_file(self.home / "closed", json.dumps({"at": _now().isoformat(), "reason": reason}))

    def cancel(self, cells: Iterable[str]) -> None:
        """Say that these cells are not wanted any more; raises as `close`."""
        line = json.dumps({"at": _now().isoformat(), "cells": [*cells]})
        append_text(self._cancelled.path, line + "\n")

    def open_cells(self) -> list[Entry]:
        """Its cells that are wanted and have no record that is new since; each is looked at."""
        wanted = (cell for cell in self.claim.cells if cell.id not in self.cancelled)
        return [cell for cell in wanted if self._is_open(cell)]

    def _is_open(self, cell: Entry) -> bool:
        path = self.root / "cells" / cell.folder / "record.json"
        before = self.claim.before.get(cell.id)
        if before is None:
            return not is_file(path)
        try:
            return store.read_record(path).seal == before
        except (FileNotFoundError, UsageError):
            return True

    @property
    def orphaned(self) -> bool:
        """Have all processes died that have submitted it, where its jobs end with them?"""
        owners = [self.claim.owner, *self.owners.values()]
        return self.claim.profile.engine in ATTACHED and not any(
            alive(owner) is not False for owner in owners
        )

    def abandon(self, reason: str) -> None:
        """Have nobody attach to it again: a run may claim its cells anew; raises as `close`."""
        self.cancel(self.ids - self.ended)
        if not self.closed:
            self.close(reason)

    def has(self, cell: str, seal: str | None) -> bool:
        """Is a cell still to be trained, whose record has this seal? A new record says no."""
        if cell not in self.ids or cell in self.cancelled:
            return False
        return self.claim.before.get(cell) == seal

    def gave(self, job: str) -> bool:
        """Did this process submit the job?"""
        return job in self._gave

    def take_cancelled(self) -> list[str]:
        """Cells that were cancelled since this was last asked."""
        news, self._news = self._news, []
        return news

    def note_end(self, cell: str) -> None:
        """Take note that a cell has come to its end; with the last one there is nothing to come."""
        self.ended.add(cell)
        if len(self.ended) == len(self.ids) and not self.closed:
            self.close("done")

    def refresh(self) -> None:
        """Read what was added since."""
        self._news += self._cancelled.read()
        while (wave := _read(Wave, self._wave(self.waves + 1))) is not None:
            outcome = _read(Outcome, self._wave(self.waves + 1).with_suffix(".jobs"))
            if outcome is None and not self._abandoned(wave):
                return
            self.waves += 1
            self.excluded |= {*wave.excluded}
            jobs = outcome.jobs if outcome and self._believes(outcome) else {}
            self.jobs |= jobs
            self.owners |= dict.fromkeys(jobs.values(), wave.owner)

    def submit(
        self,
        batches: list[str],
        give: Callable[[], Outcome],
        cancel: Callable[[Iterable[str]], None],
        excluded: Iterable[str],
    ) -> str | None:
        """
        Give batches to the engine, unless somebody else does just now; then `refresh` tells.

        Args:
            give: submits them; returns the jobs that come of it.
            cancel: ends jobs of which nobody can be told.

        Returns what the engine refused, in its words; None: somebody else was quicker.

        Raises:
            EnvironmentProblem: the wave cannot be written; no job of it is left.
        """
        wave = Wave(owner=myself(), at=_now(), batches=batches, excluded=sorted(excluded))
        path = self._wave(self.waves + 1)
        if not create_file(path, wave.model_dump_json()):
            return None
        try:
            outcome = mark_own(give(), self._place(self.waves + 1))
        except BaseException as error:
            refused = Outcome(refused=str(error) or type(error).__name__)
            create_file(path.with_suffix(".jobs"), refused.model_dump_json())
            raise
        try:
            create_file(path.with_suffix(".jobs"), outcome.model_dump_json())
        except EnvironmentProblem as problem:
            raise EnvironmentProblem(f"{problem}; {_take_back(outcome, cancel)}") from None
        self._gave |= {*outcome.jobs.values()}
        self.refresh()
        return outcome.refused

    def _wave(self, number: int) -> Path:
        return store.path_inside(self.home, "waves", f"{number}.json")

    def _place(self, number: int) -> str:
        """Where the mark of what became of a wave holds."""
        return f"{self.claim.mark} {number}"

    def _believes(self, outcome: Outcome) -> bool:
        """Is it told of the newest wave by who made the claim? Of a stranger's nothing is done."""
        return self.trusting or not self.own or is_own(outcome, self._place(self.waves))

    def _abandoned(self, wave: Wave) -> bool:
        """Did who gives this wave to the engine die before it could say what became of it?"""
        living = alive(wave.owner)
        if living is not None:
            return not living
        since = self._seen.setdefault(wave.owner.run, time.monotonic())
        return time.monotonic() - since > DEAD_S


def _take_back(outcome: Outcome, cancel: Callable[[Iterable[str]], None]) -> str:
    """End jobs of which nobody could be told; returns what became of them."""
    jobs = [*outcome.jobs.values()]
    try:
        cancel(jobs)
    except EnvironmentProblem as problem:
        return f"nobody follows the jobs {', '.join(jobs)}, cancel them: {problem}"
    return f"{count(len(jobs), 'job')} cancelled that had just been submitted"


def submissions(
    root: Path, *, closed: bool = False, known: Collection[int] = (), trusting: bool = False
) -> Iterator[Submission]:
    """
    Every submission that can be read, the oldest first.

    Args:
        closed: those that are closed, too.
        known: numbers that are left out.
        trusting: others' are followed as one's own.
    """
    for number in _numbers(root):
        if number in known:
            continue
        if closed or not (root / "jobs" / str(number) / "closed").exists():
            claim = _read(Claim, root / "jobs" / f"{number}.json")
            if claim is not None and claim.number == number:
                found = Submission(root, claim, trusting)
                found.refresh()
                yield found


def claim_cells(
    root: Path,
    wanted: Mapping[str, str | None],
    make: Callable[[int, list[str]], Claim],
    undo: Callable[[Iterable[str]], None],
    *,
    trusting: bool = False,
) -> tuple[list[Submission], Submission | None]:
    """
    Attach to the submissions that have the wanted cells, and claim the rest in a new one.

    Args:
        wanted: cells by id, each with the seal of its record, None where it has none.
        make: makes the claim of a number for some cells, and writes what it names.
        undo: takes away batches, by name, of a claim that came too late.
        trusting: attach to submissions of others, too.

    Returns those submissions, and the new one; None if every cell was claimed already.

    Raises:
        Held: somebody else's submission has some of the cells.
        EnvironmentProblem: it cannot be written.
    """
    known: dict[int, Submission] = {}
    while True:
        numbers = _numbers(root)
        for found in submissions(root, trusting=trusting):
            if found.orphaned:
                found.abandon("the run that had it died")
            elif not found.open_cells():  # nobody saw them end
                found.close("done")
            else:
                known.setdefault(found.claim.number, found)
        holding = {
            n: s for n, s in known.items() if any(s.has(i, seal) for i, seal in wanted.items())
        }
        _refuse_strangers(holding.values())
        taken = {i for s in holding.values() for i, seal in wanted.items() if s.has(i, seal)}
        free = [i for i in wanted if i not in taken]
        if not free:
            return [*holding.values()], None
        claim = make(max(numbers, default=0) + 1, free)
        claim = mark_own(claim, claim.name)
        path = root / "jobs" / f"{claim.number}.json"
        if create_file(path, claim.model_dump_json() + "\n"):
            return [*holding.values()], Submission(root, claim, trusting=True)
        if first := _read(Claim, path):  # the same command, asked at once, makes the same batches
            undo(claim.batches.keys() - first.batches.keys())


def _refuse_strangers(found: Iterable[Submission]) -> None:
    """Refuse to follow what would run somebody else's lines of shell."""
    for other in found:
        if not other.own:
            path = other.root / "jobs" / f"{other.claim.name}.json"
            message = (
                f"`{path}` claims these cells, and this user did not submit it (it says that "
                f"{other.claim.owner} did); wait for its end, give --trust-jobs if you would run "
                "their program, or remove that file"
            )
            raise Held(message)


def _numbers(root: Path) -> list[int]:
    names = (path.stem for path in (root / "jobs").glob("*.json"))
    return sorted(int(name) for name in names if name.isdigit())


def _read(kind: type[F], path: Path) -> F | None:
    """What a file of that kind says; None if there is none, or none that can be read."""
    try:
        return kind.model_validate_json(read_small(path))
    except (OSError, ValidationError):
        return None


def _now() -> datetime:
    return datetime.now(UTC)
