"""K trainings at a time, in every way: `python tests/benchmarks/stacking.py --help`."""

import argparse
import json
import sys
from dataclasses import asdict

import torch
from stacking_ways import Row, Setting, rows

from bench.base import machine

CHOICES = {  # of a setting, and what each is when nobody says
    "threads": machine.cores(),
    "batch": 32,
    "rounds": 5,
    "steps": 16,
    "width": 16,
    "image": 32,
}


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--k", type=int, nargs="+", default=[1, 2, 4, 8, 16])
    asked.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    for name, value in CHOICES.items():
        asked.add_argument(f"--{name}", type=int, default=value, help=f"{value} if not said")
    asked.add_argument("--compiled", action="store_true")
    asked.add_argument("--json", action="store_true", help="a line for each way, as it is measured")
    given = asked.parse_args()
    torch.set_num_threads(given.threads)
    chosen = {name: getattr(given, name) for name in CHOICES}
    at = Setting(torch.device(given.device), compiled=given.compiled, **chosen)
    found: list[Row] = []
    code = 0
    try:
        for k in given.k:
            for row in rows(at, k):
                found.append(row)
                if given.json:
                    tell(json.dumps(asdict(row)))
    except KeyboardInterrupt:
        sys.stderr.write("stopped; this is what was measured\n")
        code = 130
    if not given.json:
        tell(table(found))
    sys.exit(code)


def tell(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def table(found: list[Row]) -> str:
    """Markdown: a line for each way; its speed against `separate`, and images a second, if any."""
    counts = sorted({row.k for row in found})
    rate = {(row.way, row.k): row.images_per_s for row in found}
    lines = [["way", *(f"K = {k}" for k in counts)], ["---", *("---:" for _ in counts)]]
    for way in dict.fromkeys(row.way for row in found):
        of_k = [rate.get((way, k)) for k in counts]
        base = [rate["separate", k] for k in counts]
        texts = [f"{n / b:.2f} ({n:,.0f})" if n else "" for n, b in zip(of_k, base, strict=True)]
        lines.append([way, *texts])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    main()
