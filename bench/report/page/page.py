"""A suite's data as one HTML file: no network, and the same bytes for the same records."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.leaderboard.board import AnyRow
from bench.leaderboard.tables.layout import summary
from bench.leaderboard.tables.trace_text import facts
from bench.report.page import property_cards
from bench.report.page.page_figures import PageFigure
from bench.report.page.property_cards import Prove
from bench.report.page.published_cards import published_cards
from bench.report.page.recipe_cards import recipe_cards, suite_facts
from bench.report.page.rendering import render
from bench.report.page.row_details import row_details
from bench.report.page.sortable_table import SortableTable, Targets, sortable_tables
from bench.report.page.suite_data import SuiteData
from bench.spec.published import list_cautions


@dataclass(frozen=True)
class Link:
    """Where another page, or a file, of a site is, seen from this page."""

    text: str
    href: str  # relative
    about: str = ""


@dataclass(frozen=True)
class Place:
    """Where the page of a suite stands in a site."""

    site: str  # its title
    home: str  # where its first page is, seen from this page
    downloads: list[Link]
    others: list[tuple[str, list[Link]]]  # what the suite has in common with other pages, by kind


@dataclass(frozen=True)
class Extra:
    """What a page has beside the records; it may do without each."""

    figures: list[PageFigure] = field(default_factory=list[PageFigure])
    undrawn: str = ""  # what has no figures though it could
    prove: Prove | None = None
    origins: str = ""  # the text of `bench show suite`
    place: Place | None = None  # None: the page stands alone


def html(data: SuiteData, root: Path, extra: Extra) -> str:
    """The page of one suite."""
    values = _values(data, extra) | {"root": str(root), "place": extra.place}
    return render("page.html", values)


def _values(data: SuiteData, extra: Extra) -> dict[str, Any]:
    details = [row_details(trace, f"row-{n}") for n, trace in enumerate(data.rows, start=1)]
    properties = property_cards.property_cards(data.rows, extra.prove)
    claims = published_cards(data.board)
    targets = {id(claim.row): Targets(published=claim.id) for claim in claims}
    for trace, own in zip(data.rows, details, strict=True):
        card = properties.get(property_cards.key(trace))
        claim = targets.get(id(trace.row), Targets()).published
        targets[id(trace.row)] = Targets(own.id, card.id if card else "", claim)

    def target(row: AnyRow) -> Targets:
        return targets.get(id(row), Targets())

    tables = sortable_tables(data.board, target)
    return {
        "board": data.board,
        "plan": data.plan,
        "question": [" ".join(data.question)] if data.question else [],
        "summary": summary(data.board)[-1:],
        "warnings": data.warnings,
        "across": data.board.across,
        "choices": list(_choices(tables)),
        "tables": tables,
        "pairs": data.pairs,
        "compared": data.compared,
        "figures": extra.figures,
        "undrawn": extra.undrawn,
        "properties": list(properties.values()),
        "unproved": "" if extra.prove else "Certificates are left out here; `bench check` proves.",
        "claims": claims,
        "cautions": list_cautions(card.claim for card in claims),
        "losses": [(loss, list(facts(loss.trace))) for loss in data.losses],
        "recipes": list(recipe_cards(data)),
        "suite_facts": suite_facts(data.plan),
        "origins": extra.origins,
        "rows": details,
        "newest": data.newest,
    }


def _choices(tables: list[SortableTable]) -> Iterator[tuple[str, str, list[str]]]:
    """What rows may be chosen by, where there is a choice."""
    rows = [row for table in tables for row in table.rows]
    values = {
        ("backbone", "Network"): [row.row.backbone for row in rows],
        ("wa", "W/A"): [row.row.wa for row in rows],
        ("tier", "Tier"): sorted(row.tier for row in rows),
    }
    for (name, label), every in values.items():
        if len(different := list(dict.fromkeys(every))) > 1:
            yield name, label, different
