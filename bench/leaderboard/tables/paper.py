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
from bench.leaderboard.board import Board, Line, Section
from bench.leaderboard.tables import layout as sheet
from bench.leaderboard.tables.layout import Column, Kind, Part, Row, Sheet, Table
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
class Entry:
    """A row: what was printed, and what was measured; one of them may be lacking."""

    claim: Claim | None
    line: Line | None
    strong: bool = False  # surely the best
    again: bool = False  # was the number measured in several rows?

    def printed(self, name: str) -> str:
        return str(getattr(self.claim, name) or "-") if self.claim else ""

    def number(self, name: str) -> str:
        value = getattr(self.claim, name, None)
        return "-" if value is None else f"{value:.2f}"

    def ours(self, head: str) -> str:
        return sheet.words(self.line)[head] if self.line else "-"

    def accuracy(self) -> str:
        """Ours, or why there is none."""
        if self.line is None:
            return "not in this suite"
        word = self.ours("acc, %")
        lacking = "lost" if self.line.lost else "not measured"
        return lacking if word == "-" else word


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
WORDS: dict[str, Callable[[Entry], str]] = {
    "block": lambda x: _group(x)[0],
    "method": lambda x: _method(x),
    "strategy": lambda x: _method(x).partition(", ")[0],
    "setting": lambda x: _method(x).partition(", ")[2] or "-",
    "wa": lambda x: x.printed("wa") or (x.line.wa if x.line else "-"),
    "aux": lambda x: x.printed("aux") or "-",
    "formula": lambda x: x.printed("formula") or x.ours("formula"),
    "kind": lambda x: x.printed("kind") or x.ours("type"),
    "rational": lambda x: x.printed("rational") or "-",
    "flexible": lambda x: x.printed("flexible") or "-",
    "acc": lambda x: x.number("acc"),
    "top5": lambda x: x.number("top5"),
    "last": lambda x: x.accuracy(),
    "best": lambda x: x.ours("best, %"),
    "n": lambda x: x.ours("n"),
    "ours top5": lambda x: x.ours("top-5, %"),
    "ours rational": lambda x: x.ours("rational"),
    "ours flexible": lambda x: x.ours("flexible"),
}
NUMBERS = {"acc", "top5", "last", "best", "n", "ours top5"}


def layout(board: Board, name: str, *, whole: bool = False) -> Sheet:
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
    claims = published.ledger(style.ledger, Path())
    sections = [section for section in board.sections if not section.tuned]
    lines = [(line, line in sheet.best(section)) for section in sections for line in section.lines]
    entries = [*_printed(claims, lines), *_others(claims, lines)]
    if not any(entry.line and entry.claim for entry in entries):
        message = (
            f"no row of `{board.suite}` carries a number of {style.title}; its suite needs "
            f"`published: {style.ledger}`"
        )
        raise UsageError(message)
    part = Part(
        title=style.title,
        caption=f"published: {claims[0].source}; ours: {_recipes(sections)}",
        tables=[_table(entries, style, whole=whole)],
        notes=list(chain.from_iterable(map(sheet.notes, sections))),
    )
    return Sheet(board.suite, [part], sheet.summary(board), board.notes)


def _printed(claims: list[Claim], lines: list[tuple[Line, bool]]) -> Iterator[Entry]:
    """The paper's rows in their order; one that was measured in several sections, for each."""
    for printed in claims:
        every = [(x, strong) for x, strong in lines if _carries(x, printed)]
        found = [(x, strong) for x, strong in every if not x.absent] or every[:1]
        yield from (Entry(printed, x, strong, len(found) > 1) for x, strong in found)
        yield from [] if found else [Entry(printed, None)]


def _others(claims: list[Claim], lines: list[tuple[Line, bool]]) -> list[Entry]:
    """What was measured, and is not in the paper's table."""
    own = [(x, strong) for x, strong in lines if not x.absent]
    return [Entry(None, x, s) for x, s in own if not any(_carries(x, c) for c in claims)]


def _carries(line: Line, printed: Claim) -> bool:
    """Does that number stand beside the line?"""
    mine = line.claim
    if mine is None or mine.backbone not in {None, printed.backbone}:
        return False
    same = mine.label, mine.wa, mine.schedule, mine.acc
    return same == (printed.label, printed.wa, printed.schedule, printed.acc)


def _recipes(sections: list[Section]) -> str:
    """Of what was measured, each with its sections where there are several."""
    found: dict[str, list[str]] = {}
    for section in sections:
        if section.recipe:
            found.setdefault(section.recipe, []).append(sheet.title(section))
    if len(found) == 1:
        return next(iter(found))
    return "; ".join(f"{', '.join(names)}: {recipe}" for recipe, names in found.items())


def _table(entries: list[Entry], style: Style, *, whole: bool) -> Table:
    """A line stands between groups; abreast, a row has an entry of each."""
    columns = [Column(head, _kind(name)) for head, name in style.columns.items()]
    if whole:
        return Table(columns, [_row(entry, style) for entry in entries])
    key = WORDS["strategy"] if style.abreast else _group
    groups = [[*_once(list(group), style)] for _, group in groupby(entries, key)]
    if not style.abreast:
        ruled = ([replace(rows[0], rule=i > 0), *rows[1:]] for i, rows in enumerate(groups))
        return Table(columns, list(chain.from_iterable(ruled)))
    empty = Row([""] * len(columns), [])
    rows = (_abreast(rows) for rows in zip_longest(*groups, fillvalue=empty))
    return Table(columns * len(groups), list(rows))


def _once(entries: list[Entry], style: Style) -> Iterator[Row]:
    """The rows of a group, its name at the first alone."""
    names = {i for i, name in enumerate(style.columns.values()) if name in {"block", "strategy"}}
    for number, row in enumerate(_row(entry, style) for entry in entries):
        words = ["" if number and i in names else word for i, word in enumerate(row.words)]
        yield replace(row, words=words)


def _row(entry: Entry, style: Style) -> Row:
    names = list(style.columns.values())
    strong = frozenset([names.index("last")] if entry.strong else [])
    lines = [entry.line] if entry.line else []
    return Row([WORDS[name](entry) for name in names], lines, strong)


def _abreast(rows: tuple[Row, ...]) -> Row:
    words = [word for row in rows for word in row.words]
    width = len(words) // len(rows)
    bold = frozenset(width * number + i for number, row in enumerate(rows) for i in row.bold)
    return Row(words, [line for row in rows for line in row.lines], bold)


def _group(entry: Entry) -> tuple[str, str]:
    """What the paper calls the net, and the net."""
    if entry.claim:
        net = entry.claim.backbone or "any net"
        return entry.claim.block or net, net
    return (entry.line.backbone, "not in the paper") if entry.line else ("", "")


def _method(entry: Entry) -> str:
    """As printed, with the marks of the measured row."""
    if entry.claim is None:
        return entry.line.title if entry.line else ""
    if entry.line is None:
        return entry.claim.method
    marks = entry.line.title.removeprefix(entry.line.name)
    where = f" ({entry.line.name} on {entry.line.backbone})" if entry.again else ""
    return entry.claim.method + marks + where


def _kind(name: str) -> Kind:
    if name == "formula":
        return "formula"
    return "number" if name in NUMBERS else "text"
