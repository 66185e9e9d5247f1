"""From a cell to a network: what it begins with."""

import pytest
import torch
from samples import cell

from bench.registry import ESTIMATORS
from bench.spec.cell import Binarization
from bench.train.model import build


def begun(name: str) -> dict[str, torch.Tensor]:
    """The first values of a network of this estimator."""
    ref = ESTIMATORS.build(name, {}).ref(name)
    options = Binarization(scale="none")
    made = cell(weights=ref, activations=ref, binarization=options)
    return dict(build(made).net.state_dict())


@pytest.mark.parametrize("name", ["rbnn_full", "recu", "fda_full", "ie_net"])
def test_a_method_begins_with_the_weights_of_others(name: str) -> None:
    """What it draws for its own modules leaves the network's weights at one seed as they are."""
    plain, own = begun("ste"), begun(name)

    assert plain.keys() < own.keys()
    assert all(torch.equal(own[key], value) for key, value in plain.items())


def test_each_module_draws_for_itself() -> None:
    """No two modules of a network draw the same, and each seed draws otherwise."""
    drawn = [value for key, value in begun("recu").items() if key.endswith("alpha")]

    assert len(drawn) == 18
    assert len({value[0].item() for value in drawn}) == 18
