"""From what was measured to rows: ratios first, and what they are made of."""

from collections.abc import Iterator
from dataclasses import dataclass

from rich import box
from rich.console import Group as Lines
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from bench.speed.survey.cases import LIMIT, Case, Group

MIB = 2**20
TITLES: dict[Group, str] = {
    "estimator": "An estimator's forward and backward",
    "step": "A step of training",
    "epoch": "An epoch, with its data",
    "together": "Several trainings at a time",
    "method": "A step of each method against one of STE",
}
HEADS: dict[Group, tuple[str, ...]] = {
    "estimator": ("tensor", "way", "x oracle", "of copying, %", "ms"),
    "step": ("net", "way", "x oracle", "of products, %", "images/s", "held, MiB"),
    "epoch": ("net", "way", "x step alone", "images/s"),
    "together": ("net", "way", "x one", "images/s"),
    "method": ("method", "way", "STE's steps", "images/s"),
}


@dataclass(frozen=True)
class CaseResult:
    """One way of a case. `ratio` is how much faster than the case's baseline it is."""

    group: Group
    case: str
    way: str
    ratio: float
    of_limit: float | None  # the part of the machine's limit, where the case has one
    seconds: float
    images_per_s: float | None
    bytes: int | None  # that it holds


def list_results(case: Case, measured: dict[str, list[float]]) -> Iterator[CaseResult]:
    """The rows of a case, by the least seconds of each way."""
    best = {way: min(seconds) for way, seconds in measured.items()}
    for way in case.ways:
        if way in case.hidden:
            continue
        s = best[way]
        yield CaseResult(
            group=case.group,
            case=case.name,
            way=way,
            ratio=best[case.baseline] / s,
            of_limit=best[LIMIT] / s if LIMIT in best else None,
            seconds=s,
            images_per_s=case.images / s if case.images else None,
            bytes=case.memory(way) if case.memory else None,
        )


def render_tables(results: list[CaseResult], caption: str) -> RenderableType:
    """One table for each group, and the caption below them."""
    groups: dict[Group, list[CaseResult]] = {}
    for row in results:
        groups.setdefault(row.group, []).append(row)
    parts: list[RenderableType] = [_table(group, those) for group, those in groups.items()]
    return Lines(*parts, *([Text(caption, style="dim")] if caption else []))


def describe(row: CaseResult) -> str:
    """A row in a line: its way, and its columns with their heads."""
    words = _words(row)
    return ", ".join([row.way, *(f"{words[h]} {h}" for h in HEADS[row.group][2:] if words[h])])


def _table(group: Group, results: list[CaseResult]) -> Table:
    heads = HEADS[group]
    table = Table(title=TITLES[group], title_justify="left", box=box.SIMPLE_HEAD)
    for head in heads:
        table.add_column(head, justify="left" if head in heads[:2] else "right")
    before = ""
    for row in results:
        words = _words(row)
        name = "" if row.case == before else row.case
        table.add_row(name, row.way, *(words[head] for head in heads[2:]))
        before = row.case
    return table


def _words(row: CaseResult) -> dict[str, str]:
    ratio = f"{row.ratio:.2f}"
    part = "" if row.of_limit is None else f"{100 * row.of_limit:.0f}"
    return {
        "x oracle": ratio,
        "x step alone": ratio,
        "x one": ratio,
        "STE's steps": f"{1 / row.ratio:.2f}",
        "of copying, %": part,
        "of products, %": part,
        "ms": f"{1000 * row.seconds:.2f}",
        "images/s": "" if row.images_per_s is None else f"{row.images_per_s:,.0f}",
        "held, MiB": "" if row.bytes is None else f"{row.bytes / MIB:,.1f}",
    }
