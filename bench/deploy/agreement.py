"""Does what leaves predict as the network in torch does, on every image of the test split?"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, is_dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench.base.text import count
from bench.data.dataset import Dataset, Transform
from bench.deploy.network import Deployed
from bench.errors import UsageError

AT_ONCE = 250
NOISE = 1e-6  # relative: a few roundings of float32
TRIES = 16

Logits = Callable[[NDArray[Any]], NDArray[Any]]


@dataclass
class Agreement:
    """
    How one form of a network compares with torch.

    Args:
        images: that were compared.
        equal: predictions that are the same.
        rounding: predictions that differ where noise of 1e-6 changes the network's own, too.
        right: correct predictions, of this form.
        largest: difference of logits, and the largest logit, both absolute.
    """

    images: int = 0
    equal: int = 0
    rounding: int = 0
    right: int = 0
    largest: float = 0.0
    logit: float = 0.0

    @property
    def wrong(self) -> int:
        """Predictions that differ, and not by rounding."""
        return self.images - self.equal - self.rounding

    @property
    def accuracy(self) -> float:
        return self.right / self.images

    def __str__(self) -> str:
        text = f"{self.equal:,} of {self.images:,} predictions as in torch"
        if self.rounding:
            text += f", {count(self.rounding, 'other')} where rounding decides"
        if self.wrong:
            text += f", {self.wrong:,} WRONG"
        difference = f"{self.largest:.1e}" if self.largest else "0"
        return (
            f"{text}; {100 * self.accuracy:.2f} %; largest difference of logits {difference} "
            f"(logits up to {self.logit:.3g})"
        )


def raw_batches(dataset: Dataset, most: int | None) -> Iterator[tuple[Tensor, Tensor]]:
    """
    Yield the test split's first images uint8 (n, C, H, W), not normalized, and their labels.

    Raises:
        UsageError: a data set of a plugin's own class cannot give them.
    """
    if not is_dataclass(dataset):
        message = f"images of {dataset.label} cannot be had as stored: its class is no dataclass"
        raise UsageError(message)
    channels = dataset.shape[0]
    plain = Transform((0.0,) * channels, (1.0,) * channels, scale=1.0)
    stored: Any = dataset
    left = most
    for images, labels in replace(stored, transform=plain).batches("test", AT_ONCE):
        kept = images[:left], labels[:left]
        yield kept[0].to(torch.uint8).contiguous(), kept[1]
        if left is not None:
            left -= len(kept[1])
            if left <= 0:
                return


@torch.no_grad()
def compare(
    net: Deployed, forms: Mapping[Any, Logits], dataset: Dataset, most: int | None
) -> dict[str, Agreement]:
    """
    Run each form beside the network on the test split; "torch" is the network itself.

    Args:
        most: so many images at most.
    """
    found = {name: Agreement() for name in ("torch", *forms)}
    for images, labels in raw_batches(dataset, most):
        own = net(images.contiguous(memory_format=torch.channels_last))
        for name, agreement in found.items():
            logits = own if name == "torch" else torch.from_numpy(forms[name](images.numpy()))
            add(agreement, net, images, labels, own, logits)
    return found


def add(
    to: Agreement, net: Deployed, images: Tensor, labels: Tensor, own: Tensor, other: Tensor
) -> None:
    """Add images and their logits, in torch and in another form, to an agreement."""
    predicted = other.argmax(1)
    differ = torch.nonzero(predicted != own.argmax(1)).flatten()
    to.images += len(labels)
    to.equal += len(labels) - len(differ)
    to.right += int((predicted == labels).sum())
    to.largest = max(to.largest, float((own - other).abs().nan_to_num(nan=np.inf).max()))
    to.logit = max(to.logit, float(own.abs().max()))
    to.rounding += sum(rounding_decides(net, image[None]) for image in images[differ])


@torch.no_grad()
def rounding_decides(net: Deployed, image: Tensor) -> bool:
    """Does noise of some roundings on an image (1, C, H, W) move a prediction, or a sign before?"""
    x = image.float() * net.factor - net.offset
    rng = torch.Generator().manual_seed(0)
    noisy = [x * (1 + NOISE * torch.randn(x.shape, generator=rng)) for _ in range(TRIES)]
    logits = torch.cat([net.net(each) for each in [x, *noisy]])
    top = logits[0].topk(min(2, logits.shape[1])).values
    tie = bool(top[0] - top[-1] <= 100 * NOISE * logits[0].abs().max())
    jump = (logits - logits[0]).abs().max() > 1000 * NOISE * logits[0].abs().max()
    return tie or bool(jump)
