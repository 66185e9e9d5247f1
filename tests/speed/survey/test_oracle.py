"""The oracle is plain, and the product computes what it computes."""

import math

import pytest
import torch
from torch import Tensor

from bench.data import dataset
from bench.errors import UsageError
from bench.nn.clock import Clock
from bench.nn.layers import binary_layers
from bench.spec.cell import Binarization, Recipe
from bench.speed.survey import networks, oracle
from bench.train import trainer


def latent(name: str) -> Tensor:
    """Values of all sizes, zeros, and the ends of every piece of every estimator."""
    z = 2 * torch.randn(4000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    ends = [0.0, 0.1, math.sqrt(2), 1.5, 1e-30, 1e-9, 1e-4]
    ends += [] if name == "dsq" else [1.0]  # where torch's clamp has a gradient of its own
    some = torch.cat([z, 0.05 * z, torch.tensor(ends, dtype=torch.float64)])
    return torch.cat([some, -some])


def passes(name: str, z: Tensor, p: float, *, plain: bool) -> list[Tensor]:
    """Forward at progress p, and the gradients of z and of what the estimator learns."""
    clock = Clock()
    module = networks.choose_binarizer(name, clock, plain=plain)("W", (1,)).to(z.dtype)
    clock.set(p)
    z = z.clone().requires_grad_()
    dy = torch.cos(torch.arange(len(z))).to(z.dtype)
    return [module(z).detach(), *torch.autograd.grad(module(z), [z, *module.parameters()], dy)]


@pytest.mark.parametrize("name", oracle.CROSSINGS)
@pytest.mark.parametrize(
    ("dtype", "close"), [(torch.float64, 1e-12), (torch.float32, 1e-6)], ids=["float64", "float32"]
)
def test_estimators_equal_the_oracle(name: str, dtype: torch.dtype, close: float) -> None:
    """Each element, from the first epoch to the last: to 1e-12 of the largest, or to rounding."""
    z = latent(name).to(dtype)
    for p in (0.0, 0.3, 0.7, 0.999):
        plain, ours = (passes(name, z, p, plain=plain) for plain in (True, False))

        assert torch.equal(plain[0], ours[0])
        for expected, found in zip(plain[1:], ours[1:], strict=True):
            scale = expected.abs().max().item()
            torch.testing.assert_close(found, expected, rtol=close, atol=close * scale)


@pytest.mark.parametrize("name", ["dsq", "reste"])
def test_training_equals_the_oracle(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four steps in float64, halfway through the schedule, end at the same weights."""
    whole = dataset.normalize
    monkeypatch.setattr(dataset, "normalize", lambda x, t: whole(x, t).double())
    monkeypatch.setattr(trainer, "epoch_progress", lambda *_: networks.HALFWAY)
    rng = torch.Generator().manual_seed(0)
    images = torch.randint(256, (32, *networks.IMAGE), dtype=torch.uint8, generator=rng)
    split = images, torch.arange(32) % networks.CLASSES
    noise = dataset.Tensors(
        "noise", split, split, networks.CLASSES, dataset.Transform((0.5,) * 3, (0.3,) * 3)
    )
    recipe = Recipe(epochs=1, batch_size=8, lr=0.01, indicators="off")
    plain, ours = (
        networks.build_network("resnet20", {"width": 2}, name, torch.device("cpu"), plain=plain)
        for plain in (True, False)
    )
    for _, layer in binary_layers(plain.net):
        layer.options = Binarization()  # scaled after it, a sum that is 0 stays 0 in every layout

    loop = oracle.OracleLoop(plain.net.double(), recipe)
    for batch in noise.epoch(8, torch.Generator().manual_seed(0)):
        loss, top1, top5 = loop.step(*batch)
        assert loss > 0
        assert 0 <= top1 <= top5 <= 1
    trainer.train(ours.net.double(), ours.clock, noise, recipe, 0)

    found = dict(ours.net.named_parameters())
    for key, expected in plain.net.named_parameters():
        torch.testing.assert_close(found[key], expected, rtol=1e-9, atol=1e-11)


def test_an_estimator_without_an_oracle_is_named() -> None:
    """Somebody's own estimator has none, and the error says who has."""
    with pytest.raises(UsageError, match="no oracle for `ramp`, only for ste, dsq, "):
        oracle.make_binarizer("ramp", Clock())
