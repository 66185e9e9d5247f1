"""Data sets as tensors, and augmentation against torchvision's own."""

import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import Tensor
from torchvision.transforms import v2

from bench.data.dataset import Tensors, Transform, crop, mark_held_out, normalize
from bench.data.reading import DIGITS, IMAGENET
from bench.data.sources import Digits
from bench.errors import DataError


def digits(**fields: object) -> Tensors:
    return Digits.model_validate(fields).load(Path("nowhere"))


def test_digits_are_split_once_and_for_all() -> None:
    """1,797 images, every fifth of a class for testing, the same in every process."""
    data = digits()
    counts = torch.bincount(data.test[1])

    assert len(data.train[0]) + len(data.test[0]) == 1797
    assert (counts.min() >= 34) & (counts.max() <= 36)
    assert data.train[0].dtype == torch.uint8
    assert data.train[0].max() == 16
    assert data.fingerprint == digits().fingerprint == "3c7801b3955ae5d9"


def test_digits_are_scikit_learns() -> None:
    """The images that the package holds are scikit-learn's, pixel by pixel and in its order."""
    original: Any = load_digits()
    with np.load(DIGITS) as file:
        assert np.array_equal(file["images"], original.images)
        assert np.array_equal(file["labels"], original.target)


def test_digits_are_never_flipped() -> None:
    """Augmentation belongs to the data set: a mirrored digit is another digit."""
    assert not digits().transform.flip


def test_a_fingerprint_covers_pixels_labels_and_transform() -> None:
    """Changing one pixel, one label or one constant changes the fingerprint."""
    images = torch.zeros(4, 1, 2, 2, dtype=torch.uint8)
    labels = torch.arange(4)
    base = Tensors("x", (images, labels), (images, labels), 4, Transform((0.5,), (0.5,)))
    pixel = images.clone()
    pixel[3, 0, 1, 1] = 1
    others = [
        Tensors("x", (pixel, labels), (images, labels), 4, base.transform),
        Tensors("x", (images, labels.flip(0)), (images, labels), 4, base.transform),
        Tensors("x", (images, labels), (images, labels), 4, Transform((0.5,), (0.4,))),
        Tensors("x", (images, labels), (images, labels), 4, Transform((0.5,), (0.5,), pad=1)),
    ]

    assert len({d.fingerprint for d in (base, *others)}) == 5


def test_normalization_is_torchvisions() -> None:
    """(x/255 - mean)/std, to float32 rounding of ToTensor and Normalize."""
    x = torch.randint(0, 256, (5, 3, 32, 32), dtype=torch.uint8)
    theirs = v2.Compose([v2.ToDtype(torch.float32, scale=True), v2.Normalize(*IMAGENET)])

    torch.testing.assert_close(normalize(x, Transform(*IMAGENET)), theirs(x))


def test_crops_are_windows_of_the_padded_image() -> None:
    """A shift names the window's corner, and a flip mirrors the window."""
    x = torch.arange(2 * 9, dtype=torch.uint8).reshape(2, 1, 3, 3)
    y = crop(x, 1, torch.tensor([[0, 2], [1, 1]]), torch.tensor([False, True]))

    assert y[0, 0].tolist() == [[0, 0, 0], [1, 2, 0], [4, 5, 0]]
    assert y[1, 0].tolist() == x[1, 0].flip(1).tolist()


@pytest.mark.slow
def test_augmentation_has_torchvisions_distribution() -> None:
    """Over 40,000 draws every window and mirror comes as often as from RandomCrop and flip."""
    image = torch.arange(1, 26, dtype=torch.uint8).reshape(1, 5, 5)  # all pixels differ
    n, pad = 20_000, 2
    theirs = v2.Compose([v2.RandomCrop(5, padding=pad), v2.RandomHorizontalFlip()])
    torch.manual_seed(0)
    ours = _draws(image, n, pad)
    drawn = torch.stack([theirs(image) for _ in range(n)])

    counts = [_counts(images) for images in (ours, drawn)]
    assert counts[0].keys() == counts[1].keys()
    assert len(counts[0]) == (2 * pad + 1) ** 2 * 2
    expected = n / len(counts[0])
    for key in counts[0]:  # 50 binomial counts of mean 400: 5.5 deviations
        assert all(abs(c[key] - expected) < 5.5 * expected**0.5 for c in counts)


def test_an_epoch_shows_every_image_once() -> None:
    """Shuffled, complete, the last batch smaller, and the same for the same seed."""
    images = torch.arange(10, dtype=torch.uint8).reshape(10, 1, 1, 1)
    split = (images, torch.arange(10))
    data = Tensors("x", split, split, 10, Transform((0.0,), (1.0,), scale=1))
    runs = [list(data.epoch(4, torch.Generator().manual_seed(s))) for s in (0, 0, 1)]
    labels = [torch.cat([y for _, y in run]).tolist() for run in runs]

    assert [len(y) for _, y in runs[0]] == [4, 4, 2]
    assert sorted(labels[0]) == list(range(10))
    assert labels[0] == labels[1] != labels[2]
    assert all(torch.equal(x.flatten().long(), y) for x, y in runs[0])


