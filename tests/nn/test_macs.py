"""Parameters and multiply-accumulates of the shipped networks, against sums done by hand."""

import pytest

from bench.cli import catalogue
from bench.errors import UsageError
from bench.nn.macs import count_cost
from bench.plugin import Backbone, Layers, Native
from bench.registry import BACKBONES

SQUARES = (
    # ResNet-20: pixels x weights of a stage's convolutions, the stem and the linear map apart
    ("resnet20", 32 * 32 * 6 * 9 * 16 * 16
     + 16 * 16 * (9 * 16 * 32 + 5 * 9 * 32 * 32)
     + 8 * 8 * (9 * 32 * 64 + 5 * 9 * 64 * 64),
     32 * 32 * 9 * 3 * 16 + 64 * 10),
    # ResNet-18: 7x7 stem at 112x112, then 56, 28, 14, 7; real 1x1 convolutions on three shortcuts
    ("resnet18_imagenet", 56 * 56 * 4 * 9 * 64 * 64
     + 28 * 28 * (9 * 64 * 128 + 3 * 9 * 128 * 128)
     + 14 * 14 * (9 * 128 * 256 + 3 * 9 * 256 * 256)
     + 7 * 7 * (9 * 256 * 512 + 3 * 9 * 512 * 512),
     112 * 112 * 49 * 3 * 64 + 28 * 28 * 64 * 128 + 14 * 14 * 128 * 256 + 7 * 7 * 256 * 512
     + 512 * 1000),
    # ViT-tiny: 196 patches, 197 tokens; q·k and a·v of each of 3 heads of 64 dimensions are real
    ("vit_tiny", 12 * 197 * (192 * 576 + 192 * 192 + 2 * 192 * 768),
     196 * 16 * 16 * 3 * 192 + 12 * 2 * 3 * 197 * 197 * 64 + 192 * 1000),
    # VGG-small: 32, 16, 16, 8, 8
    ("vgg_small", 9 * (32 * 32 * 128 * 128 + 16 * 16 * (128 * 256 + 256 * 256)
     + 8 * 8 * (256 * 512 + 512 * 512)),
     32 * 32 * 9 * 3 * 128 + 8192 * 10),
    # Mobile: pixels x (9 C depthwise + C C' pointwise) of two blocks at 32, 16, 8 and 4
    ("mobile", 32 * 32 * 2 * (9 * 32 + 32 * 32) + 16 * 16 * (9 * 32 + 32 * 64 + 9 * 64 + 64 * 64)
     + 8 * 8 * (9 * 64 + 64 * 128 + 9 * 128 + 128 * 128)
     + 4 * 4 * (9 * 128 + 128 * 256 + 9 * 256 + 256 * 256),
     32 * 32 * 9 * 3 * 32 + 256 * 10),
)  # fmt: skip


@pytest.mark.parametrize(("name", "binary", "real"), SQUARES)
def test_multiply_accumulates(name: str, binary: int, real: int) -> None:
    """MACs of one image, binary and real apart, and all of them real in the real net."""
    plugin = BACKBONES.build(name, {})
    one, full = count_cost(plugin), count_cost(plugin, binary=False)

    assert (one.binary_macs, one.real_macs) == (binary, real)
    assert (full.binary_macs, full.real_macs) == (0, binary + real)
    assert (full.binary_layers, full.binary_weights) == (0, 0)
    assert full.parameters == one.parameters


def test_a_binary_shortcut_is_binary() -> None:
    """B_binary moves the three 1x1 convolutions from the real to the binary side."""
    b, b_binary = (
        count_cost(BACKBONES.build("resnet18", {"shortcut": s, "width": 8}))
        for s in ("B", "B_binary")
    )
    moved = 16 * 16 * 8 * 16 + 8 * 8 * 16 * 32 + 4 * 4 * 32 * 64

    assert b_binary.binary_macs - b.binary_macs == b.real_macs - b_binary.real_macs == moved
    assert b_binary.binary_layers - b.binary_layers == 3


def test_the_image_is_the_one_that_fits() -> None:
    """A net that takes one size only is counted at it, whatever its native size."""
    assert count_cost(BACKBONES.build("vgg_small", {"image": 64, "width": 4})).task.image == 64
    assert (
        count_cost(BACKBONES.build("resnet18", {"stem": "imagenet", "width": 4})).task.image == 128
    )


def test_show_prints_the_cost() -> None:
    """`bench show backbone` ends with parameters, binary weights and MACs."""
    assert catalogue.describe("backbone", "resnet20").endswith(
        "cost of one image of 32x32x3, 10 classes:\n"
        "  parameters      269,850\n"
        "  binary weights  267,264 in 18 layers\n"
        "  MACs, W/A 1/1   40,108,032 binary + 443,008 real\n"
        "  bits, W/A 1/1   350,016, real 8,635,200\n"
        "  MACs, real net  40,551,040, parameters 269,850"
    )


def test_show_takes_a_network_of_ones_own() -> None:
    """Parameters, image, classes, channels after `show backbone NAME`; what cannot be says so."""
    text = catalogue.describe_network("mobile", ["width=8", "depth=1", "image=16", "channels=1"])
    binary = 9 * (8 + 8 + 16 + 32) + 8 * 8 + 8 * 16 + 16 * 32 + 32 * 64

    assert text.startswith("cost of one image of 16x16x1, 10 classes:")
    assert f"binary weights  {binary:,} in 8 layers" in text
    for words, message in (
        (["image=0"], "image=0: expected a whole number above 0"),
        (["width=7"], "width: must be a multiple of 2"),
        (["widht=8"], "did you mean `width`"),
    ):
        with pytest.raises(UsageError, match=message):
            catalogue.describe_network("resnet20", words)


class Odd(Backbone):
    """A stranger's network that cannot run on the meta device."""

    native = Native(8, 2, 1)

    def build(self, num_classes: int, channels: int, layers: Layers) -> object:  # type: ignore[override]
        message = f"{num_classes} of {channels}"
        raise RuntimeError(message)


def test_a_network_that_cannot_be_counted_is_still_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """`bench show` prints what it knows, and why the cost is missing."""
    monkeypatch.setattr(BACKBONES, "load", lambda _: Odd)  # pyright: ignore[reportUnknownLambdaType]

    assert catalogue.describe("backbone", "odd").endswith("cost: cannot be counted, 2 of 1")
