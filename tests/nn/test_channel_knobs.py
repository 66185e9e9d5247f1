"""Learned knobs with a value for each channel, and with a weight decay of their own."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from bench.nn.clock import Clock
from bench.nn.contract import Knob, Surrogate, SurrogateBinarizer
from bench.properties.check import check_estimator
from bench.properties.sample_training import make_sample
from bench.spec.cell import Recipe, Role
from bench.train.optimizer import make_optimizer


class Each(Surrogate):
    """A tanh whose steepness each channel learns."""

    formula = "f(z) = tanh(kz)/tanh(k)"
    kind = "tanh-like"

    decay: float | None = None

    def knob(self, role: Role = "W") -> Knob:
        ends = (0.01, 50)
        return Knob("k", 1.0, 1.0, ends, learned=True, per="channel", weight_decay=self.decay)

    def value(self, z: Tensor, k: Tensor, /) -> Tensor:
        return torch.tanh(k * z.clamp(-1, 1)) / torch.tanh(k)


CASES: list[tuple[Role, tuple[int, ...], tuple[int, ...], tuple[int, ...]]] = [
    ("W", (3, 2, 1, 1), (3, 2, 1, 1), (3, 1, 1, 1)),
    ("W", (3, 5), (3, 5), (3, 1)),
    ("A", (3,), (2, 3, 4, 4), (1, 3, 1, 1)),
    ("A", (3,), (2, 7, 3), (1, 1, 3)),
    ("A", (3,), (2, 3), (1, 3)),
]


@pytest.mark.parametrize(("role", "shape", "size", "seen"), CASES)
def test_each_channel_has_its_gradient(
    role: Role, shape: tuple[int, ...], size: tuple[int, ...], seen: tuple[int, ...]
) -> None:
    """Of Σ dy f(z, k) with respect to its k, for filters, images, tokens and vectors."""
    module = Each().binarizer(role, shape, Clock(), 0)
    assert isinstance(module, SurrogateBinarizer)
    assert module.learned is not None
    module.learned.data += torch.tensor([0.0, 0.5, 1.0])
    z, dy = torch.randn(size), torch.randn(size)
    y = module(z)
    y.backward(dy)
    k = torch.tensor([1.0, 1.5, 2.0]).view(seen).requires_grad_()
    (dy * Each().value(z, k)).sum().backward()

    assert torch.equal(y, torch.sign(z))
    assert k.grad is not None
    assert module.learned.grad is not None
    torch.testing.assert_close(module.learned.grad, k.grad.flatten())


def test_it_is_checked_trained_and_probed() -> None:
    """`bench check` trains it; records hold the mean of its values."""
    report = check_estimator(Each())
    (claim,) = [check for check in report.checks if check.name == "a knob for each channel trains"]
    sample = make_sample(Each(), epochs=1)
    sample = replace(sample, recipe=sample.recipe.model_copy(update={"indicators": "on"}))
    layers = sample.train().indicators
    found = [m for m in sample.net.modules() if isinstance(m, SurrogateBinarizer)]
    means = sorted(m.knob.mean().item() for m in found)

    assert report.ok
    assert "have several values after an epoch" in claim.detail
    assert "learned from 1, one per channel" in report.knob
    assert sorted(layer.knob[-1] for layer in layers) == pytest.approx(means)
    assert all(layer.error_now_used[-1] > 0 for layer in layers)


def test_a_knobs_weight_decay_is_its_own() -> None:
    """It is the recipe's unless the knob says another; nothing else is changed by that."""

    def groups(decay: float | None) -> dict[float, int]:
        net = nn.ModuleList([Each(decay=decay).binarizer("A", (3,), Clock(), 0), nn.Linear(2, 2)])
        recipe = Recipe(epochs=1, batch_size=2, weight_decay=0.1)
        return {
            group["weight_decay"]: len(group["params"])
            for group in make_optimizer(net, recipe).param_groups
        }

    assert groups(None) == {0.1: 3}
    assert groups(0.0) == {0.1: 2, 0.0: 1}


@pytest.mark.parametrize("own", [{"per": "channel"}, {"weight_decay": 0.0}])
def test_only_learned_knobs_have_them(own: dict[str, object]) -> None:
    """A scheduled knob is one number for all."""
    with pytest.raises(ValueError, match="knob t: per and weight_decay are of one that is learned"):
        Knob("t", 0.0, 1.0, limits=(0, 1), **own)  # type: ignore[arg-type]
