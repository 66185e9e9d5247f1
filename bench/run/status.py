"""
What runs on a results folder, from the journals that runs leave there.

A run is alive, over (it said how it ended), dead (its process is gone) or, on another machine,
somewhere we cannot look: then the time of its last event is all there is.
"""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from bench.base.console import print_text
from bench.base.signals import Stopped
from bench.run import display
from bench.run.events import Event
from bench.run.journal import JournalReader, journals
from bench.run.progress import CellProgress, RunProgress
from bench.spec.cell_status import CellStatus

EVERY_S = 1.0
ENDED_SHOWN = 5


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
            self.progress = RunProgress(header.suite, cells, _steady(header.at))
        for at, event in events:
            self.progress.update(event, _steady(at))
        if not self.going and header and self.journal.last_at:
            self._close(self.journal.last_at)
        return [event for _, event in events]

    def _close(self, at: datetime) -> None:
        """Nothing runs any more."""
        self.progress.ended = _steady(at)
        for cell in self.progress.cells.values():
            if cell.status.active:
                cell.status, cell.reason = CellStatus.INTERRUPTED, "its run died"

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
    def _last(self) -> str:
        """What there is to say of its end."""
        if self.journal.over is not None:
            return f": {'; '.join(self.journal.over.splitlines())}"
        if self.state == "alive" or self.journal.last_at is None:
            return ""
        ago = timedelta(seconds=round((datetime.now(UTC) - self.journal.last_at).total_seconds()))
        return f", last heard of {ago} ago"

    def lines(self) -> Iterator[str]:
        """A line for each cell."""
        yield self.progress.headline
        now = time.monotonic()
        for cell_id, cell in self.progress.cells.items():
            words = [f"{cell_id}  {cell.status:11}  {cell.name}"]
            words += [f"epoch {int(cell.progress)}/{cell.epochs}"] if cell.progress else []
            words += [f"acc {100 * cell.acc:.2f} %"] if cell.acc is not None else []
            words += [f"{left} left"] if (left := cell.left(now)) else []
            words += [cell.reason] if cell.reason else []
            yield "  " + ", ".join(words)

    def facts(self) -> dict[str, Any]:
        """All of it, for programs."""
        journal, now = self.journal, time.monotonic()
        head = journal.header.model_dump(mode="json", exclude={"cells"}) if journal.header else {}
        cells = [
            {
                "id": cell_id,
                "name": cell.name,
                "state": cell.status,
                "epoch": int(cell.progress),
                "epochs": cell.epochs,
                "acc": cell.acc,
                "left": cell.left(now) or None,
                "reason": cell.reason,
                "log": str(cell.log),
            }
            for cell_id, cell in self.progress.cells.items()
        ]
        more = {"journal": str(journal.path), "state": self.state, "end": journal.over}
        return {**more, **head, "damaged_lines": journal.damaged, "cells": cells}


def all_runs(root: Path) -> list[RunStatus]:
    """Every run that left a journal, read; oldest first."""
    found = [RunStatus(journal, root) for journal in journals(root)]
    for run in found:
        run.read()
    return found


def runs_as_json(root: Path) -> str:
    """Every run, and every cell of each."""
    return json.dumps([run.facts() for run in all_runs(root)], indent=1, ensure_ascii=False)


def show_runs(root: Path, out: Console) -> None:
    """Print what goes on, cell by cell, and below it how the last runs ended."""
    found = all_runs(root)
    _going(found, out)
    for line in _ended(found, root):
        print_text(out, line)


def watch_runs(root: Path, out: Console) -> None:
    """Show what goes on until it ends or Ctrl-C: tables on a terminal, lines elsewhere."""
    found = all_runs(root)
    try:
        if display.redraws(out):
            _redraw(found, root, out)
        else:
            _follow(found, root, out)
    except Stopped:  # how one leaves
        return
    for line in _ended(found, root):
        print_text(out, line)


def _going(found: list[RunStatus], out: Console) -> None:
    for run in (s for s in found if s.going):
        print_text(out, run.line)
        if out.is_terminal:
            out.print(display.table(run.progress, out, len(run.progress.cells) + 9))
        else:
            for line in run.lines():
                print_text(out, line)


def _redraw(found: list[RunStatus], root: Path, out: Console) -> None:
    with Live(console=out, auto_refresh=False, transient=True) as shown:
        while going := [s for s in found if s.going]:
            room = max(out.height // len(going) - 1, 10)
            shown.update(Group(*_tables(going, out, room)), refresh=True)
            _wait(found, root)


def _tables(going: list[RunStatus], out: Console, room: int) -> Iterator[RenderableType]:
    for run in going:
        yield Text(run.line, style="dim", overflow="ellipsis", no_wrap=True)
        yield display.table(run.progress, out, room)


def _follow(found: list[RunStatus], root: Path, out: Console) -> None:
    _going(found, out)
    while any(s.going for s in found):
        for run, events in _wait(found, root):
            view = display.LineView(run.progress, out)
            for event in events:
                view.show(event)


def _wait(found: list[RunStatus], root: Path) -> list[tuple[RunStatus, list[Event]]]:
    """Let time pass, and read on: runs may have begun, and have new events."""
    time.sleep(EVERY_S)
    known = {run.journal.path for run in found}
    found += [RunStatus(journal, root) for journal in journals(root) if journal.path not in known]
    return [(run, run.read()) for run in found if run.going or not run.progress.cells]


def _ended(found: list[RunStatus], root: Path) -> Iterator[str]:
    """The last runs that are over or dead; a word where there are none at all."""
    if not found:
        yield f"no run has left events under `{root}`"
    ended = [s for s in found if not s.going]
    if len(ended) > ENDED_SHOWN:
        n = len(ended) - ENDED_SHOWN
        yield f"{n} earlier run{'s' * (n > 1)}; --json has all"
    for run in ended[-ENDED_SHOWN:]:
        yield run.line
        if run.journal.header:
            yield f"  {run.progress.headline}"


def _steady(at: datetime) -> float:
    """A moment, by the clock that boards count with."""
    return time.monotonic() - (datetime.now(UTC) - at).total_seconds()
