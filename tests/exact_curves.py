"""
The golden curves to the last bit: a net of two blocks, trained in the ways below.

Of each training the losses, and a digest of all that it leaves: weights, accuracies, indicators
and histograms. Six estimators under one recipe, eager and compiled; the options of recipe and
binary layers, image files, and every method in its last stage, eager. Other processors and versions
of torch round otherwise, so the curves are kept by environment.

    python tests/exact_curves.py declare   the code as it is computes them: note its digests
    python tests/exact_curves.py renew     numbers changed (CHANGELOG, Numbers): note both anew

`declare` refuses where a curve differs, or where nobody has seen any in this environment: check
out what was declared last, and `renew` there first. A case that is new is noted by either.
"""

import hashlib
import json
import platform
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from PIL import Image

import bench
from bench.data.dataset import Dataset
from bench.data.sources import Digits, ImageNet
from bench.nn.clock import Clock
from bench.nn.layers import Layers
from bench.plugin import ResNet, Surrogate
from bench.registry import ESTIMATORS
from bench.results import source_digest
from bench.spec.cell import Binarization, Recipe
from bench.train.trainer import train
from bench.train.weights import digest

ROOT = Path(__file__).resolve().parent.parent
KEPT = ROOT / "tests" / "golden" / "exact.json"
Curves: TypeAlias = dict[str, list[str]]
Options: TypeAlias = dict[str, object]


@dataclass(frozen=True)
class Case:
    """A short training: an estimator, and what else than the golden recipe it trains by."""

    estimator: str
    recipe: dict[str, object] = field(default_factory=dict[str, object])
    binarization: dict[str, object] = field(default_factory=dict[str, object])
    from_files: bool = False  # images are PNG files, cut at random


ESTIMATORS_ALONE = {name: Case(name) for name in ("dsq", "ede", "fda", "rbnn", "reste", "ste")}
ADAMW: Options = {"optimizer": "adamw", "lr": 0.01, "epochs": 4, "warmup": 2, "lr_rule": "clean"}
PRE: Options = {
    "scale": "channel",
    "scale_at": "pre",
    "padding": -1,
    "sign0": 1,
    "standardize": "on",
}
METHODS = [n for n in ESTIMATORS.names() if not issubclass(ESTIMATORS.load(n), Surrogate)]
CASES = {
    **ESTIMATORS_ALONE,
    "adamw": Case("ede", ADAMW | {"progress": "e/(E-1)", "weight_decay": 0.01}),
    "reference rates": Case("ste", {"epochs": 8, "warmup": 2}),
    "scale before": Case("reste", binarization=PRE | {"scale_grad": "off"}),
    "scale of an image's inputs": Case("fda", binarization={"scale": "none", "scale_act": "layer"}),
    "bfloat16": Case("reste", binarization={"gradients": "bfloat16"}),
    "image files": Case("ste", {"batch_size": 8}, from_files=True),
    **{f"method {name}": Case(name) for name in METHODS},
}


class TwoBlocks(ResNet):
    """The smallest net with a block of each kind: of equal shapes, and of stride 2."""

    blocks = (1, 1)

    width: int = 8


