"""
What runs on a results folder, from the journals that runs leave there.

A *board* is how far the cells of one run are; those of a submission, whose jobs each leave a
journal, come from `bench.fleet.board`.

A run is alive, over (it said how it ended), dead (its process is gone) or, on another machine,
somewhere we cannot look: then the time of its last event is all there is.
"""

import time
from collections.abc import Callable, Collection, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from bench.base.console import print_text
from bench.base.signals import Stopped
from bench.execution import display
from bench.execution.events import Event
from bench.execution.journal import JournalReader, journals
from bench.execution.progress import CellProgress, RunProgress

EVERY_S = 1.0
ENDED_SHOWN = 5


class Board(Protocol):
    """How far some cells are that are run together."""

    progress: RunProgress

    @property
    def key(self) -> str:
        """What tells it from all others."""
        ...

    @property
    def going(self) -> bool:
        """Is there more to come?"""
        ...

    @property
    def line(self) -> str:
        """Whose it is, and how it is."""
        ...

    def read(self) -> list[Event]:
        """Read on; returns the events that are new."""
        ...

    def facts(self) -> dict[str, Any]:
        """All of it, for programs."""
        ...


Finder: TypeAlias = Callable[[Path, Collection[str]], list[Board]]  # those whose keys are new


class RunStatus:
    """One run as its journal tells it, and how far its cells are."""

    def __init__(self, journal: JournalReader, root: Path) -> None:
        self.journal, self.root = journal, root
        self.progress = RunProgress("", {})

    def read(self) -> list[Event]:
        """Read on in the journal; returns the events that are new."""
        events = list(self.journal.read())
        header = self.journal.header
        if header and not self.progress.cells:
            cells = {
                cell.id: CellProgress(
                    cell.name, cell.epochs, self.root / "cells" / cell.folder / "log.txt"
                )
                for cell in header.cells
            }
            self.progress = RunProgress(header.suite, cells, steady(header.at))
        for at, event in events:
            self.progress.update(event, steady(at))
        if not self.going and header and self.journal.last_at:
            self._close(self.journal.last_at)
        return [event for _, event in events]

    def _close(self, at: datetime) -> None:
        """Nothing runs any more."""
        self.progress.ended = steady(at)
        self.progress.interrupt("its run died")

    @property
    def key(self) -> str:
        return str(self.journal.path)

    @property
    def state(self) -> str:
        if self.journal.over is not None:
            return "over"
        alive = self.journal.alive
        return "elsewhere" if alive is None else "alive" if alive else "dead"

    @property
    def going(self) -> bool:
        return self.state in {"alive", "elsewhere"}

    @property
    def line(self) -> str:
        """Whose run it is, and how it is."""
        header = self.journal.header
        if header is None:
            return f"{self.journal.path}: a journal whose first line cannot be read"
        owner, began = header.owner, f"{header.at:%Y-%m-%d %H:%M:%S} UTC"
        text = f"{self.state}: {' '.join(header.command)}  ({owner}, since {began}{self._last})"
        damaged = self.journal.damaged + (self.journal.torn and not self.going)
        return text + (f"; {damaged} damaged line{'s' * (damaged > 1)}" if damaged else "")

    @property
    def elsewhere(self) -> bool:
        """Do its cells train in jobs of a submission, whose board tells of them?"""
        return self.journal.header is not None and bool(self.journal.header.profile)

    @property
    def _last(self) -> str:
        """What there is to say of its end."""
        if self.journal.over is not None:
            return f": {'; '.join(self.journal.over.splitlines())}"
        if self.state == "alive" or self.journal.last_at is None:
            return ""
        ago = timedelta(seconds=round((datetime.now(UTC) - self.journal.last_at).total_seconds()))
        return f", last heard of {ago} ago"

    def facts(self) -> dict[str, Any]:
        """All of it, for programs."""
        journal = self.journal
        head = journal.header.model_dump(mode="json", exclude={"cells"}) if journal.header else {}
        cells = cell_facts(self.progress)
        more = {"journal": str(journal.path), "state": self.state, "end": journal.over}
        return {**more, **head, "damaged_lines": journal.damaged, "cells": cells}


def cell_facts(progress: RunProgress) -> list[dict[str, Any]]:
    """How far each cell is, for programs."""
    now = time.monotonic()
    return [
        {
            "id": cell_id,
            "name": cell.name,
            "state": cell.status,
            "epoch": int(cell.progress),
            "epochs": cell.epochs,
            "acc": cell.acc,
            "left": cell.left(now) or None,
            "reason": cell.reason,
            "place": cell.place,
            "log": str(cell.log),
        }
        for cell_id, cell in progress.cells.items()
    ]


