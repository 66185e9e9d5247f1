"""
Boards in the layout of the reference paper's tables: its columns, its rows, ours beside them.

A style is data: a ledger, whose claims are the rows in their printed order, and columns. Any board
whose lines carry those claims can be laid out so; what is measured and not printed comes last.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import chain, groupby, zip_longest
from pathlib import Path

from bench.base.text import suggest
from bench.errors import UsageError
from bench.leaderboard.answers import answers, surely_best, title
from bench.leaderboard.board import AnyRow, Board, MeasuredRow, PublishedRow, Section
from bench.leaderboard.columns.column import ColumnKind
from bench.leaderboard.columns.selection import column
from bench.leaderboard.tables.layout import (
    Heading,
    Layout,
    Part,
    Table,
    TextRow,
    notes,
    summary,
)
from bench.spec import published
from bench.spec.published import Claim


@dataclass(frozen=True)
class Style:
    """One of the paper's tables: its columns, head → what stands there (`WORDS`)."""

    title: str
    columns: dict[str, str]
    ledger: str  # of `suites/published`
    abreast: bool = False  # do groups of rows stand beside each other?


@dataclass(frozen=True)
class PaperRow:
    """A row: what was printed, and what was measured; one of them may be lacking."""

    claim: Claim | None
    row: AnyRow | None
    strong: bool = False  # surely the best
    again: bool = False  # was the number measured in several rows?

    def printed(self, name: str) -> str:
        return str(getattr(self.claim, name) or "-") if self.claim else ""

    def number(self, name: str) -> str:
        value = getattr(self.claim, name, None)
        return "-" if value is None else f"{value:.2f}"

    def ours(self, key: str) -> str:
        """What our row has in that column."""
        return column(key).text(self.row) if self.row else "-"

    def accuracy(self) -> str:
        """Ours, or why there is none."""
        if self.row is None:
            return "not in this suite"
        word = self.ours("acc")
        if word != "-":
            return word
        lost = isinstance(self.row, MeasuredRow) and self.row.seeds.lost
        return "lost" if lost else "not measured"


OURS = {"ours, last": "last", "ours, best": "best", "n": "n"}
METHODS = {"Backbone": "block", "Method": "method", "W/A": "wa", "Auxiliary": "aux"}
TOPS = {"Top-1(%)": "acc", **OURS, "Top-5(%)": "top5", "ours, top-5": "ours top5"}
STYLES = {
    "paper:table1": Style("Table 1, CIFAR-10", METHODS | {"Acc(%)": "acc", **OURS}, "table1"),
    "paper:table2": Style("Table 2, ImageNet", METHODS | TOPS, "table2"),
    "paper:table3": Style(
        "Table 3, estimators",
        {
            "Estimators": "method",
            "Formula": "formula",
            "Type": "kind",
            "Rational": "rational",
            "rational, ours": "ours rational",
            "Flexible": "flexible",
            "flexible, ours": "ours flexible",
            "Acc(%)": "acc",
            **OURS,
        },
        "table3",
    ),
    "paper:appendix-table1": Style(
        "Appendix, Table 1, ViT tiny on ImageNet",
        {"Backbone": "block", "Estimator": "method", "W/A": "wa", **TOPS},
        "appendix-table1",
    ),
    "paper:appendix-table2": Style(
        "Appendix, Table 2, ways to adjust o",
        {"Strategy": "strategy", "o": "setting", "Acc(%)": "acc", **OURS},
        "appendix-table2",
        abreast=True,
    ),
    "paper:appendix-table3": Style(
        "Appendix, Table 3, ways to raise o",
        {"Strategies": "method", "Acc(%)": "acc", **OURS},
        "appendix-table3",
    ),
}
UNCERTAIN = {"ours, last", "ours, best", "ours, top-5"}  # heads of what has an interval
WORDS: dict[str, Callable[[PaperRow], str]] = {
    "block": lambda x: _group(x)[0],
    "method": lambda x: _method(x),
    "strategy": lambda x: _method(x).partition(", ")[0],
    "setting": lambda x: _method(x).partition(", ")[2] or "-",
    "wa": lambda x: x.printed("wa") or (x.row.wa if x.row else "-"),
    "aux": lambda x: x.printed("aux") or "-",
    "formula": lambda x: x.printed("formula") or x.ours("formula"),
    "kind": lambda x: x.printed("kind") or x.ours("kind"),
    "rational": lambda x: x.printed("rational") or "-",
    "flexible": lambda x: x.printed("flexible") or "-",
    "acc": lambda x: x.number("acc"),
    "top5": lambda x: x.number("top5"),
    "last": lambda x: x.accuracy(),
    "best": lambda x: x.ours("best"),
    "n": lambda x: x.ours("n"),
    "ours top5": lambda x: x.ours("top5"),
    "ours rational": lambda x: x.ours("rational"),
    "ours flexible": lambda x: x.ours("flexible"),
}
NUMBERS = {"acc", "top5", "last", "best", "n", "ours top5"}


