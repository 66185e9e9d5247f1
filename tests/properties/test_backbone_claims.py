"""`bench check` of a backbone: what every one owes the harness, and what of that one lacks."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bench.cli.new_backbone import TEMPLATE
from bench.properties.backbone_claims import CLAIMS, build_backbone, check_backbone
from bench.registry import BACKBONES

Ask = Callable[..., tuple[int, str, str]]
BAD = """
import torch
from torch import Tensor, nn
from bench.plugin import Backbone, Layers

class Bad(Backbone):
    def build(self, num_classes: int, channels: int, layers: Layers) -> nn.Module:
        return Net(channels)

class Net(nn.Module):
    stages = ("c.0",)
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.c, self.unused = nn.Conv2d(channels, 10, 3), nn.Parameter(torch.randn(2))

    def forward(self, x: Tensor) -> Tensor:
        logits = self.c(x).mean((2, 3))
        return logits - logits.mean(0)
"""


SHIPPED = [
    name if name == "mobile" else pytest.param(name, marks=pytest.mark.slow)
    for name in BACKBONES.names()
]


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_ones_keep_what_is_owed(name: str) -> None:
    """Each claim holds at the default parameters, on small images where the network takes them."""
    backbone, task = build_backbone(name, ["image=32", "classes=7"])

    assert not [check for check in check_backbone(name, backbone, task) if not check.ok]


def test_what_is_wrong_is_found_by_its_claim(tmp_path: Path, ask: Ask) -> None:
    """A file is checked by its path; the claims that fail are those that it breaks."""
    path = tmp_path / "bad.py"
    path.write_text(BAD, encoding="utf-8")
    code, text, err = ask("check", path)

    assert code == 3, err
    failed = [line[7:].split("  ")[0] for line in text.splitlines() if line.startswith("  FAIL")]
    held = {"it can be built, and gives logits", "what a record says makes it again"}
    assert {*failed} == CLAIMS.keys() - held


def test_a_new_backbone_passes_and_its_parameters_are_set(tmp_path: Path, ask: Ask) -> None:
    """What `bench new backbone` writes; `image`, `classes` and `channels` are of its images."""
    path = tmp_path / "mine.py"
    path.write_text(TEMPLATE.format(name="mine", cls="Mine"), encoding="utf-8")
    code, text, err = ask("check", path, "width=4", "classes=3", "image=8")

    assert code == 0, err
    assert "mine: images of 8x8x3, 3 classes" in text
    assert "width 4, depth 4" in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("resnet20", "ste"), "`resnet20` is a backbone, `ste` is an estimator"),
        (("resnet20", "--study"), "a backbone has no f, and no such options"),
        (("resnet20", "mobile", "width=4"), "parameters of which backbone? name one, not 2"),
        (("resnet20", "wdith=4"), "did you mean `width`?"),
        (("resnet20", "classes=0"), "classes=0: expected a whole number above 0"),
        (("resnet2",), "no estimator, backbone or data set `resnet2`; did you mean `resnet20`?"),
        (("none.py",), "no file `none.py`"),
    ],
)
def test_wrong_words_are_told(words: tuple[str, ...], message: str, ask: Ask) -> None:
    """In a line."""
    code, _, err = ask("check", *words)

    assert code == 2
    assert message in err


def test_a_file_whose_name_is_taken_is_not_checked_as_another(tmp_path: Path, ask: Ask) -> None:
    """A file that is called like what ships."""
    path = tmp_path / "resnet20.py"
    path.write_text(BAD, encoding="utf-8")
    code, _, err = ask("check", path)

    assert code == 2
    assert "its name is taken by backbones/resnet20.py" in err
