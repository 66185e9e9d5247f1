"""
What `bench run` shows while it runs: a live table on a terminal, plain lines elsewhere.

Views hear events and show them; they decide nothing.
"""

import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import Self

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from bench.cell import Cell
from bench.plan import Plan, Row
from bench.worker import Event

HEADS = ("state", "cell", "epoch", "bar", "acc, %", "images/s", "left")
NARROW_HEADS = ("state", "cell", "epoch", "acc, %", "left")  # below 80 columns
OTHERS, NARROW_OTHERS = 68, 45  # what the columns beside the cell's name take
NUMBERS = {"epoch", "acc, %", "images/s", "left"}
STYLES = {"running": "bold", "ok": "green", "diverged": "yellow", "failed": "red", "waiting": "dim"}
LINE_EVERY_S = 20.0  # plain lines of one long cell
LEFT_FROM = 0.05  # of the epochs must be done before a cell's time left is worth saying


@dataclass
class State:
    """What is known of one cell."""

    name: str
    epochs: int
    state: str = "waiting"
    epoch: int = 0
    fraction: float = 0.0
    acc: float | None = None
    images_per_s: float | None = None
    reason: str = ""
    started: float = 0.0  # monotonic seconds, as the next
    said: float = 0.0

    def hear(self, event: Event) -> None:
        """Take the news of this cell."""
        if event.kind == "start":
            self.state = "running"
            self.started = time.monotonic()
            return
        if event.kind == "end":
            self.state, self.reason = event.status, event.reason
            if event.status == "ok":
                self.epoch, self.fraction = self.epochs, 0.0
        else:
            self.epoch, self.fraction = event.epoch, event.fraction
        self.acc = self.acc if event.acc is None else event.acc
        self.images_per_s = event.images_per_s or self.images_per_s

    @property
    def progress(self) -> float:
        """Epochs done, a fraction of the present one included."""
        return self.epoch + self.fraction

    @property
    def left(self) -> str:
        """Time left of a running cell, from its own speed; blank before there is one."""
        if self.state != "running" or self.progress < LEFT_FROM * self.epochs:
            return ""
        gone = time.monotonic() - self.started
        return _clock(gone * (self.epochs - self.progress) / self.progress)


class Board:
    """The states of all cells of one run, and the time they take."""

    def __init__(self, plan: Plan, wanted: Iterable[str]) -> None:
        states = {
            cell.id: State(_name(plan, row, cell, part), cell.recipe.epochs)
            for row, part, cell in reversed([*plan.every()])  # a row's own name goes first
        }
        self.suite = plan.suite
        self.states = {cell_id: states[cell_id] for cell_id in wanted}
        self.started = time.monotonic()

    def hear(self, event: Event) -> State:
        state = self.states[event.cell_id]
        state.hear(event)
        return state

    def count(self, *names: str) -> int:
        return sum(state.state in names for state in self.states.values())

    @property
    def left(self) -> str:
        """Time left, from the measured speed of this run; blank before there is one."""
        over = {"diverged", "failed"}
        done = sum(s.epochs if s.state in over else s.progress for s in self.states.values())
        elapsed = time.monotonic() - self.started
        if done < 1 or elapsed < 1:
            return ""
        total = sum(s.epochs for s in self.states.values())
        return _clock(elapsed * (total - done) / done)

    @property
    def headline(self) -> str:
        """One line for the whole run."""
        words = [f"{self.count('ok', 'diverged', 'failed')}/{len(self.states)} cells done"]
        words += [f"{n} {name}" for name in ("diverged", "failed") if (n := self.count(name))]
        words.append(f"{_clock(time.monotonic() - self.started)} gone")
        if self.left and self.count("running", "waiting"):
            words.append(f"about {self.left} left")
        return f"{self.suite}: {', '.join(words)}"


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
        state = self.board.hear(event)
        now = time.monotonic()
        if event.kind == "start":
            state.said = now
        elif event.kind == "end":
            done = self.board.count("ok", "diverged", "failed")
            self._say(f"[{done}/{len(self.board.states)}] {state.name}: {state.state}", state)
        elif event.acc is not None and now - state.said > LINE_EVERY_S:
            state.said = now
            self._say(f"{state.name}: epoch {state.epoch}/{state.epochs}", state)

    def _say(self, head: str, state: State) -> None:
        words = [head]
        if state.acc is not None:
            words.append(f"acc {100 * state.acc:.2f} %")
        if state.images_per_s:
            words.append(f"{state.images_per_s:,.0f} images/s")
        if state.reason:
            words.append(state.reason)
        if self.board.left:
            words.append(f"about {self.board.left} left")
        self.console.print(", ".join(words), markup=False, highlight=False, soft_wrap=True)


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
        self.console.print(Text(self.board.headline, style="bold"))

    def __call__(self, event: Event) -> None:
        state = self.board.hear(event)
        if event.kind == "end" and event.status != "ok":
            note = Text(f"{state.name}: {state.state}, {state.reason}", style=STYLES[state.state])
            self.console.print(note)

    def _draw(self) -> RenderableType:
        states = self._shown(max(self.console.height - 7, 3))
        heads = HEADS if self.console.width >= 80 else NARROW_HEADS
        room = self.console.width - (OTHERS if heads is HEADS else NARROW_OTHERS)
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for head in heads:
            least = {"cell": None, "acc, %": 6, "epoch": 5, "bar": 10, "left": 7}.get(head, 8)
            right = head in NUMBERS
            table.add_column(
                "" if head == "bar" else head,
                justify="right" if right else "left",
                no_wrap=True,
                min_width=least,
                max_width=max(room, 12) if head == "cell" else None,  # a name may be cut,
            )
        for state in states:
            cells = self._cells(state)
            table.add_row(*(cells[head] for head in heads), style=STYLES.get(state.state))
        parts: list[RenderableType] = [Text(self.board.headline, style="bold"), table]
        if hidden := [s.state for s in self.board.states.values() if s not in states]:
            counts = ", ".join(f"{n} {state}" for state, n in Counter(hidden).items())
            parts.append(Text(f"… and {len(hidden)} more: {counts}", style="dim"))
        return Group(*parts)

    def _cells(self, state: State) -> dict[str, RenderableType]:
        words = {
            "state": state.state,
            "cell": state.name,
            "epoch": f"{int(state.progress)}/{state.epochs}" if state.progress else "",
            "acc, %": "" if state.acc is None else f"{100 * state.acc:.2f}",
            "images/s": f"{state.images_per_s:,.0f}" if state.images_per_s else "",
            "left": state.left,
        }
        bar = ProgressBar(total=state.epochs, completed=state.progress, width=10)
        return {"bar": bar, **{head: Text(word) for head, word in words.items()}}

    def _shown(self, room: int) -> list[State]:
        """All states in the suite's order, or, where there is no room, the ones in motion."""
        states = list(self.board.states.values())
        if len(states) <= room:
            return states
        order = {"running": 0, "failed": 1, "diverged": 1, "waiting": 2, "ok": 3}
        first = sorted(states, key=lambda state: order.get(state.state, 4))[:room]
        return [state for state in states if state in first]


def _name(plan: Plan, row: Row, cell: Cell, part: str) -> str:
    """A cell's name, less what all cells of the plan have in common."""
    words = [row.label]
    words += [row.backbone] if len({r.backbone for r in plan.rows}) > 1 else []
    words += [row.wa] if len({r.wa for r in plan.rows if r.label != "none"}) > 1 else []
    words += [row.schedule] if row.schedule != "default" else []
    words += [f"({part})"] if part else []
    return " ".join([*words, "seed", str(cell.seed)])


def _clock(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))


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
