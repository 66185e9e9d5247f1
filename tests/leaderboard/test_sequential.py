"""Seeds where they are needed."""

import json
from collections.abc import Callable
from math import sqrt
from pathlib import Path

import numpy as np
import pytest
from samples import ACCS, made, row

from bench.leaderboard import sequential
from bench.leaderboard.ranking import rank
from bench.leaderboard.stats.pairwise import ALPHA, apart
from bench.spec.plan import Plan


def planned(*looked: int) -> Plan:
    return Plan(
        suite="s", source="s.yaml", source_digest="0", baseline="ste", looked=list(looked),
        rows=[row(label, made(label, accs)[0]) for label, accs in ACCS.items()],
    )  # fmt: skip


def test_looks_double_up_to_the_most() -> None:
    """From the suite's own number of seeds."""
    assert sequential.looks(planned(), 20) == [4, 8, 16, 20]
    assert sequential.looks(planned(), 4) == [4]
    assert sequential.looks(planned(), 2) == [4]


def test_only_rows_that_are_not_told_apart_grow() -> None:
    """Two of four: the third differs from both, the fourth lost a seed and is not compared."""
    plan = planned()
    records = [record for label, accs in ACCS.items() for record in made(label, accs)[1]]
    names = sequential.wanting(rank(plan, records))
    more = sequential.grown(plan, names, 6)

    assert {label for label, *_ in names} == {"ste", "alike"}
    assert {r.label: [c.seed for c in r.cells] for r in more.rows} == {
        "ste": [0, 1, 2, 3, 4, 5], "alike": [0, 1, 2, 3, 4, 5],
        "worse": [0, 1, 2, 3], "lost": [0, 1, 2, 3],
    }  # fmt: skip
    assert all(c.sibling(more.rows[0].cells[0]) for c in more.rows[0].cells)


def test_a_kept_plan_keeps_its_seeds() -> None:
    """Where seeds were added to rows that are as they were, whatever else of the suite changed."""
    plan = planned()
    kept = sequential.grown(planned(4, 8), {("ste", "resnet20", "1/1", "default")}, 7)
    edited = plan.model_copy(update={"source_digest": "1", "rows": plan.rows[:2]})
    found = sequential.adopted(edited, kept)
    others = [
        r.model_copy(update={"cells": [c.model_copy(update={"core": 9}) for c in r.cells]})
        for r in plan.rows
    ]
    elsewhere = plan.model_copy(update={"rows": others})

    assert sequential.adopted(plan, kept) == kept
    assert [len(r.cells) for r in found.rows] == [7, 4]
    assert (found.looks, found.source_digest) == (2, "1")
    assert sequential.adopted(planned(4, 6), kept).looked == [4, 6, 8]
    assert sequential.adopted(elsewhere, kept) == elsewhere
    assert sequential.adopted(plan, planned()) == plan


def test_the_board_is_as_strict_as_it_was_looked_at_often() -> None:
    """5 % over all looks, and the note says so."""
    records = [record for label, accs in ACCS.items() for record in made(label, accs)[1]]
    board = rank(planned(2, 4, 6, 8), records)

    assert board.alpha == ALPHA / 4
    assert "5 % for any, divided by the 4 looks at which seeds could be added" in board.notes[0]


@pytest.mark.parametrize("sizes", [[3, 6, 12]])
def test_looking_again_and_again_finds_no_more_that_is_not_there(sizes: list[int]) -> None:
    """Four rows that do not differ, looked at three times: at most 5 % of races end falsely."""
    rng = np.random.default_rng(0)

    def race() -> bool:
        rows = rng.normal(0, 1, (4, sizes[-1]))
        return any(
            apart([list(map(float, r[:n])) for r in rows], "holm", ALPHA / len(sizes))
            for n in sizes
        )

    wrong = sum(race() for _ in range(400))
    assert wrong / 400 <= 0.05 + 2 * sqrt(0.05 * 0.95 / 400)


@pytest.mark.slow
@pytest.mark.usefixtures("here")
def test_a_run_adds_seeds_and_keeps_them(
    tiny: Path, ask: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two rows of noise go from two seeds to four; a later run and the table know of all."""
    monkeypatch.chdir(tiny.parent)
    short = ("tiny.yaml", "seeds=[0, 1]", "train.epochs=1")
    code, out, err = ask("run", *short, "--until-separated", "--max-seeds", "4")

    assert (code, err) == (0, "")
    assert "4 cells, 0 recorded, 4 to run" in out
    assert "4 seeds for 2 rows that cannot be told apart: 4 cells, 0 recorded, 4 to run" in out
    assert "8 of 8 cells recorded." in out
    assert "8 cells, 8 recorded, 0 to run" in ask("run", *short)[1]
    assert ask("plan", *short)[1].count("  recorded  ") == 8
    table = ask("leaderboard", *short, "--format", "json")[1]
    assert json.loads(table)["alpha"] == ALPHA / 2
    assert "divided by the 2 looks" in table


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("tiny.yaml", "--max-seeds", "4"), "--max-seeds goes with --until-separated"),
        (("tiny.yaml", "--until-separated", "-k", "seed=0"), "goes over the whole suite"),
        (("tuned-mini", "--until-separated"), "this suite tunes them"),
    ],
)
def test_what_cannot_grow(
    tiny: Path,
    ask: Callable[..., tuple[int, str, str]],
    monkeypatch: pytest.MonkeyPatch,
    args: tuple[str, ...],
    message: str,
) -> None:
    """A part of a suite, and rows whose values are tuned."""
    monkeypatch.chdir(tiny.parent)
    code, _, err = ask("run", *args)

    assert (code, message in err) == (2, True)
