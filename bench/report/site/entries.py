"""What the pages of a site say of a suite and of its rows, kept when all else of it is let go."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bench.leaderboard.answers import answer, surely_best, title
from bench.leaderboard.board import MeasuredRow
from bench.leaderboard.columns.selection import column
from bench.leaderboard.trace import RowTrace
from bench.report.page.property_cards import estimators
from bench.report.page.suite_data import SuiteData
from bench.spec.plan import FULL_PRECISION

SHOWN = ("rank", "acc", "difference", "n", "best", "published_percent")  # columns of rows


@dataclass(frozen=True)
class Process:
    """A process that trained a cell."""

    cell: str
    host: str
    device: str
    started: str
    hours: float
    joules: float | None
    versions: dict[str, str]
    commit: str


@dataclass(frozen=True)
class RowEntry:
    """A measured row of a suite, in words."""

    suite: str
    section: str  # the title of its table
    name: str
    place: str  # of its trace on the suite's page
    methods: list[str]  # the estimators of weights and activations, each once
    network: str
    net: str  # the same with parameters
    data: str
    wa: str
    formulas: list[str]
    kinds: list[str]
    judged: list[str]  # the verdicts on its f
    words: dict[str, str]  # by the names of `SHOWN`
    values: dict[str, float | None]
    measured: bool
    best: bool  # surely, of its table?
    parameters: int | None  # of its network
    processes: list[Process]


@dataclass(frozen=True)
class Answer:
    """What a table says of its suite's question."""

    section: str
    text: str
    settled: bool


@dataclass(frozen=True)
class SuiteEntry:
    """A suite, in words."""

    name: str
    href: str  # of its page, seen from the site's folder
    folder: str
    question: str
    answers: list[Answer]
    data: list[str]
    recorded: int
    total: int
    newest: str
    rows: list[RowEntry]

    @property
    def settled(self) -> str:
        """Is there a winner: in every table, in some, in none?"""
        won = [table.settled for table in self.answers]
        return "settled" if won and all(won) else "partly" if any(won) else "not settled"


def suite_entry(data: SuiteData, href: str, folder: str) -> SuiteEntry:
    """
    What other pages say of a suite.

    Args:
        href: of its page, seen from the site's folder.
        folder: of its results.
    """
    rows = [*_rows(data)]
    return SuiteEntry(
        name=data.plan.suite,
        href=href,
        folder=folder,
        question=" ".join(data.question),
        answers=[*_answers(data)],
        data=list(dict.fromkeys(row.data for row in data.plan.rows)),
        recorded=data.board.recorded,
        total=data.board.total,
        newest=data.newest,
        rows=rows,
    )


def _answers(data: SuiteData) -> Iterator[Answer]:
    """One for each table in which something can be ranked; one of none if there is none."""
    said = [(section, answer(section)) for section in data.board.sections]
    told = [
        Answer(title(section), text, bool(surely_best(section))) for section, text in said if text
    ]
    if told:
        yield from told
        return
    ended = any(row.seeds.ended for row in data.board.measured)
    text = "No two rows can be compared." if ended else "Nothing is measured yet."
    yield Answer("", text, settled=False)


def _rows(data: SuiteData) -> Iterator[RowEntry]:
    sections = {
        id(row): (title(section), surely_best(section))
        for section in data.board.sections
        for row in section.measured
    }
    planned = {(r.label, r.backbone, r.wa, r.schedule): r for r in reversed(data.plan.rows)}
    parameters = {record.cell.id: record.parameters for record in data.records}
    for number, trace in enumerate(data.rows, start=1):
        section, best = sections[id(trace.row)]
        plan, columns = planned[trace.row.key], [column(key) for key in SHOWN]
        counted = {parameters[cell.id] for cell in trace.cells if parameters.get(cell.id)}
        yield RowEntry(
            suite=data.plan.suite,
            section=section,
            name=_called(trace.row),
            place=f"row-{number}",
            methods=[ref.name for _, ref in estimators([trace]).values()] or [FULL_PRECISION],
            network=trace.sample.backbone.name,
            net=plan.net,
            data=plan.data,
            wa=trace.row.wa,
            formulas=_once(info.formula for info in trace.roles.values()),
            kinds=_once(info.kind for info in trace.roles.values()),
            judged=_once(_judged(trace)),
            words={own.key: own.text(trace.row) for own in columns},
            values={own.key: own.number(trace.row) for own in columns},
            measured=bool(trace.row.seeds.ended),
            best=trace.row in best,
            parameters=max(counted, default=None),
            processes=[_process(cell.id, p) for cell in trace.cells for p in cell.processes],
        )


def _called(row: MeasuredRow) -> str:
    return f"{row.title}, tuned: {row.tuned.chosen}" if row.tuned else row.title


def _judged(trace: RowTrace) -> Iterator[str]:
    """Whether its f is rational, and flexible, as the board has it."""
    said = trace.row.estimator
    if said.rational or said.flexible:
        yield f"rational: {said.rational or '-'}, flexible: {said.flexible or '-'}"


def _once(texts: Any) -> list[str]:
    return [text for text in dict.fromkeys(texts) if text]


def _process(cell: str, told: dict[str, Any]) -> Process:
    return Process(
        cell=cell,
        host=told["host"],
        device=told["device"],
        started=told["started"],
        hours=told["wall_s"] / 3600,
        joules=told["energy_j"],
        versions=told["versions"],
        commit=told["commit"],
    )
