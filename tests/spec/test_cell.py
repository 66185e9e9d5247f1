"""A cell's name rests on its JSON, which a new field must leave as it was."""

import json

import pytest
from pydantic import ValidationError
from samples import cell

from bench.base.validation import misuse
from bench.spec.cell import UNSAID, Binarization, Recipe, Ref


def test_a_field_with_its_first_default_is_not_written() -> None:
    """What came after the first records is in the JSON only where it says something new."""
    plain = json.loads(cell().model_dump_json())

    assert "numerics" not in plain
    assert "gradients" not in plain["binarization"]
    assert "source" not in json.loads(Ref(name="ste").model_dump_json())
    assert json.loads(Binarization(gradients="bfloat16").model_dump_json())["gradients"]
    assert json.loads(Ref(name="ste", source="ab").model_dump_json())["source"] == "ab"


@pytest.mark.parametrize("name", Recipe.model_fields)
def test_a_field_of_the_recipe_says_what_it_costs(name: str) -> None:
    """Forecasts and tuning rest on it, whoever adds a field."""
    assert Recipe.costs()[name] is not UNSAID


FIRST = (
    '{"epochs":3,"batch_size":256,"optimizer":"sgd","lr":0.1,"momentum":0.9,"weight_decay":0.0001,'
    '"warmup":0,"lr_rule":"reference","progress":"e/E","indicators":"on","histograms":[]}'
)


def test_a_recipe_of_the_first_fields_is_written_as_ever() -> None:
    """No id of a cell changed when rates, losses and decay by kind came."""
    assert Recipe(epochs=3).model_dump_json() == FIRST
    assert Recipe.model_validate_json(FIRST) == Recipe(epochs=3)
    assert cell().id == "7266184cccb3"


@pytest.mark.parametrize(
    "fields",
    [
        {"optimizer": "adam", "lr_rule": "linear_early", "lr_end": 1e-5, "loss": "squared_hinge"},
        {"nesterov": "on", "lr_rule": "step", "lr_steps": (3, 7), "lr_factor": (0.5, 0.1)},
        {"lr_rule": "step", "lr_every": 2, "no_decay": ("bias", "norm"), "label_smoothing": 0.1},
    ],
)
def test_a_recipe_survives_its_json(fields: dict[str, object]) -> None:
    """What is not the default is written, and read again."""
    recipe = Recipe.model_validate({"epochs": 9} | fields)

    assert Recipe.model_validate_json(recipe.model_dump_json()) == recipe
    assert {*fields} <= {*json.loads(recipe.model_dump_json())}


def test_one_value_stands_for_the_list_of_it() -> None:
    """`lr_steps: 3` is `lr_steps: [3]`."""
    short = {"epochs": 9, "lr_rule": "step", "lr_steps": 3, "lr_factor": 0.2, "no_decay": "norm"}
    recipe = Recipe.model_validate(short)

    assert (recipe.lr_steps, recipe.lr_factor, recipe.no_decay) == ((3,), (0.2,), ("norm",))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"lr_steps": 1}, "lr_steps needs lr_rule `step`, which is `reference`; leave it out"),
        (
            {"lr_rule": "clean", "lr_end": 0.01},
            "lr_end needs lr_rule `linear` or `linear_early` or `exponential`, which is `clean`; "
            "leave it out",
        ),
        (
            {"lr_rule": "step"},
            "lr_rule `step` needs lr_steps, a list of epochs, or lr_every, a period, one of them",
        ),
        ({"lr_rule": "step", "lr_steps": 3}, "lr_steps names epoch 3, epochs run from 0 to 2"),
        ({"lr_rule": "step", "lr_steps": [2, 1]}, "lr_steps: must rise from one epoch to the next"),
        (
            {"lr_rule": "step", "lr_every": 1, "lr_factor": [0.1, 0.2]},
            "lr_factor names 2 factors, lr_steps 0 epochs; give one factor, or one for each epoch",
        ),
        ({"lr_rule": "exponential"}, "lr_rule `exponential` needs lr_end, above 0"),
        (
            {"nesterov": "on", "optimizer": "adam"},
            "nesterov needs optimizer `sgd`, which is `adam`; leave it out",
        ),
        ({"nesterov": "on", "momentum": 0}, "nesterov needs momentum above 0"),
        (
            {"loss": "squared_hinge", "label_smoothing": 0.1},
            "label_smoothing needs loss `cross_entropy`, which is `squared_hinge`; leave it out",
        ),
        (
            {"no_decay": "alpha"},
            "no_decay.0: must be `latent`, `weight`, `bias`, `norm` or `other`, got `alpha`",
        ),
    ],
)
def test_a_field_that_is_not_used_or_lacks_is_refused_in_a_line(
    fields: dict[str, object], message: str
) -> None:
    """A recipe never says what training would not do."""
    with pytest.raises(ValidationError) as caught:
        Recipe.model_validate({"epochs": 3} | fields)

    assert str(misuse("train", caught.value, Recipe)) == f"train: {message}"
