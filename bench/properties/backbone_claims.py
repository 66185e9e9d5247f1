"""
What every backbone owes the harness, checked on one that nobody wrote tests for.

`bench check NAME` prints it. On torch's meta device, where a network of any size takes no time, but
for what needs numbers: those are of two images.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bench.errors import UsageError
from bench.nn.backbone import Backbone, Native
from bench.nn.layers import Layers, binary_layers
from bench.nn.macs import check_logits, count_cost, skeleton
from bench.properties.checked_kind import take_apart
from bench.properties.claim import Check, Claim, check_claim, list_checks
from bench.registry import BACKBONES
from bench.spec import parameters
from bench.spec.cell import Binarization, Role

IMAGES = 2
NEAR = 1e-4  # of the largest logit: another batch sums in another order


class _Signs(nn.Module):
    """Signs forward, the identity backward."""

    def forward(self, z: Tensor) -> Tensor:
        return z + (torch.where(z < 0, -1.0, 1.0) - z).detach()


def build_backbone(name: str, words: list[str]) -> tuple[Backbone, Native]:
    """
    Build what `words` set of a backbone, and say for which images.

    Args:
        words: `KEY=VALUE`: its parameters; `image`, `classes` and `channels` are of its images.

    Raises:
        UsageError: a word without `=`, no such parameter, or a value that it does not take.
        PluginError: no such backbone, or a broken one.
    """
    model = BACKBONES.load(name)
    fields = set(Native._fields) - model.model_fields.keys()
    own = {key: value for key, _, value in (word.partition("=") for word in words) if key in fields}
    wrong = [key for key, value in own.items() if not re.fullmatch(r"[1-9]\d{0,5}", value)]
    if wrong:
        message = f"{wrong[0]}={own[wrong[0]]}: expected a whole number above 0"
        raise UsageError(message)
    rest = [word for word in words if word.partition("=")[0] not in fields]
    backbone = parameters.build(model, name, rest)
    task = backbone.native._replace(**{key: int(value) for key, value in own.items()})
    return backbone, task._replace(image=backbone.only_image or task.image)


def render_reports(words: list[str]) -> Iterator[tuple[str, bool]]:
    """
    The text of `bench check` and whether all holds, for backbones.

    Args:
        words: names; or one, and `KEY=VALUE`, as `build_backbone` takes them.

    Raises:
        UsageError: parameters without one name that they belong to; and as `build_backbone`.
        PluginError: as `build_backbone`.
    """
    names, values = take_apart(words, "backbone")
    for name in names:
        backbone, task = build_backbone(name, values)
        checks = check_backbone(name, backbone, task)
        side, classes, channels = task
        lines = [f"{name}: images of {side}x{side}x{channels}, {classes} classes"]
        yield "\n".join([*lines, *list_checks(checks)]), all(check.ok for check in checks)


@dataclass(frozen=True)
class _Asked:
    """A configured backbone, what it is called, and the images that it is checked on."""

    name: str
    backbone: Backbone
    task: Native


def check_backbone(name: str, backbone: Backbone, task: Native) -> list[Check]:
    """Check every claim of a configured backbone on images of `task`; random numbers are used."""
    asked = _Asked(name, backbone, task)
    return [check_claim(text, claim, asked) for text, claim in CLAIMS.items()]


def _costs(asked: _Asked) -> tuple[str, str]:
    cost = count_cost(asked.backbone, task=asked.task)
    count_cost(asked.backbone, binary=False, task=asked.task)
    macs = f"{cost.binary_macs:,} binary and {cost.real_macs:,} real MACs"
    return "", f"{cost.parameters:,} parameters, {macs}"


def _others(asked: _Asked) -> tuple[str, str]:
    task = asked.task
    for other in (task._replace(classes=task.classes + 1), task._replace(channels=1)):
        with torch.device("meta"), torch.no_grad():
            image = torch.empty(1, other.channels, other.image, other.image)
            check_logits(skeleton(asked.backbone, other).eval()(image), other.classes)
    return "", f"{task.classes + 1} classes, images of one channel"


def _binary(asked: _Asked) -> tuple[str, str]:
    with torch.device("meta"):
        net = skeleton(asked.backbone, asked.task)
        real = skeleton(asked.backbone, asked.task, binary=False)
    found = binary_layers(net)
    if not found:
        return "none is from `layers`: whatever trains it, it stays real", ""
    if wrong := binary_layers(real):
        return f"`{wrong[0][0]}` is binary in full precision, too", ""
    weights = sum(layer.weight.numel() for _, layer in found)
    every = sum(p.numel() for p in net.parameters())
    return "", f"{len(found)} of its layers, {100 * weights / every:.1f} % of the parameters"


def _rebuilt(asked: _Asked) -> tuple[str, str]:
    said = asked.backbone.ref(asked.name).params
    again = BACKBONES.build(asked.name, said)
    if again != asked.backbone:
        return f"{said} makes another one", ""
    first, second = (
        _signed(_Asked(asked.name, each, asked.task)).state_dict()
        for each in (asked.backbone, again)
    )
    same = first.keys() == second.keys()
    if not same or not all(torch.equal(first[key], second[key]) for key in first):
        return "built twice from one seed, the weights differ", ""
    return "", ", ".join(f"{key} {value}" for key, value in said.items()) or "no parameters"


def _signed(asked: _Asked) -> nn.Module:
    """The network with signs in the place of sign's estimators, from one seed."""

    def binarizer(_role: Role, _shape: tuple[int, ...]) -> nn.Module:
        return _Signs()

    torch.manual_seed(0)
    layers = Layers(binarizer, Binarization())
    return asked.backbone.build(asked.task.classes, asked.task.channels, layers)


