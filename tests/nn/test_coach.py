"""The losses of recipes."""

import pytest
import torch
import torch.nn.functional as F

from bench.nn.coach import Coach, Seen, recipe_loss
from bench.spec.cell import Recipe

LOGITS = torch.tensor([[2.0, -1.0, 0.5], [0.0, 3.0, -2.0]])
LABELS = torch.tensor([0, 2])


def test_cross_entropy_is_the_default() -> None:
    """To the bit what it was before there was a choice."""
    found = Coach(Recipe(epochs=1)).loss(LOGITS, LABELS, Seen())

    assert torch.equal(found, F.cross_entropy(LOGITS, LABELS))


def test_label_smoothing_gives_a_part_to_all_classes() -> None:
    """(1 - s) to the label and s/K to each class."""
    smooth = torch.full((2, 3), 0.1 / 3)
    smooth[0, 0] += 0.9
    smooth[1, 2] += 0.9
    expected = -(smooth * LOGITS.log_softmax(1)).sum(1).mean()
    found = recipe_loss(LOGITS, LABELS, Recipe(epochs=1, label_smoothing=0.1))

    assert found.item() == pytest.approx(expected.item(), rel=1e-6)


def test_squared_hinge_is_the_mean_over_classes() -> None:
    """max(0, 1 - t·logit)²: 0, 0, 1.5² of the first image, 1, 4², 3² of the second."""
    found = recipe_loss(LOGITS, LABELS, Recipe(epochs=1, loss="squared_hinge"))

    assert found.item() == pytest.approx((1.5**2 + 1 + 16 + 9) / 6)
