"""A section's recipe in one sentence, and beside what a ledger knows of another."""

from samples import cell, row

from bench.leaderboard.notes import recipe_text
from bench.spec.cell import Recipe
from bench.spec.published import list_differences


def text(**fields: object) -> str:
    recipe = Recipe.model_validate({"epochs": 9} | fields)
    return recipe_text([row("ste", [cell(recipe=recipe)])])


def test_what_is_not_the_default_is_said() -> None:
    """Rates, losses and decay by kind are told where they say something."""
    plain = text()
    assert plain.endswith("sgd lr 0.1 (reference), momentum 0.9, weight decay 0.0001")

    steps = text(lr_rule="step", lr_steps=[3, 6], lr_factor=0.2, nesterov="on")
    assert "sgd lr 0.1 (step), nesterov momentum 0.9" in steps
    assert steps.endswith("; lr_steps 3 6, lr_factor 0.2")

    other = text(optimizer="adam", loss="squared_hinge", no_decay=["norm", "bias"])
    assert "adam lr 0.1 (reference), weight decay" in other
    assert other.endswith("; loss squared_hinge, no_decay bias norm")


def test_a_ledger_may_name_them() -> None:
    """At their defaults, too, which a cell's JSON leaves out."""
    found = cell(recipe=Recipe(epochs=9, lr_rule="step", lr_steps=(3, 6)))

    assert (
        list_differences({"nesterov": "off", "lr_steps": [3, 6], "gradients": "float32"}, found)
        == []
    )
    assert list_differences({"label_smoothing": 0.1}, found) == ["label_smoothing 0, published 0.1"]
