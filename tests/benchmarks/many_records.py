"""
A results folder of as many cells as one likes, recorded in plausible numbers and never trained.

    PYTHONPATH=. python tests/benchmarks/many_records.py FOLDER 10000

writes FOLDER/many.yaml and FOLDER/results: ten estimators, ten seeds, and as many networks as it
takes. Curves and indicators have ten epochs, of six layers.
"""

import hashlib
import json
import random
import sys
from pathlib import Path
from typing import Any

from bench.planning import planner
from bench.results import store
from bench.spec.cell import Cell
from bench.spec.plan import Plan

EPOCHS, LAYERS, SEEDS, ESTIMATORS = 10, 6, 10, 10
ORIGIN = {
    "commit": "0" * 40, "dirty": False,
    "versions": dict.fromkeys(("python", "torch", "torchvision", "numpy"), "1.2.3"),
    "device": "cpu", "threads": 1, "compiled": False, "host": "many", "command": "bench run many",
    "started": "2026-01-01T00:00:00+00:00", "wall_s": 100.0, "cells_at_once": 2, "energy_j": None,
}  # fmt: skip
LEVELS = {
    "weights": 2, "inputs": 2, "weight_zeros": 0.0, "input_zeros": 0.0, "products": 1,
    "images": 1000, "unlike": {},
}  # fmt: skip
EXTRAS = {"parameters_trained": 0, "parameters_kept": 0, "product_macs": 0, "other_macs": 0}


def write_suite(folder: Path, cells: int) -> Path:
    """Write a suite of so many cells, a multiple of 100."""
    plugins = ", ".join(f"e{n}: {{plugin: ste, clip: {1 + n / 10}}}" for n in range(ESTIMATORS))
    nets = "".join(
        f"  n{n}: {{plugin: resnet20, width: {2 + 2 * n}}}\n"
        for n in range(cells // ESTIMATORS // SEEDS)
    )
    path = folder / "many.yaml"
    path.write_text(
        f"# How does it scale?\nestimators: {{{plugins}}}\nbackbones:\n{nets}"
        f"data: {{digits: {{train: 64, test: 50}}}}\nseeds: 0..{SEEDS - 1}\nbaseline: e0\n"
        f"train: {{epochs: {EPOCHS}, batch_size: 32, histograms: []}}\n",
        encoding="utf-8",
    )
    return path


def make_record(cell: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    """Make a record in the form of its file, with its seal."""
    best = rng.uniform(0.6, 0.9)
    accs = [round(best * (1 - 0.5 ** (e + 1)), 4) for e in range(EPOCHS)]
    series = [rng.uniform(0, 1) for _ in range(EPOCHS)]
    quantities = (
        "grad_mean_last", "grad_var_last", "grad_mean", "grad_var", "error_now_used",
        "error_now_pure", "error_end_used", "error_end_pure", "knob",
    )  # fmt: skip
    indicators = [
        {"layer": f"layer{n}", "role": role, "n": [1000] * EPOCHS, "zeros": [0] * EPOCHS}
        | {"n_grad": 1000, "histograms": []}
        | {name: [x * (n + k + 1) for x in series] for k, name in enumerate(quantities)}
        for n in range(LAYERS)
        for role in ("W", "A")
    ]
    made = {
        "schema_version": 1, "cell": cell, "status": "ok", "reason": "",
        "curves": {
            "train_loss": [2 * x for x in series], "test_acc": accs,
            "test_top5": accs, "lr": [0.1] * EPOCHS,
        },
        "best_epoch": EPOCHS - 1, "indicators": indicators, "weights_digest": "0" * 64,
        "best_digest": "0" * 64, "parents": {}, "parameters": 1000,
        "images_per_s": rng.uniform(900, 1100), "peak_mib": 400.0, "provenance": ORIGIN,
        "earlier": [], "receipt": None, "levels": LEVELS, "extras": EXTRAS,
    }  # fmt: skip
    text = json.dumps(made, sort_keys=True, separators=(",", ":"))
    return made | {"seal": hashlib.sha256(text.encode()).hexdigest()}


def write_records(root: Path, cells: list[Cell]) -> None:
    """Record each cell, the same numbers each time."""
    rng = random.Random(0)
    for cell in cells:
        home = root / "cells" / cell.slug
        home.mkdir(parents=True)
        made = make_record(json.loads(cell.model_dump_json()), rng)
        (home / "record.json").write_text(json.dumps(made, separators=(",", ":")) + "\n", "utf-8")


def write_folder(folder: Path, cells: int) -> tuple[Path, Plan]:
    """Write suite, plan and records; returns the results folder and the plan."""
    plan = planner.plan(write_suite(folder, cells))
    root = folder / "results"
    write_records(root, plan.cells)
    store.save_plan(root, plan)
    return root, plan


if __name__ == "__main__":
    home = Path(sys.argv[1])
    home.mkdir(parents=True, exist_ok=True)
    write_folder(home, int(sys.argv[2]))
