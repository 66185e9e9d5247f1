"""
`--filter "estimator=reste,ste & wa=1/1"`: which cells of a plan to run.

Terms joined by `&` must all hold; a term's comma-separated words are alternatives, in which
`*` and `?` stand for any text.
"""

import re
from fnmatch import fnmatchcase

from bench.base.text import suggest
from bench.errors import EmptyMatch, UsageError
from bench.spec.cell import Cell
from bench.spec.plan import Plan, Row

KEYS = ("estimator", "backbone", "wa", "schedule", "seed")


def select(plan: Plan, text: str) -> list[Cell]:
    """
    The plan's cells that match every term of `text`; all of them for an empty text.

    Cells of tuning are among them, whichever setting is going to be chosen.

    Raises:
        UsageError: a term is not `key=words`, or its key is unknown.
        EmptyMatch: no cell matches.
    """
    terms = [_term(part) for part in text.split("&")] if text.strip() else []
    chosen = {
        cell.id
        for row, part, cell in plan.every()
        if all(_matches(_values(row, cell)[key], words) for key, words in terms
               if key != "seed" or not part.startswith("held out"))
    }  # fmt: skip
    if not chosen:
        raise EmptyMatch(_empty(plan, terms, text))
    return [cell for cell in plan.possible if cell.id in chosen]


def _term(part: str) -> tuple[str, list[str]]:
    key, equals, words = (word.strip() for word in part.partition("="))
    if not equals or not words:
        message = f"--filter `{part.strip()}`: expected `key=word,word`, terms joined by &"
        raise UsageError(message)
    if key not in KEYS:
        message = f"--filter: no key `{key}`{suggest(key, KEYS)}"
        raise UsageError(message)
    return key, [word.strip() for word in re.split(r",(?![^()]*\))", words)]


def _values(row: Row, cell: Cell) -> dict[str, str]:
    values = (row.label, row.backbone, row.wa, row.schedule, str(cell.seed))
    return dict(zip(KEYS, values, strict=True))


def _matches(value: str, words: list[str]) -> bool:
    return any(fnmatchcase(value, word.replace("[", "[[]")) for word in words)


def _empty(plan: Plan, terms: list[tuple[str, list[str]]], text: str) -> str:
    """Name the term that no cell meets, and what there is."""
    for key, words in terms:
        there = dict.fromkeys(_values(row, cell)[key] for row in plan.rows for cell in row.cells)
        if not any(_matches(value, words) for value in there):
            hint = suggest(words[0], there)
            return f"--filter `{text}` matches no cell: no {key} `{','.join(words)}`{hint}"
    return f"--filter `{text}` matches no cell: its terms never hold together"
