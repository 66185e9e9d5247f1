"""A dossier as one HTML file: no network, and the same bytes for the same records."""

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
from bench.leaderboard.board import Line
from bench.leaderboard.tables.layout import summary
from bench.leaderboard.tables.trace_text import facts
from bench.report.page import property_cards
from bench.report.page.page_figures import Drawn
from bench.report.page.property_cards import Prove
from bench.report.page.published_cards import published
from bench.report.page.recipe_cards import of_suite, recipes
from bench.report.page.row_details import behind
from bench.report.page.sortable_table import Grid, Targets, grids
from bench.report.page.suite_data import Dossier

PARTS = files("bench.report.page") / "parts"


@dataclass(frozen=True)
class Extra:
    """What a page has beside the records; it may do without each."""

    figures: list[Drawn] = field(default_factory=list[Drawn])
    prove: Prove | None = None
    origins: str = ""  # the text of `bench show suite`


def html(found: Dossier, root: Path, extra: Extra) -> str:
    """The page of one suite."""
    script = Markup((PARTS / "script.js").read_text(encoding="utf-8"))
    values: dict[str, Any] = _values(found, extra)
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


def _values(found: Dossier, extra: Extra) -> dict[str, Any]:
    rows = [behind(row, f"row-{n}") for n, row in enumerate(found.rows, start=1)]
    exhibits = property_cards.exhibits(found.rows, extra.prove)
    claims = published(found.board)
    targets = {id(claim.line): Targets(claim=claim.id) for claim in claims}
    for row, of in zip(found.rows, rows, strict=True):
        one = exhibits.get(property_cards.key(row))
        claim = targets.get(id(row.line), Targets()).claim
        targets[id(row.line)] = Targets(of.id, one.id if one else "", claim)

    def target(line: Line) -> Targets:
        return targets.get(id(line), Targets())

    tables = grids(found.board, target)
    return {
        "board": found.board,
        "plan": found.plan,
        "question": [" ".join(found.question)] if found.question else [],
        "summary": summary(found.board)[-1:],
        "warnings": found.warnings,
        "across": found.board.across,
        "choices": list(_choices(tables)),
        "grids": tables,
        "pairs": found.pairs,
        "compared": found.compared,
        "figures": extra.figures,
        "exhibits": list(exhibits.values()),
        "unproved": "" if extra.prove else "Certificates are left out here; `bench check` proves.",
        "claims": claims,
        "losses": [(loss, list(facts(loss.trail))) for loss in found.losses],
        "recipes": list(recipes(found)),
        "suite_facts": of_suite(found.plan),
        "origins": extra.origins,
        "rows": rows,
        "newest": found.newest,
    }


def _choices(tables: list[Grid]) -> Iterator[tuple[str, str, list[str]]]:
    """What rows may be chosen by, where there is a choice."""
    entries = [entry for table in tables for entry in table.entries]
    values = {
        ("backbone", "Network"): [entry.line.backbone for entry in entries],
        ("wa", "W/A"): [entry.line.wa for entry in entries],
        ("tier", "Tier"): sorted(entry.tier for entry in entries),
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
