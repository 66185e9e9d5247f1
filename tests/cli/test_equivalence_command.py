"""`bench equivalence`: what is named, and what is printed."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

Bench = Callable[..., tuple[int, str, str]]


def test_both_sides_of_a_row_are_told_in_every_form(measured: Path, ask: Bench) -> None:
    """Accuracies, e and s of the row and of what it is compared with."""
    words = ("equivalence", "tiny", "--to", "ste", "--results", measured)
    (row,) = json.loads(ask(*words, "--json")[1])["rows"]
    _, printed, _ = ask(*words)
    scale_free = json.loads(ask(*words, "--json", "--equilibrium", "scale_free")[1])["rows"][0]

    assert f"{100 * row['acc'][1]:.2f}" in printed
    assert f"{row['e'][1]:.1f}, {row['e'][0]:.1f}" in printed
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
