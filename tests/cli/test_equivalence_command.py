"""`bench equivalence`: what is named, and what is printed."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.results import store

Bench = Callable[..., tuple[int, str, str]]


def test_both_sides_of_a_row_are_told_in_every_form(measured: Path, ask: Bench) -> None:
    """Accuracies, e and s of the row and of what it is compared with; of one seed no chance."""
    words = ("equivalence", "tiny", "--to", "ste", "--results", measured)
    (row,) = json.loads(ask(*words, "--json")[1])["rows"]
    _, printed, _ = ask(*words)
    scale_free = json.loads(ask(*words, "--json", "--equilibrium", "scale_free")[1])["rows"][0]

    assert f"{100 * row['acc'][1]:.2f}" in printed
    assert f"{row['e'][1]:.1f}, {row['e'][0]:.1f}" in printed
    assert " 1.000 " not in printed
    assert scale_free["acc"] == row["acc"]
    assert scale_free["e"] != row["e"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("epochs", "lr"), "`epochs, lr`: name one key"),
        (("epochs", "--to", "ste"), "say one of them"),
        (("train.epochs=9",), "tiny@train.epochs=9"),
    ],
)
def test_what_is_named_wrongly(
    measured: Path, ask: Bench, words: tuple[str, ...], said: str
) -> None:
    """Two keys, a key and a row, overrides that the suite never ran with."""
    code, _, err = ask("equivalence", "tiny", *words, "--results", measured)

    assert code == 2
    assert said in err


def test_what_ran_is_found_by_its_folder(measured: Path, ask: Bench, tmp_path: Path) -> None:
    """By its whole name, with the dots of its overrides; others beside it are not dropped."""
    root = tmp_path / "copy"
    shutil.copytree(measured, root)
    plan = store.find_plan(root, "tiny")
    store.save_plan(root, plan.model_copy(update={"suite": "tiny@train.epochs=2"}))
    words = ("equivalence", "tiny@train.epochs=2")
    found = ask(*words, "--to", "ste", "--results", root)
    other = ask(*words, "seeds=0", "--to", "ste", "--results", root)

    assert found[0] == 0
    assert "1 are equivalent" in found[1]
    assert other[0] == 2
