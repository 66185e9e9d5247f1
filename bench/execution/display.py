"""
What a run shows while it runs: a live table on a terminal, plain lines elsewhere.

Views are told events and show them; they decide nothing.
"""

import heapq
import time
from collections import Counter
from contextlib import suppress
from types import TracebackType
from typing import Self

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from bench.execution.events import (
    CellEvent,
    Compiling,
    Elsewhere,
    Ended,
    Event,
    Moved,
    Noted,
    Progressed,
    Queued,
    Retrying,
    Started,
    Stopping,
    TakenOver,
)
from bench.execution.progress import ACTIVE, LOST, OVER, TO_COME, CellProgress, RunProgress
from bench.spec.cell_status import CellStatus

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
    CellStatus.STARTING: "bold",
    CellStatus.COMPILING: "bold",
    CellStatus.RUNNING: "bold",
    CellStatus.RETRYING: "magenta",
    CellStatus.DIVERGED: "yellow",
    CellStatus.FAILED: "red",
    CellStatus.TIMEOUT: "red",
    CellStatus.OUT_OF_MEMORY: "red",
    CellStatus.INTERRUPTED: "cyan",
    CellStatus.BLOCKED: "red",
    CellStatus.ELSEWHERE: "blue",
    CellStatus.OK: "green",
    CellStatus.QUEUED: "dim",
    CellStatus.WAITING: "dim",
}
LINE_EVERY_S = 20.0  # plain lines of one long cell


class LineView:
    """Prints one line for each cell that ends, and now and then one for a long cell."""

    def __init__(self, run: RunProgress, console: Console) -> None:
        self.run, self.console = run, console
        self._left, self._left_at = "", 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        return None

    def __call__(self, event: Event) -> None:
        self.run.update(event)
        self.show(event)

    def show(self, event: Event) -> None:
        """Print what there is to say of an event that is in `run` already."""
        if isinstance(event, Stopping):
            self._print(Text(self.run.note))
        elif cell := self.run.cells.get(event.cell_id):
            self._show(cell, event)

    def _show(self, cell: CellProgress, event: CellEvent) -> None:
        match event:
            case Queued():
                pass  # the table shows it
            case Started():
                cell.printed_at = time.monotonic()
            case Ended():
                done = f"[{self.run.count(*OVER)}/{len(self.run.cells)}]"
                self._say(f"{done} {cell.name}: {cell.status}", cell)
            case Compiling():
                self._say(f"{cell.name}: compiling its training step, a minute at most", cell)
            case Progressed():
                now = time.monotonic()
                if event.acc is not None and now - cell.printed_at > LINE_EVERY_S:
                    cell.printed_at = now
                    self._say(f"{cell.name}: epoch {cell.epoch}/{cell.epochs}", cell)
            case _:
                self._print(_note(cell, event))

    def _say(self, head: str, cell: CellProgress) -> None:
        words = [head]
        if cell.status is CellStatus.INTERRUPTED:
            words[0] += f" at epoch {cell.epoch}/{cell.epochs}"
        if cell.acc is not None:
            words.append(f"acc {100 * cell.acc:.2f} %")
        if cell.images_per_s:
            words.append(f"{cell.images_per_s:,.0f} images/s")
        if cell.reason:
            words.append(cell.reason)
        if cell.status in LOST:
            words.append(f"log: {cell.log}")
        if self.run.count(*ACTIVE, *TO_COME) and (left := self._find_left()):
            words.append(f"about {left} left")
        self._print(Text(", ".join(words)))

    def _find_left(self) -> str:
        """The time left of the run, for which all of its cells are looked at: once a second."""
        now = time.monotonic()
        if not self._left or now - self._left_at > 1.0:
            self._left, self._left_at = self.run.left, now
        return self._left

    def _print(self, text: Text) -> None:
        with suppress(SystemExit):  # rich's answer to a reader that went away; the run goes on
            self.console.print(text, soft_wrap=True)