def all_runs(root: Path) -> list[RunStatus]:
    """Every run that left a journal, read; oldest first."""
    found = [RunStatus(journal, root) for journal in journals(root)]
    for run in found:
        run.read()
    return found


def find_runs(root: Path, known: Collection[str] = ()) -> list[Board]:
    """
    Runs whose keys are not known, read; oldest first.

    Without those that go on elsewhere: the board of their submission tells of their cells.
    """
    found = [
        RunStatus(journal, root) for journal in journals(root) if str(journal.path) not in known
    ]
    for run in found:
        run.read()
    return [run for run in found if not (run.going and run.elsewhere)]


def list_boards(root: Path, find: Finder = find_runs) -> list[dict[str, Any]]:
    """Every run, and every cell of each, for programs."""
    return [board.facts() for board in find(root, ())]


def show_boards(root: Path, out: Console, find: Finder = find_runs) -> None:
    """Print what goes on, cell by cell, and below it how the last runs ended."""
    found = find(root, ())
    _going(found, out)
    for line in _ended(found, root):
        print_text(out, line)


def watch_boards(root: Path, out: Console, find: Finder = find_runs) -> None:
    """Show what goes on until it ends or Ctrl-C: tables on a terminal, lines elsewhere."""
    watch = _Watch(root, find)
    try:
        if display.redraws(out):
            _redraw(watch, out)
        else:
            _follow(watch, out)
    except Stopped:  # how one leaves
        return
    for line in _ended(watch.found, root):
        print_text(out, line)


class _Watch:
    """The boards of a results folder, as time passes."""

    def __init__(self, root: Path, find: Finder) -> None:
        self.root, self.find = root, find
        self.found = find(root, ())

    @property
    def going(self) -> list[Board]:
        return [board for board in self.found if board.going]

    def wait(self) -> list[tuple[Board, list[Event]]]:
        """Let time pass, and read on: runs may have begun, and have new events."""
        time.sleep(EVERY_S)
        news = [(board, board.read()) for board in self.found if board.going]
        self.found += self.find(self.root, {board.key for board in self.found})
        return news


def _lines(progress: RunProgress) -> Iterator[str]:
    """The headline, and a line for each cell."""
    yield progress.headline
    now = time.monotonic()
    for cell_id, cell in progress.cells.items():
        words = [f"{cell_id}  {cell.status:11}  {cell.name}"]
        words += [f"epoch {int(cell.progress)}/{cell.epochs}"] if cell.progress else []
        words += [f"acc {100 * cell.acc:.2f} %"] if cell.acc is not None else []
        words += [f"{left} left"] if (left := cell.left(now)) else []
        words += [cell.place] if cell.place else []
        words += [cell.reason] if cell.reason else []
        yield "  " + ", ".join(words)


def _going(found: list[Board], out: Console) -> None:
    for board in (b for b in found if b.going):
        print_text(out, board.line)
        if out.is_terminal:
            out.print(display.table(board.progress, out, len(board.progress.cells) + 9))
        else:
            for line in _lines(board.progress):
                print_text(out, line)


def _redraw(watch: _Watch, out: Console) -> None:
    with Live(console=out, auto_refresh=False, transient=True) as shown:
        while going := watch.going:
            room = max(out.height // len(going) - 1, 10)
            shown.update(Group(*_tables(going, out, room)), refresh=True)
            watch.wait()


def _tables(going: list[Board], out: Console, room: int) -> Iterator[RenderableType]:
    for board in going:
        yield Text(board.line, style="dim", overflow="ellipsis", no_wrap=True)
        yield display.table(board.progress, out, room)


def _follow(watch: _Watch, out: Console) -> None:
    _going(watch.found, out)
    while watch.going:
        for board, events in watch.wait():
            view = display.LineView(board.progress, out)
            for event in events:
                view.show(event)


def _ended(found: list[Board], root: Path) -> Iterator[str]:
    """The last runs that are over or dead; a word where there are none at all."""
    if not found:
        yield f"no run has left events under `{root}`"
    ended = [board for board in found if not board.going]
    if len(ended) > ENDED_SHOWN:
        n = len(ended) - ENDED_SHOWN
        yield f"{n} earlier run{'s' * (n > 1)}; --json has all"
    for board in ended[-ENDED_SHOWN:]:
        yield board.line
        if board.progress.suite:
            yield f"  {board.progress.headline}"


def steady(at: datetime) -> float:
    """A moment, by the clock that boards count with."""
    return time.monotonic() - (datetime.now(UTC) - at).total_seconds()
