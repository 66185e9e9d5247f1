"""A cell's name rests on its JSON, which a new field must leave as it was."""

import json

import pytest
from samples import cell

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