def curve(name: str, *, compiled: bool) -> list[str]:
    """The loss of each epoch as a hexadecimal number, and a digest of all that training left."""
    case = CASES[name]
    torch.manual_seed(0)
    clock, plugin = Clock(), ESTIMATORS.build(case.estimator, {})

    def binarizer(role: str, shape: tuple[int, ...]) -> torch.nn.Module:
        return plugin.binarizer("A" if role == "A" else "W", shape, clock, 0)

    options = Binarization.model_validate(case.binarization | plugin.fixes)
    layers = Layers(binarizer, options, plugin.conv, plugin.linear)
    said = {"epochs": 2, "batch_size": 32, "lr": 0.1, "histograms": [1]} | case.recipe
    recipe = Recipe.model_validate(said)
    with tempfile.TemporaryDirectory() as folder:
        data = _images(Path(folder)) if case.from_files else _digits()
        net = TwoBlocks().build(data.num_classes, data.shape[0], layers)
        coach, teacher = plugin.coach(net, clock, recipe), None
        if plugin.teacher:
            real = Layers(None, Binarization())
            teacher = TwoBlocks().build(data.num_classes, data.shape[0], real)
        outcome = train(
            net, clock, data, recipe, 3, coach=coach, teacher=teacher, compiled=compiled
        )
    left = {
        "curves": {k: [x.hex() for x in v] for k, v in outcome.curves.items()},
        "weights": [digest(outcome.last), outcome.best_epoch, digest(outcome.best)],
        "indicators": [each.model_dump_json() for each in outcome.indicators],
    }
    found = hashlib.sha256(json.dumps(left, sort_keys=True).encode()).hexdigest()
    return [*(loss.hex() for loss in outcome.curves["train_loss"]), found]


def _digits() -> Dataset:
    return Digits(train=96, test=60).load(Path("nowhere"))


def _images(folder: Path) -> Dataset:
    """Two classes of noise, of several sizes."""
    rng = np.random.default_rng(0)
    for split, n in (("train", 12), ("val", 4)):
        for number in range(2 * n):
            path = folder / "imagenet" / split / f"class{number % 2}" / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            noise = rng.integers(256, size=(40 + number, 48, 3), dtype=np.uint8)
            Image.fromarray(noise).save(path)
    return ImageNet(image=16, classes=2).load(folder).to(torch.device("cpu"), workers=1)


def environment(*, compiled: bool) -> str:
    """What rounding depends on beside the code."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    maker = next((x.split(":")[1].strip() for x in lines if x.startswith("vendor_id")), "?")
    words = [f"torch {torch.__version__}", maker, torch.backends.cpu.get_cpu_capability()]
    if compiled:
        version = ["g++", "-dumpfullversion"]
        done = subprocess.run(version, capture_output=True, text=True, check=False)
        words += [platform.machine(), f"g++ {done.stdout.strip()}"]
    return ", ".join(words)


def kept(*, compiled: bool) -> Curves:
    """The curves as they were seen here; none where nobody has seen any."""
    every: dict[str, Curves] = json.loads(KEPT.read_text(encoding="utf-8"))
    return every.get(environment(compiled=compiled), {})


def cases(*, compiled: bool) -> list[str]:
    """The trainings that are compared; compiling takes half a minute each."""
    return [*(ESTIMATORS_ALONE if compiled else CASES)]


def _main(what: str) -> None:
    if Path(bench.__file__).parent.parent != ROOT:
        sys.exit(f"this would be of the code at {bench.__file__}; say PYTHONPATH={ROOT}")
    torch.set_num_threads(1)
    found = {
        compiled: {name: curve(name, compiled=compiled) for name in cases(compiled=compiled)}
        for compiled in (False, True)
    }
    places = {environment(compiled=c): curves for c, curves in found.items()}
    if what == "declare":
        differ = [
            f"{name} {'compiled' if c else 'eager'}"
            for c, curves in found.items()
            for name in curves
            if kept(compiled=c).get(name, curves[name] if kept(compiled=c) else None)
            != curves[name]
        ]
        if differ:
            sys.exit(f"not equal to the bit: {', '.join(differ)}; see the head of this file")
        _write(KEPT, json.loads(KEPT.read_bytes()) | places)
        carried = json.loads(source_digest.DECLARED.read_bytes())["carried"]
    else:
        _write(KEPT, places if _changed() else json.loads(KEPT.read_bytes()) | places)
        carried = source_digest.numerics()
    _write(source_digest.DECLARED, {"carried": carried, "code": source_digest.core_code()})


def _changed() -> bool:
    """Is the code not the declared one? Then curves of other environments are of other numbers."""
    return source_digest.numerics() != json.loads(source_digest.DECLARED.read_bytes())["carried"]


def _write(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:] not in (["declare"], ["renew"]):
        sys.exit(__doc__)
    _main(sys.argv[1])
