"""
`--filter "estimator=reste,ste & wa=1/1"`: which cells of a plan to run.

Terms joined by `&` must all hold; a term's comma-separated words are alternatives, in which
`*` and `?` stand for any text, and `0..4` for these numbers. What labels have in brackets may be a
key, too: `epochs=3` of `resnet20(epochs=3)`.
"""

import re
from fnmatch import fnmatchcase
from typing import TypeAlias

from bench.base.text import suggest
from bench.errors import EmptyMatch, UsageError
from bench.spec.cell import Cell
from bench.spec.label import label_values
from bench.spec.plan import FULL_PRECISION, Plan, Row, with_ancestry

KEYS = ("estimator", "backbone", "wa", "schedule", "seed")

Term: TypeAlias = tuple[str, list[str]]  # one of the keys, and the words that it may have


def select(plan: Plan, text: str) -> list[Cell]:
    """
    Select the plan's cells that match every term of `text`; all of them for an empty text.

    Cells of tuning are among them, whichever setting is going to be chosen. Those that train on a
    part of the images have seeds of their own, so that a term about seeds does not concern them.
    What a cell begins or learns from is chosen with it.

    Raises:
        UsageError: a term is not `key=words`, or its key is unknown.
        EmptyMatch: no cell matches.
    """
    known = [*KEYS, *dict.fromkeys(key for row in plan.rows for key in _label_values(row))]
    terms = [_parse_term(term, known) for term in text.split("&")] if text.strip() else []
    chosen = {
        cell.id
        for row, part, cell in plan.walk_cells()
        if all(_holds(_values(row, cell).get(key, ""), words) for key, words in terms
               if key != "seed" or not part.startswith("held out"))
    }  # fmt: skip
    if not chosen:
        raise EmptyMatch(_explain_empty_match(plan, terms, text))
    needed = {cell.id for cell in with_ancestry(c for c in plan.possible if c.id in chosen)}
    return [cell for cell in plan.possible if cell.id in needed]


def _parse_term(term: str, known: list[str]) -> Term:
    """Take `key=word,word` apart; a comma inside of brackets belongs to its word."""
    key, equals, words = (word.strip() for word in term.partition("="))
    if not equals or not words:
        message = f"--filter `{term.strip()}`: expected `key=word,word`, terms joined by &"
        raise UsageError(message)
    if key not in known:
        message = f"--filter: no key `{key}`{suggest(key, known)}"
        raise UsageError(message)
    return key, [word.strip() for word in re.split(r",(?![^()]*\))", words)]


def _values(row: Row, cell: Cell) -> dict[str, str]:
    """Return what a cell has for each key."""
    values = (row.label, row.backbone, row.wa, row.schedule, str(cell.seed))
    return _label_values(row) | dict(zip(KEYS, values, strict=True))


def _label_values(row: Row) -> dict[str, str]:
    return label_values(row.label) | label_values(row.backbone)


def _holds(value: str, words: list[str]) -> bool:
    """Is the value one of the words? Full precision may be called as tables call it."""
    called = FULL_PRECISION in words or FULL_PRECISION.replace(" ", "_") in words
    return _matches(value, words) or (called and value == "none")


def _matches(value: str, words: list[str]) -> bool:
    """Is the value one of the words? Brackets in them are no patterns."""
    return any(
        fnmatchcase(value, word.replace("[", "[[]")) or _in_range(value, word) for word in words
    )


def _in_range(value: str, word: str) -> bool:
    """Is the value a number of the range that a word is, as in `seed=0..4`?"""
    span = re.fullmatch(r"(\d{1,18})\.\.(\d{1,18})", word)
    number = span is not None and re.fullmatch(r"\d{1,18}", value)
    return bool(span and number and int(span[1]) <= int(value) <= int(span[2]))


def _explain_empty_match(plan: Plan, terms: list[Term], text: str) -> str:
    """Name the term that no cell matches, and what there is."""
    for key, words in terms:
        values = [_values(row, cell).get(key) for row in plan.rows for cell in row.cells]
        there = dict.fromkeys(value for value in values if value is not None)
        if not any(_holds(value, words) for value in there):
            hint = suggest(words[0], there)
            return f"--filter `{text}` matches no cell: no {key} `{','.join(words)}`{hint}"
    return f"--filter `{text}` matches no cell: its terms never hold together"
