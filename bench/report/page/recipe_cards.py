"""What the rows of one section have in common, every value of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bench.leaderboard.answers import title
from bench.leaderboard.board import Section
from bench.report.page.suite_data import SuiteData
from bench.spec.cell import Cell
from bench.spec.plan import Plan

Pairs = list[tuple[str, str]]


@dataclass(frozen=True)
class RecipeCard:
    """A section's network, data and training."""

    title: str
    text: str
    groups: list[tuple[str, Pairs]]


def recipe_cards(data: SuiteData) -> Iterator[RecipeCard]:
    """Of each section in which something trains."""
    samples = {id(trace.row): trace.sample for trace in data.rows}
    for section in data.board.sections:
        if sample := _sample(section, samples):
            yield RecipeCard(title(section), section.recipe, _groups(sample))


def suite_facts(plan: Plan) -> Pairs:
    """What a plan says of itself."""
    said = {
        "file": plan.source,
        "digest": plan.source_digest,
        "overrides": " ".join(plan.overrides),
        "plugins": ", ".join(plan.plugins),
        "baseline": plan.baseline or "",
        "e and s": f"`{plan.equilibrium}` definition",
        "held out for tuning": f"{plan.held_out:.0%}" if plan.held_out else "",
        "looks at the table": str(plan.looks),
    }
    return [(name, value) for name, value in said.items() if value]


def _sample(section: Section, samples: dict[int, Cell]) -> Cell | None:
    return next((samples[id(row)] for row in section.rows if id(row) in samples), None)


def _groups(cell: Cell) -> list[tuple[str, Pairs]]:
    data = {**cell.data.params, "fingerprint": cell.data.fingerprint}
    if found := cell.data.found:
        lists = {"class names": found.classes, "mean": found.mean, "deviation": found.std}
        data |= {name: ", ".join(map(str, values)) for name, values in lists.items()}
    return [
        (f"Network: {cell.backbone.name}", _pairs(cell.backbone.params)),
        (f"Data: {cell.data.name}", _pairs(data)),
        ("Training", _pairs(cell.recipe.model_dump())),
        ("Binary layers", _pairs(cell.binarization.model_dump())),
    ]


def _pairs(values: dict[str, Any]) -> Pairs:
    return [(name, _text(value)) for name, value in values.items() if value not in (None, ())]


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
