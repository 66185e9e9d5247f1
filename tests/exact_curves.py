"""
The golden curves to the last bit: six estimators, a net of two blocks, eager and compiled.

Other processors and versions of torch round otherwise, so the curves are kept by environment.

    python tests/exact_curves.py declare   the code as it is computes them: note its digests
    python tests/exact_curves.py renew     numbers changed (CHANGELOG, Numbers): note both anew

`declare` refuses where a curve differs, or where nobody has seen any in this environment: check
out what was declared last, and `renew` there first.
"""

import json
import platform
import subprocess
import sys
from pathlib import Path
from typing import TypeAlias

import torch

from bench.data.sources import Digits
from bench.nn.clock import Clock
from bench.nn.layers import Layers
from bench.plugin import ResNet
from bench.registry import ESTIMATORS
from bench.results import source_digest
from bench.spec.cell import Binarization, Recipe
from bench.train.trainer import train
from bench.train.weights import digest

NAMES = ("dsq", "ede", "fda", "rbnn", "reste", "ste")
KEPT = Path(__file__).parent / "golden" / "exact.json"
Curves: TypeAlias = dict[str, list[str]]


class TwoBlocks(ResNet):
    """The smallest net with a block of each kind: of equal shapes, and of stride 2."""

    blocks = (1, 1)

    width: int = 8


def curve(name: str, *, compiled: bool) -> list[str]:
    """The loss of each of two epochs as hexadecimal numbers, and the digest of the weights."""
    torch.manual_seed(0)
    clock, plugin = Clock(), ESTIMATORS.build(name, {})

    def binarizer(role: str, shape: tuple[int, ...]) -> torch.nn.Module:
        return plugin.binarizer("A" if role == "A" else "W", shape, clock, 0)

    net = TwoBlocks().build(10, 1, Layers(binarizer, Binarization()))
    data = Digits(train=96, test=60).load(Path("nowhere"))
    recipe = Recipe(epochs=2, batch_size=32, lr=0.1, histograms=(1,))
    outcome = train(net, clock, data, recipe, seed=3, compiled=compiled)
    return [*(loss.hex() for loss in outcome.curves["train_loss"]), digest(outcome.last)]


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


def _main(what: str) -> None:
    torch.set_num_threads(1)
    kinds = (False, True)
    found = {c: {name: curve(name, compiled=c) for name in NAMES} for c in kinds}
    places = {environment(compiled=c): found[c] for c in kinds}
    if what == "declare":
        differ = [
            f"{name} {'compiled' if c else 'eager'}"
            for c in kinds
            for name in NAMES
            if kept(compiled=c).get(name) != found[c][name]
        ]
        if differ:
            sys.exit(f"not equal to the bit: {', '.join(differ)}; see the head of this file")
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
