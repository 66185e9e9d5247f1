"""
What a run shows while it runs: a live table on a terminal, plain lines elsewhere.

Views hear events and show them; they decide nothing.
"""

import math
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from bench.results import store
from bench.run.worker import Event
from bench.spec.cell import Cell
from bench.spec.plan import Plan, Row

HEADS = {  # from this width on
    100: ("state", "cell", "epoch", "bar", "acc, %", "curve", "images/s", "left"),
    80: ("state", "cell", "epoch", "acc, %", "curve", "images/s", "left"),
    56: ("state", "cell", "epoch", "acc, %", "left"),
    46: ("state", "cell", "epoch", "acc, %"),
    28: ("cell", "epoch", "result"),
    0: ("cell", "result"),
}
WIDTHS = {
    "state": 13,
    "result": 8,
    "epoch": 5,
    "bar": 10,
    "acc, %": 6,
    "curve": 10,
    "images/s": 8,
    "left": 7,
}
GAP = 3  # between two columns
NUMBERS = {"epoch", "acc, %", "images/s", "left", "result"}
TITLES = {"bar": "", "result": "acc, %"}  # where it is not the column's own name
BLOCKS = "▁▂▃▄▅▆▇█"
STYLES = {
    "starting": "bold",
    "running": "bold",
    "compiling": "bold",
    "ok": "green",
    "diverged": "yellow",
    "failed": "red",
    "timeout": "red",
    "out_of_memory": "red",
    "retrying": "magenta",
    "interrupted": "cyan",
    "elsewhere": "blue",
    "waiting": "dim",
}
IN_MOTION = ("starting", "compiling", "running")
BAD = ("diverged", "failed", "timeout", "out_of_memory")
OVER = ("ok", *BAD)
LONG_S = 1e12  # no time is longer, whatever a journal tells
LINE_EVERY_S = 20.0  # plain lines of one long cell
LEFT_FROM = 0.05  # of the epochs must be done before a cell's time left is worth saying


@dataclass
class State:
    """What is known of one cell. Times are those of the clock that feeds the board."""

    name: str
    epochs: int
    log: Path | None = None
    state: str = "waiting"
    epoch: int = 0
    fraction: float = 0.0
    acc: float | None = None
    curve: list[float] = field(default_factory=list[float])  # accuracy, epoch by epoch
    images_per_s: float | None = None
    reason: str = ""
    since: tuple[float, float] | None = None  # when it was first heard of, and how far it was
    heard: float = 0.0
    said: float = 0.0

    def hear(self, event: Event, now: float) -> None:
        """Take the news of this cell."""
        self.heard = now
        if event.kind == "start":
            self.state, self.since, self.reason, self.curve = "starting", None, "", []
        elif event.kind == "retry":
            self.state, self.reason = "retrying", event.reason
        elif event.kind == "elsewhere":
            self.state, self.reason = "elsewhere", event.reason
        elif event.kind == "end":
            self._end(event)
        elif event.kind in {"compile", "progress"}:
            self.state = "running" if event.kind == "progress" else "compiling"
            self.epoch, self.fraction = event.epoch, event.fraction
            self.since = self.since or (now, self.progress)
            self.curve += [] if event.acc is None else [event.acc]
        self.acc = self.acc if event.acc is None else event.acc
        self.images_per_s = event.images_per_s or self.images_per_s

    def _end(self, event: Event) -> None:
        self.state, self.reason = event.status, event.reason
        if event.status == "ok":
            self.epoch, self.fraction = self.epochs, 0.0

    @property
    def open(self) -> bool:
        """May there be more to hear of it?"""
        return self.state not in OVER and self.state != "interrupted"

    @property
    def progress(self) -> float:
        """Epochs done, a fraction of the present one included."""
        return self.epoch + self.fraction

    @property
    def gained(self) -> float:
        """Epochs done since it was first heard of: one that goes on did not do the others now."""
        return self.progress - self.since[1] if self.since else 0.0

    def seconds(self, now: float) -> float | None:
        """Time left of a running cell, from its own speed; None before there is one."""
        if self.state != "running" or not self.since or self.gained < LEFT_FROM * self.epochs:
            return None
        return (now - self.since[0]) * (self.epochs - self.progress) / self.gained

    def left(self, now: float) -> str:
        """The same in words, or nothing."""
        seconds = self.seconds(now)
        return "" if seconds is None else _clock(seconds)


