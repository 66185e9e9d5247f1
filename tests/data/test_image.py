"""One image: decoded and cut as torchvision's own pipeline would."""

import math
from pathlib import Path
from random import Random
from typing import Any, TypeAlias, cast

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import CenterCrop, Compose, RandomResizedCrop, Resize
from torchvision.transforms import functional as F

from bench.data.image import RATIO, Area, decode, evaluation_view, training_view, window

Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"
SIZES = [(50, 40), (31, 64), (8, 90), (90, 8), (224, 224), (300, 500)]


def picture(width: int, height: int, mode: str = "RGB", seed: int = 0) -> Image.Image:
    """Noise, blown up so that JPEG keeps some of it."""
    pixels = np.random.default_rng(seed).integers(0, 256, (5, 6, 3), dtype=np.uint8)
    return Image.fromarray(pixels).resize((width, height)).convert(mode)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("side", [24, 224])
def test_evaluation_is_torchvisions(size: tuple[int, int], side: int) -> None:
    """Resize the shorter side to image·256/224, then the middle: to the last pixel."""
    image = picture(*size)
    theirs = Compose([Resize(round(side * 256 / 224)), CenterCrop(side)])

    assert np.array_equal(np.asarray(evaluation_view(image, side)), np.asarray(theirs(image)))


@pytest.mark.parametrize("size", SIZES)
def test_training_is_torchvisions(size: tuple[int, int]) -> None:
    """Of one window and one coin, the pixels of resized_crop and hflip."""
    image = picture(*size)
    for seed in range(8):
        left, top, right, bottom = window(*size, (0.08, 1.0), Random(seed).random)
        theirs: Any = F.resized_crop(
            cast("Any", image), top, left, bottom - top, right - left, [32, 32]
        )
        ours = training_view(image, 32, (0.08, 1.0), Random(seed).random)

        either = [np.asarray(theirs), np.asarray(F.hflip(theirs))]
        assert any(np.array_equal(np.asarray(ours), x) for x in either)


@pytest.mark.parametrize("area", [(0.08, 1.0), (0.08, 1.25)])
@pytest.mark.parametrize("size", [(500, 375), (100, 400)])
def test_windows_have_torchvisions_distribution(area: Area, size: tuple[int, int]) -> None:
    """Area, aspect and place of 3,000 windows: each two-sample Kolmogorov distance is chance's."""
    n = 3000
    image: Any = Image.new("RGB", size)  # which torchvision does not declare
    torch.manual_seed(0)
    draw = Random(0).random
    ours = np.array([window(*size, area, draw) for _ in range(n)])
    drawn = [RandomResizedCrop.get_params(image, list(area), list(RATIO)) for _ in range(n)]
    theirs = np.array([(left, top, left + w, top + h) for top, left, h, w in drawn])

    limit = 1.95 * math.sqrt(2 / n)  # exceeded with probability 0.001
    for a, b in zip(traits(ours), traits(theirs), strict=True):
        assert distance(a, b) < limit
    whole = [np.mean(np.all(x == [0, 0, *size], axis=1)) for x in (ours, theirs)]
    assert whole[0] == pytest.approx(whole[1], abs=0.02)


def traits(boxes: Array) -> list[Array]:
    """Area, aspect, left and top."""
    left, top, right, bottom = boxes.T
    w, h = right - left, bottom - top
    return [w * h, w / h, left, top]


def distance(a: Array, b: Array) -> float:
    """The largest difference between two samples' distribution functions."""
    both = np.concatenate([a, b])
    fa, fb = (np.searchsorted(np.sort(x), both, side="right") / len(x) for x in (a, b))
    return float(np.abs(fa - fb).max())


def test_an_upper_bound_above_one_has_more_whole_images() -> None:
    """Area (0.08, 1.25): what does not fit is drawn again, so all windows lie inside."""
    draw = Random(1).random
    boxes = np.array([window(64, 64, (0.08, 1.25), draw) for _ in range(2000)])

    assert boxes.min() == 0
    assert boxes.max() == 64


def test_ten_misses_are_the_middle() -> None:
    """Where no window can fit it is the whole image, or its middle if that is long or tall."""
    draw = Random(0).random

    assert window(60, 60, (4.0, 4.0), draw) == (0, 0, 60, 60)
    assert window(30, 90, (4.0, 4.0), draw) == (0, 25, 30, 65)
    assert window(90, 30, (4.0, 4.0), draw) == (25, 0, 65, 30)


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_every_kind_of_jpeg_is_rgb(tmp_path: Path, mode: str) -> None:
    """Colour, greyscale and CMYK decode as torchvision's loader decodes them."""
    path = tmp_path / "x.JPEG"
    picture(40, 30, mode).save(path, "JPEG")
    ours = decode(path)

    with Image.open(path) as theirs:
        assert np.array_equal(np.asarray(ours), np.asarray(theirs.convert("RGB")))


def test_a_png_by_another_name_is_an_image(tmp_path: Path) -> None:
    """ImageNet has one; what counts is what is in a file."""
    path = tmp_path / "x.JPEG"
    picture(40, 30).save(path, "PNG")

    assert isinstance(decode(path), Image.Image)


@pytest.mark.parametrize("form", ["png", "tif", "pgm"])
def test_of_sixteen_bits_the_upper_eight_are_taken(tmp_path: Path, form: str) -> None:
    """A grey picture of 16 bits is the picture of 8; nothing is clipped."""
    grey = np.asarray(picture(40, 30, "L"))
    path = tmp_path / f"x.{form}"
    Image.fromarray(grey.astype(np.uint16) * 257).save(path)
    with Image.open(path) as image:
        assert image.mode.startswith("I")
    ours = decode(path)

    assert np.array_equal(np.asarray(ours), np.repeat(grey[..., None], 3, axis=2))


@pytest.mark.parametrize("kind", [np.float32, np.int32])
def test_numbers_that_no_rule_brings_to_eight_bits_are_refused(tmp_path: Path, kind: Any) -> None:
    """Floats and 32-bit numbers have no range of their own, so the file is named and left out."""
    path = tmp_path / "x.tif"
    Image.fromarray(np.asarray(picture(40, 30, "L")).astype(kind)).save(path)

    assert "convert it to 8 or 16 bits a channel" in str(decode(path))


def test_damage_has_a_reason(tmp_path: Path) -> None:
    """Truncated, empty, foreign, absent: one line each, never an exception."""
    whole = tmp_path / "whole.JPEG"
    picture(200, 200).save(whole, "JPEG")
    content = whole.read_bytes()
    wrong = {"cut": content[: len(content) // 2], "empty": b"", "text": b"hello"}
    for name, damage in (wrong | {"png": b"\x89PNG\r\n\x1a\n" + bytes(60)}).items():
        (tmp_path / name).write_bytes(damage)
    reasons = {name: str(decode(tmp_path / name)) for name in (*wrong, "png", "-")}

    assert reasons["cut"].startswith("image file is truncated")
    assert reasons["empty"] == "empty file"
    assert reasons["text"] == "not an image"
    assert reasons["-"] == "No such file or directory"
    assert reasons["png"] == "not an image"


def test_a_thread_is_no_picture(tmp_path: Path) -> None:
    """An image whose middle would be resized to gigabytes is damaged like any other."""
    path = tmp_path / "x.png"
    Image.new("L", (1, 20_000)).save(path)

    assert decode(path) == "1x20000 is no picture"