def test_evaluation_is_in_order_and_untouched() -> None:
    """Batches of a split come in order, normalized, never cropped."""
    data = digits()
    x = torch.cat([images for images, _ in data.batches("test", 100)])

    torch.testing.assert_close(x, normalize(data.test[0], data.transform))


@pytest.mark.parametrize("size", [{"train": 10}, {"test": 7}])
def test_a_part_says_so(size: dict[str, int]) -> None:
    """A cut data set has another label and another fingerprint."""
    data = digits(**size)

    assert "first" in data.label
    assert data.fingerprint != digits().fingerprint


@pytest.mark.parametrize("size", [4, 20, 32])
def test_resized_images_are_torchs(size: int) -> None:
    """Bilinear with antialias, of the images asked for, rounded; padding keeps its proportion."""
    small, data = digits(train=30, test=20), digits(train=30, test=20, resize=size)
    for ours, before in ((data.train, small.train), (data.test, small.test)):
        x = before[0].float()
        exact = F.interpolate(x, size=(size, size), mode="bilinear", antialias=True)
        assert ours[0].shape == (len(x), 1, size, size)
        assert ours[0].dtype == torch.uint8
        assert (ours[0] - exact).abs().max() <= 0.5 + 1e-4
        assert torch.equal(ours[1], before[1])

    assert data.transform.pad == round(size / 8)
    assert data.label == f"digits (8x8), first 30 + 20, resized to {size}x{size}"
    assert data.fingerprint != small.fingerprint
    assert data.shape == (1, size, size)


def test_resizing_to_the_same_size_changes_no_pixel() -> None:
    """Interpolation from n to n is the identity."""
    assert torch.equal(digits(resize=8).train[0], digits().train[0])


@pytest.mark.parametrize("fraction", [0.1, 0.2, 0.25, 0.29, 0.5, 0.7])
def test_held_out_rows_are_stratified(fraction: float) -> None:
    """Of n images of a class ⌊n·fraction⌋, evenly spread, whatever the order of classes."""
    labels = digits().train[1]
    chosen = mark_held_out(labels, fraction)
    for label in range(10):
        mine = chosen[labels == label]
        places = mine.nonzero().flatten()

        assert len(places) == int(Fraction(str(fraction)) * len(mine))
        assert places.diff().max() <= math.ceil(1 / fraction)
        assert len(mine) - places[-1] <= 2 / fraction


def test_a_fifth_is_every_fifth() -> None:
    """The choice is the one that splits the digits themselves."""
    labels = torch.tensor([0] * 10 + [1] * 5 + [2] * 4)

    assert mark_held_out(labels, 0.2).nonzero().flatten().tolist() == [4, 9, 14]


def test_tuning_never_sees_the_test_split() -> None:
    """Held-out and kept rows are the training split, once each; the label says so."""
    whole, data = digits().train, digits(held_out=0.2)
    rows = {(*x.flatten().tolist(), int(y)) for x, y in zip(*whole, strict=True)}
    parts = [
        {(*x.flatten().tolist(), int(y)) for x, y in zip(*split, strict=True)}
        for split in (data.train, data.test)
    ]

    assert data.label == "digits (8x8), 20 % of train held out for tuning"
    assert sum(data.sizes.values()) == len(whole[0])
    assert parts[0] | parts[1] == rows
    assert parts[0].isdisjoint(parts[1])
    assert digits(held_out=0.2).fingerprint == data.fingerprint != digits(held_out=0.3).fingerprint


def test_the_order_of_parts() -> None:
    """`train` cuts first, then a part is held out, then `test` cuts it, then all is resized."""
    data = digits(train=100, test=7, held_out=0.3, resize=10)
    first = digits(train=100).train
    chosen = mark_held_out(first[1], 0.3)

    assert torch.equal(data.train[1], first[1][~chosen])
    assert torch.equal(data.test[1], first[1][chosen][:7])
    assert data.label == (
        "digits (8x8), first 100 of train, 30 % of train held out for tuning, first 7 of them, "
        "resized to 10x10"
    )


def test_too_small_a_part_is_refused() -> None:
    """Where no image is held out there is nothing to test on."""
    with pytest.raises(DataError, match="leaves 10 to train on and 0 to test on"):
        digits(train=10, held_out=0.1)


def _draws(image: Tensor, n: int, pad: int) -> Tensor:
    split = (image.expand(n, 1, 5, 5).contiguous(), torch.zeros(n, dtype=torch.int64))
    data = Tensors("x", split, split, 1, Transform((0.0,), (1.0,), scale=1, pad=pad, flip=True))
    return torch.cat([x for x, _ in data.epoch(5000, torch.Generator().manual_seed(0))])


def _counts(images: Tensor) -> dict[tuple[int, ...], int]:
    rows, counts = images.flatten(1).long().unique(dim=0, return_counts=True)
    return {tuple(r): c for r, c in zip(rows.tolist(), counts.tolist(), strict=True)}
