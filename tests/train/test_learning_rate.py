"""Learning rates of the epochs, by rule."""

import json
from pathlib import Path

import pytest

from bench.spec.cell import Recipe
from bench.train.learning_rate import learning_rate

SCHEDULES = Path(__file__).parent.parent / "plugins" / "oracles" / "schedules.json"


def rates(**fields: object) -> list[float]:
    recipe = Recipe.model_validate({"lr": 1.0} | fields)
    return [learning_rate(recipe, e) for e in range(recipe.epochs)]


def test_linear_early_is_reactnets_scheduler() -> None:
    """It steps before the epoch, so that the first has less than lr already."""
    oracle = json.loads(SCHEDULES.read_text(encoding="utf-8"))
    found = rates(epochs=oracle["epochs"], lr_rule="linear_early")

    for e, values in oracle["at"].items():
        assert found[int(e)] == pytest.approx(values["reactnet lr factor"], abs=1e-12)


def test_linear_goes_to_its_end_after_warm_up() -> None:
    """It would be there in the epoch after the last."""
    assert rates(epochs=6, warmup=2, lr_rule="linear") == pytest.approx(
        [0.5, 1, 1, 0.75, 0.5, 0.25]
    )
    assert rates(epochs=4, lr_rule="linear", lr_end=0.2) == pytest.approx([1, 0.8, 0.6, 0.4])
    assert rates(epochs=4, lr_rule="linear_early", lr_end=0.2) == pytest.approx(
        [0.8, 0.6, 0.4, 0.2]
    )


def test_step_multiplies_at_its_epochs() -> None:
    """By one factor, by one for each, or after each period; epochs count from the first of all."""
    steps = {"lr_rule": "step", "lr_steps": [2, 3]}

    assert rates(epochs=5, **steps) == pytest.approx([1, 1, 0.1, 0.01, 0.01])
    assert rates(epochs=5, lr_factor=[0.2, 0.5], **steps) == pytest.approx([1, 1, 0.2, 0.1, 0.1])
    assert rates(epochs=4, warmup=2, **steps) == pytest.approx([0.5, 1, 0.1, 0.01])
    assert rates(epochs=31, lr_rule="step", lr_every=15, lr_factor=0.5)[13:31:16] == pytest.approx(
        [1, 0.5]
    )


def test_step_is_torchs_scheduler() -> None:
    """`MultiStepLR`, with its milestones as lr_steps."""
    import torch

    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], 1.0)
    theirs = torch.optim.lr_scheduler.MultiStepLR(optimizer, [3, 5], 0.1)
    for ours in rates(epochs=8, lr_rule="step", lr_steps=[3, 5]):
        assert ours == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-12)
        optimizer.step()
        theirs.step()


def test_exponential_multiplies_by_the_same_factor() -> None:
    """BinaryConnect's: .003 falls to 2e-6 by the epoch after the last."""
    found = rates(epochs=500, lr=0.003, lr_rule="exponential", lr_end=2e-6)
    factor = (2e-6 / 0.003) ** (1 / 500)

    assert found[0] == 0.003
    assert found[499] * factor == pytest.approx(2e-6)
    assert found[251] / found[250] == pytest.approx(factor)


def test_constant_stays() -> None:
    """After warm-up, if there is one."""
    assert rates(epochs=4, warmup=2, lr_rule="constant") == [0.5, 1, 1, 1]
