"""
How much CPU time commands take to start, as multiples of `python -c "import rich, typer"`.

`python tests/benchmarks/start.py` prints the least of five calls of each, user and system time,
after one call that is not counted: what is kept between calls is there. No test asserts a time.
"""

import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.results.provenance import cpu_name

CALLS = 5
SHIPPED = "cifar10-partial --results results/cifar10-partial"
COMMANDS = (
    *("--help", "status", "list suites", "list estimators", "list backbones", "list data"),
    *("show estimator reste", "show backbone resnet20", "show ledger table3", "show suite table1"),
    *("schema", "plan quickstart", "plan table1-mini", f"leaderboard {SHIPPED}"),
)


def cpu_s(words: list[str]) -> float:
    """User and system time of one call."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *words], stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def least(words: list[str]) -> tuple[float, float]:
    """Of the first call, and the least of those that follow."""
    return cpu_s(words), min(cpu_s(words) for _ in range(CALLS))


def main() -> None:
    """Measure every command from the repository's root, with a cache of its own."""
    os.chdir(Path(__file__).parents[2])
    _, unit = least(["-c", "import rich, typer"])
    lines = [
        f"{cpu_name()}; import rich, typer: {unit:.3f} s",
        "first, s  then, s   ratio  command",
    ]
    with tempfile.TemporaryDirectory() as cache:
        os.environ["BENCH_CACHE"] = cache
        for command in COMMANDS:
            first, then = least(["-m", "bench", *command.split()])
            lines.append(f"{first:8.2f} {then:8.2f} {then / unit:7.1f}  bench {command}")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
