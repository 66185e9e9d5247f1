"""All that a page says of a suite, from what the results folder holds of it; nothing is drawn."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bench.base.files import is_plain_file
from bench.base.redaction import without_secrets
from bench.errors import BenchError
from bench.leaderboard import undecided_pairs
from bench.leaderboard.board import Board, MeasuredRow
from bench.leaderboard.cell_trace import CellTrace
from bench.leaderboard.trace import RowTrace, SuiteTrace
from bench.leaderboard.undecided_pairs import RowPair
from bench.results import plan_owner, store
from bench.results.record import Record
from bench.spec.choices import Definition
from bench.spec.composition import compose, digest
from bench.spec.plan import Plan
from bench.spec.suite_file import SHIPPED, read_question

TAIL = 30  # last lines of a log that are shown


@dataclass(frozen=True)
class LostCell:
    """A cell that gave its row no number, and the end of its log."""

    row: MeasuredRow
    trace: CellTrace
    log: str


@dataclass(frozen=True)
class SuiteData:
    """A kept suite: its board, and what stands behind every number."""

    plan: Plan
    board: Board
    definition: Definition  # of e and s
    records: list[Record]
    warnings: list[str]  # of the results folder's state
    question: list[str]  # what the suite asks
    rows: list[RowTrace]  # of every measured row, in the board's order
    losses: list[LostCell]
    pairs: list[RowPair]  # that cannot be told apart
    compared: int  # pairs in all

    @property
    def newest(self) -> str:
        """When the last of the records was begun, UTC."""
        return max((record.provenance.started for record in self.records), default="")


def gather(
    root: Path, suite: str, definition: Definition | None = None, *, stale: bool
) -> SuiteData:
    """
    Read a suite's plan and records.

    Args:
        stale: use stale records where there are no others.

    Raises:
        UsageError: the suite never ran here, or its plan cannot be read.
    """
    plan = store.find_plan(root, suite)
    return of_trace(SuiteTrace(plan, root, definition or plan.equilibrium, stale=stale))


def of_trace(trace: SuiteTrace) -> SuiteData:
    """All that a page says of a suite of which the records are read."""
    plan = trace.plan
    rows = [trace.row(row) for row in trace.board.measured]
    return SuiteData(
        plan=plan,
        board=trace.board,
        definition=trace.definition,
        records=list(trace.known.values()),
        warnings=trace.notes,
        question=_question(plan),
        rows=rows,
        losses=_losses(rows),
        pairs=undecided_pairs.undecided(trace.board),
        compared=undecided_pairs.number(trace.board),
    )


def _question(plan: Plan) -> list[str]:
    """What the suite asks; an older plan does not say it, but a file that says the same does."""
    if plan.question:
        return plan.question
    own = [Path(plan.source)] if plan_owner.is_own(plan) else []
    for path in (*own, SHIPPED / f"{plan.suite.partition('@')[0]}.yaml"):
        with suppress(BenchError):
            document = compose(path, plan.overrides)
            if digest(document) == plan.source_digest:
                return read_question(Path(document.source))
    return []


def _losses(rows: Iterable[RowTrace]) -> list[LostCell]:
    """Each cell once."""
    lost = {
        cell.id: LostCell(trace.row, cell, _tail(cell.log))
        for trace in rows
        for cell in trace.cells
        if cell.state != "ok"
    }
    return list(lost.values())


def _tail(log: str) -> str:
    """The last lines of a log; nothing of one that is not there."""
    if not log or not is_plain_file(Path(log)):
        return ""
    lines = without_secrets(Path(log).read_text(encoding="utf-8", errors="replace")).splitlines()
    if len(lines) > TAIL:
        lines = [f"... {len(lines) - TAIL:,} lines before", *lines[-TAIL:]]
    return "\n".join(lines)
