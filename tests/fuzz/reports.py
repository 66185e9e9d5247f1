"""Everything that is printed of a plan and its records, and what no report may contain."""

import contextlib
import csv
import io
import json
import re
from random import Random

from bench.base.console import Terminal
from bench.base.files import write_file
from bench.base.text import CONTROLS
from bench.cli import plan_text
from bench.errors import BenchError
from bench.leaderboard import per_layer
from bench.leaderboard.ranking import rank
from bench.leaderboard.tables import render, terminal
from bench.leaderboard.tables.formats import FILES, KEPT, TableFormat
from bench.results import store
from bench.results.cell_state import CellStates
from bench.results.record import Record
from bench.spec import filters
from bench.spec.plan import Plan
from fuzz.box import Box

FILTERS = ["estimator=*", "seed=0 & wa=1/1", "estimator=[", "zzz=1", "=", "seed=\x1b[31m"]


def every(box: Box, rng: Random, plan: Plan) -> None:
    """What `bench plan`, `bench run` and `bench leaderboard` do beside training."""
    with contextlib.suppress(BenchError):
        filters.select(plan, rng.choice(FILTERS))
    for line in plan_text.describe_plan(plan, CellStates(box.results, plan.possible)):
        on_terminal(line, 200)
    store.save_plan(box.results, plan)
    again = store.find_plan(box.results, plan.suite)
    if again.model_dump_json() != plan.model_dump_json():
        message = "the plan that was kept is another"
        raise AssertionError(message)
    table(box, again)


def table(box: Box, plan: Plan) -> None:
    """The leaderboard in every format, on wide and on narrow terminals."""
    board = rank(plan, CellStates(box.results, plan.possible).records(stale=False))
    for width in (60, 200):
        on_terminal(terminal.table(board, width), width)
    for form in FILES:
        sound(render.text(board, form))
    home = store.suite_path(box.results, plan.suite)
    parsers = {
        TableFormat.MARKDOWN: _markdown,
        TableFormat.CSV: _csv,
        TableFormat.JSON: json.loads,
    }
    for form in KEPT:
        text = render.text(board, form)
        write_file(home / f"leaderboard.{form}", text)
        parsers[form](text)


def record(one: Record) -> None:
    """What `bench indicators` shows of a cell."""
    on_terminal(per_layer.table(one, "paper"), 100)
    for frame in (per_layer.frame(one, "code"), per_layer.curves(one), per_layer.histograms(one)):
        frame.to_csv(index=False)


def on_terminal(renderable: object, width: int = 100) -> None:
    """Print it as the program prints, and look for what it may not print."""
    console = Terminal(file=io.StringIO(), width=width, emoji=False)
    console.print(renderable, markup=False, highlight=False)
    sound(console.file.getvalue())  # type: ignore[attr-defined]


def sound(text: str) -> None:
    """
    No control character, so nothing that a terminal obeys.

    Raises:
        AssertionError: there is one.
    """
    if found := CONTROLS.search(text):
        message = (
            f"U+{ord(found[0]):04X} in {text[max(0, found.start() - 40) : found.end() + 40]!r}"
        )
        raise AssertionError(message)


def _markdown(text: str) -> None:
    """Rows of one table have equally many cells, and no raw HTML."""
    columns = 0
    for line in text.splitlines():
        if not line.startswith("|"):
            columns = 0
            continue
        found = len(re.findall(r"(?<!\\)(?:\\\\)*\|", line))
        if columns and found != columns:
            message = f"{found} instead of {columns} columns: {line[:300]!r}"
            raise AssertionError(message)
        columns = found


def _csv(text: str) -> None:
    if len({len(row) for row in csv.reader(io.StringIO(text))}) > 1:
        message = "rows of different lengths"
        raise AssertionError(message)
