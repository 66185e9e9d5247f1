"""A suite's data as one HTML file: no network, and the same bytes for the same records."""

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from bench import __version__
from bench.base.text import printable
from bench.leaderboard.board import AnyRow
from bench.leaderboard.tables.layout import summary
from bench.leaderboard.tables.trace_text import facts
from bench.report.page import property_cards
from bench.report.page.page_figures import PageFigure
from bench.report.page.property_cards import Prove
from bench.report.page.published_cards import published_cards
from bench.report.page.recipe_cards import recipe_cards, suite_facts
from bench.report.page.row_details import row_details
from bench.report.page.sortable_table import SortableTable, Targets, sortable_tables
from bench.report.page.suite_data import SuiteData

PARTS = files("bench.report.page") / "parts"


@dataclass(frozen=True)
class Extra:
    """What a page has beside the records; it may do without each."""

    figures: list[PageFigure] = field(default_factory=list[PageFigure])
    undrawn: str = ""  # what has no figures though it could
    prove: Prove | None = None
    origins: str = ""  # the text of `bench show suite`


def html(data: SuiteData, root: Path, extra: Extra) -> str:
    """The page of one suite."""
    script = Markup((PARTS / "script.js").read_text(encoding="utf-8"))
    values: dict[str, Any] = _values(data, extra)
    values |= {
        "script": script,
        "style": Markup((PARTS / "style.css").read_text(encoding="utf-8")),
        "policy": _policy(script),
        "version": __version__,
        "root": str(root),
    }
    pages = Environment(
        loader=PackageLoader("bench.report.page", "parts"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    pages.filters["ticked"] = _ticked
    return printable(pages.get_template("page.html").render(values))


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


def _ticked(text: str) -> Markup:
    """Text with `code` set as such."""
    parts = str(text).split("`")
    if len(parts) % 2 == 0:
        return escape(text)
    code = Markup("<code>{}</code>")
    return Markup("").join(code.format(x) if i % 2 else escape(x) for i, x in enumerate(parts))


def _policy(script: str) -> str:
    """Nothing is fetched, and no script runs but the page's own."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    rules = {
        "default-src": "'none'",
        "script-src": f"'sha256-{digest}'",
        "style-src": "'unsafe-inline'",
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in rules.items())
