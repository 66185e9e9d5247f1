"""Rows of a structure and recipe of their own stand in the suite's section, with a footnote."""

from samples import cell, made, record, row

from bench.leaderboard.ranking import rank
from bench.leaderboard.tables import render
from bench.results.record import Record
from bench.spec.cell import Recipe, Ref
from bench.spec.plan import Plan, Row, Usual


def own_row(label: str, usual: Recipe, acc: float) -> tuple[Row, list[Record]]:
    """A row of another width and more epochs than the suite's, and its record."""
    ref, net = Ref(name=label), Ref(name="resnet20", params={"width": 16})
    recipe = usual.model_copy(update={"epochs": 5, "no_decay": ("norm",)})
    other = cell(weights=ref, activations=ref, backbone=net, recipe=recipe)
    suite = Usual(net="resnet20", backbone=Ref(name="resnet20", params={"width": 8}), recipe=usual)
    curves = {"train_loss": [1.0] * 5, "test_acc": [acc] * 5, "lr": [0.1] * 5}
    made = row(label, [other]).model_copy(update={"usual": suite, "net": "resnet20 width 16"})
    return made, [record(other, curves=curves)]


def test_own_structures_stand_in_the_suite_s_section() -> None:
    """Its text is the suite's, whichever row comes first; the footnote says what differs."""
    plain, records = made("ste", {0: 0.5})
    other, more = own_row("mine", plain[0].recipe, 0.6)
    for rows in ([other, row("ste", plain)], [row("ste", plain), other]):
        plan = Plan(suite="s", source="s", source_digest="0", baseline="ste", rows=rows)
        board = rank(plan, [*records, *more])
        (section,) = board.sections
        first, second = section.measured

        assert (first.label, first.title, second.title) == ("mine", "mine*", "ste")
        assert section.recipe.startswith("resnet20; digits; 2 epochs")
        assert first.confounds == [
            "width 16, suite 8", "epochs 5, suite 2", "no_decay norm, suite none",
        ]  # fmt: skip
        assert second.confounds == []
        text = render.text(board, "md")
        assert "mine on resnet20, 1/1: width 16, suite 8; epochs 5, suite 2" in text


def test_a_section_of_such_rows_alone_is_one() -> None:
    """Though no row trains as the suite says."""
    a, records = own_row("a", Recipe(epochs=2), 0.5)
    b, more = own_row("b", Recipe(epochs=2), 0.6)
    b = b.model_copy(update={"cells": [b.cells[0].model_copy(update={"recipe": Recipe(epochs=4)})]})
    plan = Plan(suite="s", source="s", source_digest="0", baseline=None, rows=[a, b])
    (section,) = rank(plan, [*records, *more]).sections

    assert section.recipe.startswith("resnet20; digits; 2 epochs")
    assert "epochs 4, suite 2" in next(x for x in section.measured if x.label == "b").confounds
