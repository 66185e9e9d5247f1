"""The first page of a site: every question and its answer, then methods, networks, machines."""

from collections.abc import Iterable
from typing import Any

from bench.base.text import count
from bench.report.site.entries import SuiteEntry
from bench.report.site.folder import Names
from bench.report.site.grid import Grid, GridRow, Head, Word
from bench.report.site.groups import Group

MOST, LONGEST = 4, 200  # answers of a suite that are told, and characters of its question
QUESTIONS = [
    Head("question", "What the suite asks; it leads to its page."),
    Head("answer", "Who is best, as far as the seeds can tell, in each of its tables."),
    Head("data", "The data sets."),
    Head("rows", "Estimators as configured, in all tables.", number=True, downward=True),
    Head("cells", "Trainings that are recorded, of those planned.", number=True, downward=True),
    Head("newest", "When its last training was begun, UTC."),
]
SUITES = Head("in", "The suites that have it.")
HEADS = {
    "methods": [
        Head("method", "An estimator of weights or activations."),
        Head("best in", "Tables in which it is surely the best.", number=True, downward=True),
        Head("rows", "Its rows in all tables.", number=True, downward=True),
        SUITES,
    ],
    "networks": [
        Head("network", "The network."),
        Head("tables", "Tables of it.", number=True, downward=True),
        SUITES,
    ],
    "machines": [
        Head("machine", "The device, and the machine's name."),
        Head("cells", "Cells that it trained.", number=True, downward=True),
        Head("hours", "What they took, on the clock.", number=True, downward=True),
        SUITES,
    ],
}


def front(suites: list[SuiteEntry], every: Iterable[Group], names: Names) -> dict[str, Any]:
    """The values of the first page."""
    folders = len({entry.folder for entry in suites}) > 1
    order = sorted(suites, key=lambda entry: (entry.name.casefold(), entry.folder))
    questions = Grid(
        "questions", "Questions and answers", QUESTIONS, [_question(e, folders) for e in order]
    )
    settled = [entry.settled for entry in order]
    kinds = {kind: [group.line for group in every if group.kind == kind] for kind in HEADS}
    grids = [Grid(kind, kind.capitalize(), HEADS[kind], kinds[kind]) for kind in HEADS]
    choices = [("settled", "Answer", list(dict.fromkeys(sorted(settled))))]
    return {
        "grids": [questions, *grids],
        "choices": choices if len({*settled}) > 1 else [],
        "settled": settled.count("settled"),
        "suites": len(order),
        "cells": sum(entry.recorded for entry in order),
        "newest": max(entry.newest for entry in order),
    }


def _question(entry: SuiteEntry, folders: bool) -> GridRow:
    names = [entry.name] * bool(entry.question) + [entry.folder] * folders
    beneath = [*dict.fromkeys(names)]  # once where the folder is called like the suite
    rows, cells = len(entry.rows), entry.recorded
    words = [
        Word(_headline(entry.question) or entry.name, entry.href, beneath=beneath),
        _answer(entry),
        Word(", ".join(entry.data)),
        Word(str(rows), value=rows),
        Word(f"{cells:,} of {entry.total:,}", value=cells),
        Word(entry.newest[:10] or "-"),
    ]
    return GridRow(words, best=entry.settled == "settled", chosen_by={"settled": entry.settled})


def _headline(question: str) -> str:
    """The question itself, without what explains it."""
    asked, mark, _ = question.partition("?")
    return (asked + mark)[:LONGEST]


def _answer(entry: SuiteEntry) -> Word:
    """Who is best in its table; of several tables in how many that is settled, then each."""
    answers = entry.answers
    if len(answers) == 1:
        return Word(answers[0].text)
    won = sum(answer.settled for answer in answers)
    told = [f"{answer.section}: {answer.text}" for answer in answers[:MOST]]
    more = len(answers) - MOST
    told += [f"and {count(more, 'table')} more"] if more > 0 else []
    return Word(f"Settled in {won} of {len(answers)} tables.", beneath=told)