def _images(task: Native) -> Tensor:
    torch.manual_seed(1)
    return torch.randn(IMAGES, task.channels, task.image, task.image)


def _learns(asked: _Asked) -> tuple[str, str]:
    net = _signed(asked)
    labels = torch.arange(IMAGES) % asked.task.classes
    loss = nn.functional.cross_entropy(net(_images(asked.task)), labels)
    loss.backward()
    every = dict(net.named_parameters())
    if unused := [name for name, p in every.items() if p.grad is None]:
        return f"{len(unused)} of {len(every)} parameters have no gradient: `{unused[0]}`", ""
    bad = [n for n, p in every.items() if p.grad is not None and not p.grad.isfinite().all()]
    if bad or not loss.isfinite():
        return f"no finite {'gradient of `' + bad[0] + '`' if bad else 'loss'}", ""
    return "", f"{len(every)} parameters have a finite gradient"


@torch.no_grad()
def _alone(asked: _Asked) -> tuple[str, str]:
    net = _signed(asked).eval()
    images = _images(asked.task)
    both, first = net(images), net(images[:1])
    apart = (both[:1] - first).abs().max().item()
    if not apart <= NEAR * max(1.0, both.abs().max().item()):
        return f"beside another image its logits differ by {apart:.3g}", ""
    return "", "in evaluation, whatever stands beside it"


def _stages(asked: _Asked) -> tuple[str, str]:
    with torch.device("meta"):
        net = skeleton(asked.backbone, asked.task)
    names: tuple[str, ...] = tuple(getattr(net, "stages", ()))
    known: dict[str, nn.Module] = dict(net.named_modules())  # pyright: ignore - of torch
    if absent := [name for name in names if name not in known]:
        return f"no part is called `{absent[0]}`", ""
    return "", f"{len(names)} stages" if names else "none; methods that look into stages need some"


CLAIMS: dict[str, Claim] = {
    "it can be built, and gives logits": _costs,
    "for other classes and channels, too": _others,
    "layers may be binary": _binary,
    "what a record says makes it again": _rebuilt,
    "all of it learns": _learns,
    "an image is judged by itself": _alone,
    "its stages are parts of it": _stages,
}
