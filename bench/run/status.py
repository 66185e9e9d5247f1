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
from bench.run.journal import Run, runs
from bench.run.worker import Event

EVERY_S = 1.0
ENDED_SHOWN = 5


class Sight:
    """One run as its journal tells it, and the board of its cells."""

    def __init__(self, run: Run, root: Path) -> None:
        self.run, self.root = run, root
        self.board = display.Board("", {})

    def look(self) -> list[Event]:
        """Read on; returns the news."""
        news = list(self.run.more())
        header = self.run.header
        if header and not self.board.states:
            states = {
                cell.id: display.State(
                    cell.name, cell.epochs, self.root / "cells" / cell.folder / "log.txt"
                )
                for cell in header.cells
            }
            self.board = display.Board(header.suite, states, _steady(header.at))
        for at, event in news:
            self.board.hear(event, _steady(at))
        if not self.going and header and self.run.heard:
            self._close(self.run.heard)
        return [event for _, event in news]

    def _close(self, at: datetime) -> None:
        """Nothing runs any more."""
        self.board.ended = _steady(at)
        for state in self.board.states.values():
            if state.state in display.IN_MOTION:
                state.state, state.reason = "interrupted", "its run died"

    @property
    def state(self) -> str:
        if self.run.over is not None:
            return "over"
        alive = self.run.alive
        return "elsewhere" if alive is None else "alive" if alive else "dead"

    @property
    def going(self) -> bool:
        return self.state in {"alive", "elsewhere"}

    @property
    def line(self) -> str:
        """Whose run it is, and how it is."""
        header = self.run.header
        if header is None:
            return f"{self.run.path}: a journal whose first line cannot be read"
        owner, began = header.owner, f"{header.at:%Y-%m-%d %H:%M:%S} UTC"
        text = f"{self.state}: {' '.join(header.command)}  ({owner}, since {began}{self._last})"
        damaged = self.run.damaged + (self.run.torn and not self.going)
        return text + (f"; {damaged} damaged line{'s' * (damaged > 1)}" if damaged else "")

    @property
    def _last(self) -> str:
        """What there is to say of its end."""
        if self.run.over is not None:
            return f": {'; '.join(self.run.over.splitlines())}"
        if self.state == "alive" or self.run.heard is None:
            return ""
        ago = timedelta(seconds=round((datetime.now(UTC) - self.run.heard).total_seconds()))
        return f", last heard of {ago} ago"

    def lines(self) -> Iterator[str]:
        """A line for each cell."""
        yield self.board.headline
        now = time.monotonic()
        for cell_id, state in self.board.states.items():
            words = [f"{cell_id}  {state.state:11}  {state.name}"]
            words += [f"epoch {int(state.progress)}/{state.epochs}"] if state.progress else []
            words += [f"acc {100 * state.acc:.2f} %"] if state.acc is not None else []
            words += [f"{left} left"] if (left := state.left(now)) else []
            words += [state.reason] if state.reason else []
            yield "  " + ", ".join(words)

    def facts(self) -> dict[str, Any]:
        """All of it, for programs."""
        run, now = self.run, time.monotonic()
        head = run.header.model_dump(mode="json", exclude={"cells"}) if run.header else {}
        cells = [
            {
                "id": cell_id,
                "name": state.name,
                "state": state.state,
                "epoch": int(state.progress),
                "epochs": state.epochs,
                "acc": state.acc,
                "left": state.left(now) or None,
                "reason": state.reason,
                "log": str(state.log),
            }
            for cell_id, state in self.board.states.items()
        ]
        more = {"journal": str(run.path), "state": self.state, "end": run.over}
        return {**more, **head, "damaged_lines": run.damaged, "cells": cells}


def sights(root: Path) -> list[Sight]:
    """Every run that left a journal, read; oldest first."""
    found = [Sight(run, root) for run in runs(root)]
    for sight in found:
        sight.look()
    return found


def as_json(root: Path) -> str:
    """Every run, and every cell of each."""
    return json.dumps([sight.facts() for sight in sights(root)], indent=1, ensure_ascii=False)


def show(root: Path, out: Console) -> None:
    """Print what goes on, cell by cell, and below it how the last runs ended."""
    found = sights(root)
    _going(found, out)
    for line in _ended(found, root):
        print_text(out, line)


def watch(root: Path, out: Console) -> None:
    """Show what goes on until it ends or Ctrl-C: tables on a terminal, lines elsewhere."""
    found = sights(root)
    try:
        if display.redraws(out):
            _redraw(found, root, out)
        else:
            _follow(found, root, out)
    except Stopped:  # how one leaves
        return
    for line in _ended(found, root):
        print_text(out, line)


def _going(found: list[Sight], out: Console) -> None:
    for sight in (s for s in found if s.going):
        print_text(out, sight.line)
        if out.is_terminal:
            out.print(display.table(sight.board, out, len(sight.board.states) + 9))
        else:
            for line in sight.lines():
                print_text(out, line)


def _redraw(found: list[Sight], root: Path, out: Console) -> None:
    with Live(console=out, auto_refresh=False, transient=True) as shown:
        while going := [s for s in found if s.going]:
            room = max(out.height // len(going) - 1, 10)
            shown.update(Group(*_tables(going, out, room)), refresh=True)
            _wait(found, root)


def _tables(going: list[Sight], out: Console, room: int) -> Iterator[RenderableType]:
    for sight in going:
        yield Text(sight.line, style="dim", overflow="ellipsis", no_wrap=True)
        yield display.table(sight.board, out, room)


def _follow(found: list[Sight], root: Path, out: Console) -> None:
    _going(found, out)
    while any(s.going for s in found):
        for sight, news in _wait(found, root):
            view = display.Plain(sight.board, out)
            for event in news:
                view.tell(event)


def _wait(found: list[Sight], root: Path) -> list[tuple[Sight, list[Event]]]:
    """Let time pass, and read on: runs may have begun, and have news."""
    time.sleep(EVERY_S)
    known = {sight.run.path for sight in found}
    found += [Sight(run, root) for run in runs(root) if run.path not in known]
    return [(sight, sight.look()) for sight in found if sight.going or not sight.board.states]


def _ended(found: list[Sight], root: Path) -> Iterator[str]:
    """The last runs that are over or dead; a word where there are none at all."""
    if not found:
        yield f"no run has left events under `{root}`"
    ended = [s for s in found if not s.going]
    if len(ended) > ENDED_SHOWN:
        n = len(ended) - ENDED_SHOWN
        yield f"{n} earlier run{'s' * (n > 1)}; --json has all"
    for sight in ended[-ENDED_SHOWN:]:
        yield sight.line
        if sight.run.header:
            yield f"  {sight.board.headline}"


def _steady(at: datetime) -> float:
    """A moment, by the clock that boards count with."""
    return time.monotonic() - (datetime.now(UTC) - at).total_seconds()
