"""
The journal of a run: what happened in it, when, one JSON object a line.

    ROOT/events/<UTC time>-<host>-<pid>.jsonl
    ROOT/jobs/<submission>/events/...              of the jobs of a submission

A file has one writer, the run's own process, which only ever appends. The first line says whose
run it is and of which cells, the last one how it ended; a run that was killed has no such line.
"""

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any, Self

from pydantic import AwareDatetime, Field, TypeAdapter

from bench.base.files import append_text, is_file
from bench.base.redaction import words_without_secrets
from bench.base.text import printable
from bench.base.validation import Frozen
from bench.errors import EnvironmentProblem
from bench.execution.events import LARGEST, Event, Progressed, Started, from_json, to_json
from bench.results import store
from bench.results.owner import Owner, alive, myself
from bench.results.record import EngineJob
from bench.spec.cell import Cell


class Entry(Frozen):
    """A cell, as the run's first line names it."""

    id: str
    name: str
    folder: Annotated[str, Field(pattern=r"^[^/.\x00][^/\x00]*$")]  # below `cells`
    epochs: Annotated[int, Field(gt=0, lt=LARGEST)]


class Header(Frozen):
    """The first line of a journal."""

    suite: str
    command: list[str]
    root: str
    owner: Owner
    at: AwareDatetime
    cells: list[Entry]
    submission: str = ""  # that the run is a job of
    job: EngineJob | None = None
    profile: str = ""  # by which the run's cells train elsewhere; what happens there is told twice


class JournalWriter:
    """
    Writes the journal of one run; it listens to the run's events as a view does.

    A journal that cannot be written ends no run; `problem` says why it could not. `echo` is given
    every line, written or not.
    """

    def __init__(
        self,
        root: Path,
        suite: str,
        cells: list[Entry],
        argv: Iterable[str],
        echo: Callable[[dict[str, Any]], None] = lambda _: None,
        *,
        submission: str = "",
        job: EngineJob | None = None,
        profile: str = "",
    ) -> None:
        now = datetime.now(UTC)
        self.header = Header(
            suite=suite,
            command=["bench", *words_without_secrets(argv)],
            root=str(root.absolute()),
            owner=myself(),
            at=now,
            cells=cells,
            submission=submission,
            job=job,
            profile=profile,
        )
        owner = self.header.owner
        host = re.sub(r"[^\w.-]", "_", owner.host)
        name = f"{now:%Y%m%dT%H%M%S.%f}Z-{host}-{owner.pid}.jsonl"
        self._kind = _kind(submission)
        self.root, self.path, self.echo = root, root / self._kind / name, echo
        self.problem = ""
        self._torn = False
        self._begun: set[str] = set()

    def __enter__(self) -> Self:
        self._append(self.header.model_dump(mode="json"))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        reason = "done" if kind is None else str(error) or kind.__name__
        self._append({"at": _now(), "kind": "over", "reason": reason})

    def __call__(self, event: Event) -> None:
        if isinstance(event, Progressed):  # the first tells where a cell goes on
            if event.acc is None and event.cell_id in self._begun:
                return
            self._begun.add(event.cell_id)
        elif isinstance(event, Started):
            self._begun.discard(event.cell_id)
        self._append({"at": _now(), **to_json(event)})

    def _append(self, line: dict[str, Any]) -> None:
        self.echo(line)
        start = "\n" if self._torn else ""  # what an earlier try may have left is a line of its own
        try:
            path = store.path_inside(self.root, self._kind, self.path.name)
            append_text(path, start + printable(json.dumps(line, ensure_ascii=False)) + "\n")
            self._torn = False
        except EnvironmentProblem as problem:
            self._torn = True
            self.problem = self.problem or str(problem)


@dataclass
class JournalReader:
    """One journal, as far as it has been read; `read` reads on."""

    path: Path
    header: Header | None = None  # None: its first line cannot be read
    over: str | None = None  # how the run ended, by its own last line
    last_at: datetime | None = None  # the last line's time
    damaged: int = 0  # lines that cannot be read
    torn: bool = False  # the last line has no end, yet or for ever
    _offset: int = field(default=0, repr=False)

    def read(self) -> Iterator[tuple[datetime, Event]]:
        """The events that were written since the last time; a line still being written waits."""
        try:
            with self.path.open("rb") as file:
                file.seek(self._offset)
                content = file.read()
        except OSError:
            return
        *lines, tail = content.split(b"\n")
        self.torn = bool(tail)
        for line in lines:
            first = self._offset == 0
            self._offset += len(line) + 1
            if line.strip() and (event := self._read(line, first)):
                yield event

    @property
    def alive(self) -> bool | None:
        """Does the run go on? None: it did not say that it ended, and its machine is another."""
        if self.over is not None or self.header is None:
            return False
        return alive(self.header.owner)

    def _read(self, line: bytes, first: bool) -> tuple[datetime, Event] | None:
        try:
            if first:
                self.header = Header.model_validate_json(line)
                self.last_at = self.header.at
                return None
            fields = json.loads(line)
            self.last_at = at = _AT.validate_python(fields.pop("at"))
            if fields.get("kind") == "over":
                self.over = str(fields.get("reason", ""))
                return None
            return at, from_json(fields)
        except (ValueError, KeyError, AttributeError, TypeError, RecursionError):
            self.damaged += 1
            return None


def entries(cells: Iterable[Cell], names: dict[str, str]) -> list[Entry]:
    """How a journal names cells."""
    return [
        Entry(id=cell.id, name=names[cell.id], folder=cell.slug, epochs=cell.recipe.epochs)
        for cell in cells
    ]


def journals(root: Path, submission: str = "", known: Collection[Path] = ()) -> list[JournalReader]:
    """
    Every journal that runs left under `root`, oldest first, none of it read yet.

    Args:
        submission: those of its jobs; those of runs that were no jobs, if it is empty.
        known: paths that are left out.
    """
    paths = (root / _kind(submission)).glob("*.jsonl")
    found = sorted(path for path in paths if path not in known)
    return [JournalReader(path) for path in found if is_file(path)]  # a pipe would be waited for


def _kind(submission: str) -> str:
    """The folder of journals, below the results folder."""
    return f"jobs/{submission}/events" if submission else "events"


_AT: TypeAdapter[datetime] = TypeAdapter(AwareDatetime)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