def layout(board: Board, name: str, *, whole: bool = False) -> Layout:
    """
    The board as one of the paper's tables.

    Args:
        name: one of `STYLES`.
        whole: every row below the other and complete, as files of values are.

    Raises:
        UsageError: there is no such style, or no row of the board carries a number of its table.
    """
    if name not in STYLES:
        message = f"no style `{name}`{suggest(name, STYLES)}"
        raise UsageError(message)
    style = STYLES[name]
    claims = published.read_ledger(style.ledger, Path())
    sections = [section for section in board.sections if not section.tuned]
    ours = [(row, row in surely_best(section)) for section in sections for row in section.rows]
    rows = [*_printed(claims, ours), *_others(claims, ours)]
    if not any(row.row and row.claim for row in rows):
        message = (
            f"no row of `{board.suite}` carries a number of {style.title}; its suite needs "
            f"`published: {style.ledger}`"
        )
        raise UsageError(message)
    part = Part(
        title=style.title,
        caption=f"published: {claims[0].source}; ours: {_recipes(sections)}",
        tables=[_table(rows, style, whole=whole)],
        notes=list(chain.from_iterable(map(notes, sections))),
        answers=answers(board),
    )
    return Layout(board.suite, [part], answers(board), summary(board), board.notes)


def _printed(claims: list[Claim], ours: list[tuple[AnyRow, bool]]) -> Iterator[PaperRow]:
    """The paper's rows in their order; one that was measured in several sections, for each."""
    for printed in claims:
        every = [(row, strong) for row, strong in ours if _carries(row, printed)]
        measured = [(row, strong) for row, strong in every if isinstance(row, MeasuredRow)]
        shown = measured or every[:1]
        yield from (PaperRow(printed, row, strong, len(shown) > 1) for row, strong in shown)
        if not shown:
            yield PaperRow(printed, None)


def _others(claims: list[Claim], ours: list[tuple[AnyRow, bool]]) -> list[PaperRow]:
    """What was measured, and is not in the paper's table."""
    own = [(row, strong) for row, strong in ours if not isinstance(row, PublishedRow)]
    return [
        PaperRow(None, row, strong)
        for row, strong in own
        if not any(_carries(row, claim) for claim in claims)
    ]


def _carries(row: AnyRow, printed: Claim) -> bool:
    """Does that number stand beside the row?"""
    mine = row.claim
    if mine is None or mine.backbone not in {None, printed.backbone}:
        return False
    same = mine.label, mine.wa, mine.schedule, mine.acc
    return same == (printed.label, printed.wa, printed.schedule, printed.acc)


def _recipes(sections: list[Section]) -> str:
    """Of what was measured, each with its sections where there are several."""
    recipes: dict[str, list[str]] = {}
    for section in sections:
        if section.recipe:
            recipes.setdefault(section.recipe, []).append(title(section))
    if len(recipes) == 1:
        return next(iter(recipes))
    return "; ".join(f"{', '.join(names)}: {recipe}" for recipe, names in recipes.items())


def _table(paper_rows: list[PaperRow], style: Style, *, whole: bool) -> Table:
    """A line stands between groups; abreast, a row has one of each."""
    columns = [Heading(head, _kind(name)) for head, name in style.columns.items()]
    if whole:
        return Table(columns, [_row(row, style) for row in paper_rows])
    key = WORDS["strategy"] if style.abreast else _group
    groups = [[*_once(list(group), style)] for _, group in groupby(paper_rows, key)]
    if not style.abreast:
        ruled = ([replace(rows[0], rule=i > 0), *rows[1:]] for i, rows in enumerate(groups))
        return Table(columns, list(chain.from_iterable(ruled)))
    empty = TextRow([""] * len(columns), [])
    rows = (_abreast(rows) for rows in zip_longest(*groups, fillvalue=empty))
    return Table(columns * len(groups), list(rows))


def _once(paper_rows: list[PaperRow], style: Style) -> Iterator[TextRow]:
    """The rows of a group, its name at the first alone."""
    names = {i for i, name in enumerate(style.columns.values()) if name in {"block", "strategy"}}
    for number, row in enumerate(_row(paper_row, style) for paper_row in paper_rows):
        words = ["" if number and i in names else word for i, word in enumerate(row.words)]
        yield replace(row, words=words)


def _row(paper_row: PaperRow, style: Style) -> TextRow:
    names = list(style.columns.values())
    strong = frozenset([names.index("last")] if paper_row.strong else [])
    rows = [paper_row.row] if paper_row.row else []
    return TextRow([WORDS[name](paper_row) for name in names], rows, strong)


def _abreast(rows: tuple[TextRow, ...]) -> TextRow:
    words = [word for row in rows for word in row.words]
    width = len(words) // len(rows)
    bold = frozenset(width * number + i for number, row in enumerate(rows) for i in row.bold)
    return TextRow(words, [own for row in rows for own in row.rows], bold)


def _group(row: PaperRow) -> tuple[str, str]:
    """What the paper calls the net, and the net."""
    if row.claim:
        net = row.claim.backbone or "any net"
        return row.claim.block or net, net
    return (row.row.backbone, "not in the paper") if row.row else ("", "")


def _method(row: PaperRow) -> str:
    """As printed, with the marks of the measured row."""
    claim, own = row.claim, row.row
    if claim is None:
        return own.title if own else ""
    if own is None:
        return claim.method
    marks = own.title.removeprefix(own.name)
    where = f" ({own.name} on {own.backbone})" if row.again else ""
    return claim.method + marks + where


def _kind(name: str) -> ColumnKind:
    if name == "formula":
        return "formula"
    return "number" if name in NUMBERS else "text"