class Board:
    """The states of all cells of one run, and the time they take."""

    def __init__(self, suite: str, states: dict[str, State], now: float | None = None) -> None:
        self.suite, self.states = suite, states
        self.started = time.monotonic() if now is None else now
        self.ended: float | None = None
        self.note = ""  # why it stops

    def hear(self, event: Event, now: float | None = None) -> None:
        """Take news, of `now` where it is not new."""
        if event.kind == "stop":
            self.note = f"stopping: {event.reason}"
        elif state := self.states.get(event.cell_id):
            state.hear(event, time.monotonic() if now is None else now)

    @property
    def names(self) -> dict[str, str]:
        return {cell_id: state.name for cell_id, state in self.states.items()}

    def count(self, *names: str) -> int:
        return sum(state.state in names for state in self.states.values())

    @property
    def left(self) -> str:
        """
        Time left, from the measured speed of this run; blank before one, and once it stops.

        No less than the slowest of the cells that run has left.
        """
        if self.note or self.ended:
            return ""
        mine = [s for s in self.states.values() if s.state != "elsewhere"]
        done = sum(s.gained for s in mine)
        rest = sum(s.epochs - s.progress for s in mine if s.state not in OVER)
        now = time.monotonic()
        spent = now - min((s.since[0] for s in mine if s.since), default=math.inf)
        if done < 1 or spent < 1:
            return ""
        return _clock(max(spent * rest / done, *(s.seconds(now) or 0 for s in mine)))

    @property
    def elapsed(self) -> float:
        return (self.ended or time.monotonic()) - self.started

    @property
    def headline(self) -> str:
        """One line for the whole run."""
        n = len(self.states)
        words = [f"{self.count(*OVER)}/{n} cell{'s' * (n != 1)} done"]
        named = (*BAD, "interrupted", "retrying", "elsewhere")
        words += [f"{n} {name}" for name in named if (n := self.count(name))]
        words.append(f"{_clock(self.elapsed)} gone")
        if self.note and self.count(*IN_MOTION):
            words.append("stopping")
        elif self.left and self.count(*IN_MOTION, "waiting", "retrying"):
            words.append(f"about {self.left} left")
        return f"{self.suite}: {', '.join(words)}"


def board(plan: Plan, wanted: Iterable[str], root: Path) -> Board:
    """The board of those cells of a plan, none of them begun."""
    states = {
        cell.id: State(
            _name(plan, row, cell, part), cell.recipe.epochs, store.folder(root, cell) / "log.txt"
        )
        for row, part, cell in reversed([*plan.every()])  # a row's own name goes first
    }
    return Board(plan.suite, {cell_id: states[cell_id] for cell_id in wanted})


class Plain:
    """One line for each cell that ends, and now and then one for a long cell."""

    def __init__(self, board: Board, console: Console) -> None:
        self.board, self.console = board, console

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        return None

    def __call__(self, event: Event) -> None:
        self.board.hear(event)
        self.tell(event)

    def tell(self, event: Event) -> None:
        """Say what there is to say of an event that the board has heard."""
        state = self.board.states.get(event.cell_id)
        now = time.monotonic()
        if state is None:
            self._print(Text(self.board.note))
        elif event.kind == "start":
            state.said = now
        elif event.kind == "end":
            count = f"[{self.board.count(*OVER)}/{len(self.board.states)}]"
            self._say(f"{count} {state.name}: {state.state}", state)
        elif event.kind == "compile":
            self._say(f"{state.name}: compiling its training step, a minute at most", state)
        elif event.kind != "progress":
            self._print(_note(state, event))
        elif event.acc is not None and now - state.said > LINE_EVERY_S:
            state.said = now
            self._say(f"{state.name}: epoch {state.epoch}/{state.epochs}", state)

    def _say(self, head: str, state: State) -> None:
        words = [head]
        if state.state == "interrupted":
            words[0] += f" at epoch {state.epoch}/{state.epochs}"
        if state.acc is not None:
            words.append(f"acc {100 * state.acc:.2f} %")
        if state.images_per_s:
            words.append(f"{state.images_per_s:,.0f} images/s")
        if state.reason:
            words.append(state.reason)
        if state.state in BAD:
            words.append(f"log: {state.log}")
        if self.board.left and self.board.count(*IN_MOTION, "waiting"):
            words.append(f"about {self.board.left} left")
        self._print(Text(", ".join(words)))

    def _print(self, text: Text) -> None:
        with suppress(SystemExit):  # rich's answer to a reader that went away; the run goes on
            self.console.print(text, soft_wrap=True)


def redraws(console: Console) -> bool:
    """Can it show a table that redraws itself?"""
    return console.is_terminal and not (console.is_dumb_terminal or console.quiet)


class Terminal(Plain):
    """A table that redraws itself."""

    def __enter__(self) -> Self:
        self.live = Live(
            console=self.console, get_renderable=self._draw, refresh_per_second=4, transient=True
        )
        self.live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        self.live.stop()
        self.board.ended = time.monotonic()
        self.console.print(Text(self.board.headline, style="bold"))

    def tell(self, event: Event) -> None:
        state = self.board.states.get(event.cell_id)
        if state is None:
            self._print(Text(self.board.note, style="bold"))
        elif event.kind in {"retry", "takeover", "moved", "note"} or state.state in BAD:
            self._print(_note(state, event))

    def _draw(self) -> RenderableType:
        return table(self.board, self.console, self.console.height)