def redraws(console: Console) -> bool:
    """Can it show a table that redraws itself?"""
    return console.is_terminal and not (console.is_dumb_terminal or console.quiet)


class TableView(LineView):
    """A table that redraws itself; above it a line for what befalls a cell."""

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
        self.run.ended = time.monotonic()
        self.console.print(Text(self.run.headline, style="bold"))

    def show(self, event: Event) -> None:
        if isinstance(event, Stopping):
            self._print(Text(self.run.note, style="bold"))
        elif (cell := self.run.cells.get(event.cell_id)) and (
            isinstance(event, Retrying | TakenOver | Moved | Noted)
            or cell.status in {*LOST, CellStatus.BLOCKED}
        ):
            self._print(_note(cell, event))

    def _draw(self) -> RenderableType:
        return table(self.run, self.console, self.console.height)


def table(run: RunProgress, console: Console, height: int) -> RenderableType:
    """The headline, and a line for each cell as far as they have room."""
    width = console.width
    headline = Text(run.headline, style="bold")
    taken = len(headline.wrap(console, width)) + 4  # heads and their line, what is hidden, a cursor
    shown = _shown(run, max(height - taken, 3))
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
    for cell in shown:
        words = _words(cell)
        grid.add_row(*(words[head] for head in heads), style=STYLES[cell.status])
    parts: list[RenderableType] = [headline, grid]
    if hidden := len(run.cells) - len(shown):
        left = Counter(cell.status for cell in run.cells.values())
        left.subtract(cell.status for cell in shown)
        counts = ", ".join(f"{n} {status}" for status, n in left.items() if n)
        more = Text(f"… and {hidden} more: {counts}", style="dim")
        more.truncate(width, overflow="ellipsis")
        parts.append(more)
    return Group(*parts)


def _words(cell: CellProgress) -> dict[str, RenderableType]:
    acc = "" if cell.acc is None else f"{100 * cell.acc:.2f}"
    words = {
        "state": cell.status,
        "cell": cell.name,
        "epoch": f"{int(cell.progress)}/{cell.epochs}" if cell.progress else "",
        "acc, %": acc,
        "result": acc
        if acc and cell.status in {CellStatus.RUNNING, CellStatus.OK}
        else cell.status,
        "curve": sparkline(cell.curve),
        "images/s": f"{cell.images_per_s:,.0f}" if cell.images_per_s else "",
        "left": cell.left(time.monotonic()),
    }
    if cell.status is CellStatus.ELSEWHERE:
        words["cell"] += f" ({cell.reason})"
    elif cell.place:
        words["cell"] += f" ({cell.place})"
    bar = ProgressBar(total=cell.epochs, completed=cell.progress, width=10)
    return {
        **{head: Text(word) for head, word in words.items()},
        "bar": bar if cell.progress else "",
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


def _shown(run: RunProgress, room: int) -> list[CellProgress]:
    """All cells in the suite's order, or, where there is no room, those with the latest news."""
    cells = list(run.cells.values())
    if len(cells) <= room:
        return cells
    order = {status: place for place, status in enumerate(CellStatus)}
    places = heapq.nsmallest(
        room, range(len(cells)), key=lambda i: (order[cells[i].status], -cells[i].updated_at)
    )
    return [cells[i] for i in sorted(places)]


def _note(cell: CellProgress, event: CellEvent) -> Text:
    """A line on what befell a cell, with the log where there is reason to read it."""
    match event:
        case TakenOver():
            text = f"was of a run that died ({event.reason}), and is ours now"
        case Moved():
            text = f"runs again; what it was is kept as {event.reason}"
        case Noted():
            text = event.reason
        case Queued() | Started() | Compiling() | Progressed():
            text = f"{cell.status}, "
        case Ended() | Retrying() | Elsewhere():
            text = f"{cell.status}, {event.reason}"
    began = cell.status is not CellStatus.BLOCKED
    log = f"; log: {cell.log}" if began and isinstance(event, Retrying | Ended | Noted) else ""
    return Text(f"{cell.name}: {text}{log}", style=STYLES[cell.status])
