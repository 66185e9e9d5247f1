"""What a command imports: torch only where something is computed with it, as with other giants."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = (
    *("torch", "torchvision", "torch._dynamo", "sklearn", "pandas", "scipy.stats", "matplotlib"),
)
CELL = "ste-resnet20-w1a1-s0"
COMMANDS: dict[str, set[str]] = {  # each with what it imports of those
    "--help": set(),
    "--version": set(),
    "run --help": set(),
    "list suites": set(),
    "list schedules": set(),
    "list estimators": set(),
    "list backbones": set(),
    "list data": set(),
    "data list": set(),
    "show estimator reste": set(),
    "show backbone resnet20": set(),
    "show data imagenet": set(),
    "show schedule cosine": set(),
    "show ledger table3": set(),
    "show suite tiny.yaml": set(),
    "schema": set(),
    "schema --machines": set(),
    "machines list": set(),
    "plan tiny.yaml": set(),
    "plan tiny.yaml train.lr=0.2 --filter seed=0": set(),
    "status": set(),
    "leaderboard tiny": set(),
    "leaderboard tiny --format json": set(),
    "leaderboard tiny --format csv": set(),
    "trace tiny": set(),
    f"logs {CELL}": set(),
    f"diff {CELL} {CELL}": set(),
    f"indicators {CELL}": set(),
    f"indicators {CELL} --curves": {"pandas"},
    "merge results --into more --dry-run": set(),
    "gc": set(),
    "completion bash": set(),
    "init mine --force": set(),
}
SHARED = (  # imported once, before all commands, to whom they then count
    "bench.leaderboard.ranking",
    "bench.leaderboard.tables.render",
    "bench.execution.status",
)
SCRIPT = """
import importlib, json, os, sys
from bench.cli.app import main

def call(command):
    sys.argv = ["bench", *command.split()]
    try:
        main()
    except SystemExit as stop:
        return stop.code

def apart(function):  # in a process of its own, which begins like this one
    sys.stdout.flush()
    if (child := os.fork()) == 0:
        function()
        os._exit(0)
    os.waitpid(child, 0)

def warm(commands):
    for command in commands:
        call(command)

def report(command, heavy, file):
    code = call(command)
    with open(file, "a") as out:
        imported = [name for name in heavy if name in sys.modules]
        print(json.dumps([command, code, imported]), file=out)

commands, heavy, shared, file = json.loads(sys.argv[1])
apart(lambda: warm(commands))
for name in shared:
    importlib.import_module(name)
for command in commands:
    apart(lambda: report(command, heavy, file))
"""


@pytest.fixture(scope="module")
def imported(
    measured: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, tuple[int, set[str]]]:
    """Exit code and imports of each command when it is called for the second time."""
    home = tmp_path_factory.mktemp("start")
    (home / "results").symlink_to(measured)
    (home / "tiny.yaml").write_bytes((measured.parent / "tiny.yaml").read_bytes())
    found = home / "found.jsonl"
    words = json.dumps([[*COMMANDS], HEAVY, SHARED, str(found)])
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, words],
        cwd=home,
        env=os.environ | {"BENCH_CACHE": str(home / "cache"), "PYTHONPATH": str(Path.cwd())},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.exists(), done.stderr
    lines = map(json.loads, found.read_text().splitlines())
    return {command: (code, set(names)) for command, code, names in lines}


@pytest.mark.slow
@pytest.mark.linux
@pytest.mark.parametrize(("command", "heavy"), COMMANDS.items(), ids=COMMANDS.keys())
def test_a_command_that_reads_imports_no_giant(
    command: str, heavy: set[str], imported: dict[str, tuple[int, set[str]]]
) -> None:
    """The seconds that torch and its kind take to import are paid only by who computes."""
    assert imported[command] == (0, heavy)