def table(board: Board, console: Console, height: int) -> RenderableType:
    """The headline, and a line for each cell as far as they have room."""
    width = console.width
    headline = Text(board.headline, style="bold")
    taken = len(headline.wrap(console, width)) + 4  # heads and their line, what is hidden, a cursor
    states = _shown(board, max(height - taken, 3))
    heads = next(heads for least, heads in HEADS.items() if width >= least)
    if not _can(BLOCKS, console.encoding):
        heads = tuple(head for head in heads if head != "curve")
    room = width - sum(WIDTHS[head] + GAP for head in heads if head != "cell")
    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for head in heads:
        grid.add_column(
            TITLES.get(head, head),
            justify="right" if head in NUMBERS else "left",
            no_wrap=True,
            min_width=None if head == "cell" else min(WIDTHS[head], 8),
            max_width=max(room, 8) if head == "cell" else None,  # a name may be cut
        )
    for state in states:
        cells = _cells(state)
        grid.add_row(*(cells[head] for head in heads), style=STYLES.get(state.state))
    parts: list[RenderableType] = [headline, grid]
    if hidden := [s.state for s in board.states.values() if s not in states]:
        counts = ", ".join(f"{n} {state}" for state, n in Counter(hidden).items())
        more = Text(f"… and {len(hidden)} more: {counts}", style="dim")
        more.truncate(width, overflow="ellipsis")
        parts.append(more)
    return Group(*parts)


def _cells(state: State) -> dict[str, RenderableType]:
    acc = "" if state.acc is None else f"{100 * state.acc:.2f}"
    words = {
        "state": state.state,
        "cell": state.name,
        "epoch": f"{int(state.progress)}/{state.epochs}" if state.progress else "",
        "acc, %": acc,
        "result": acc if acc and state.state in {"running", "ok"} else state.state,
        "curve": sparkline(state.curve),
        "images/s": f"{state.images_per_s:,.0f}" if state.images_per_s else "",
        "left": state.left(time.monotonic()),
    }
    if state.state == "elsewhere":
        words["cell"] += f" ({state.reason})"
    bar = ProgressBar(total=state.epochs, completed=state.progress, width=10)
    return {
        **{head: Text(word) for head, word in words.items()},
        "bar": bar if state.progress else "",
    }


def sparkline(values: list[float], width: int = WIDTHS["curve"]) -> str:
    """A curve in blocks, from its least to its greatest value; the last of each part's values."""
    n = min(len(values), width)
    shown = [values[(i + 1) * len(values) // n - 1] for i in range(n)]
    low, high = min(shown, default=0.0), max(shown, default=0.0)
    steps = len(BLOCKS) - 1
    return "".join(
        BLOCKS[round(steps * (v - low) / (high - low)) if high > low else 0] for v in shown
    )


def _can(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _shown(board: Board, room: int) -> list[State]:
    """All states in the suite's order, or, where there is no room, those with the latest news."""
    states = list(board.states.values())
    if len(states) <= room:
        return states
    order = [*IN_MOTION, "retrying", *BAD, "interrupted", "elsewhere", "ok", "waiting"]
    first = sorted(states, key=lambda state: (order.index(state.state), -state.heard))[:room]
    return [state for state in states if state in first]


def _note(state: State, event: Event) -> Text:
    """A line on what befell a cell, with the log where there is reason to read it."""
    words = {
        "takeover": f"was of a run that died ({event.reason}), and is ours now",
        "moved": f"runs again; what it was is kept as {event.reason}",
        "note": event.reason,
    }
    text = words.get(event.kind, f"{state.state}, {event.reason}")
    log = f"; log: {state.log}" if event.kind in {"retry", "end", "note"} else ""
    return Text(f"{state.name}: {text}{log}", style=STYLES[state.state])


def _name(plan: Plan, row: Row, cell: Cell, part: str) -> str:
    """A cell's name, less what all cells of the plan have in common."""
    words = [row.label]
    words += [row.backbone] if len({r.backbone for r in plan.rows}) > 1 else []
    words += [row.wa] if len({r.wa for r in plan.rows if r.label != "none"}) > 1 else []
    words += [row.schedule] if row.schedule != "default" else []
    words += [f"({part})"] if part else []
    return " ".join([*words, "seed", str(cell.seed)])


def _clock(seconds: float) -> str:
    return str(timedelta(seconds=round(max(min(seconds, LONG_S), -LONG_S))))


@contextmanager
def counter(console: Console) -> Generator[Callable[[int, int], None], None, None]:
    """Say how many files of how many are decoded: one line on a terminal, else one per tenth."""
    told = 0

    def line(n: int, total: int) -> None:
        nonlocal told
        if 10 * n // total > told:
            told = 10 * n // total
            console.print(f"{n:,} of {total:,} files decoded", highlight=False)

    if not console.is_terminal:
        yield line
        return
    with console.status("reading") as status:
        yield lambda n, total: status.update(f"{n:,} of {total:,} files decoded")
