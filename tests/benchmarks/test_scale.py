"""
What reading commands cost as records become many: `make bench`, or

    python -m pytest tests/benchmarks/test_scale.py --benchmark-only --benchmark-columns=min

Each is called once on 500, 1,000 and 2,000 records that no index knows, and once more.
"""

from collections.abc import Callable
from pathlib import Path

import pytest
from many_records import write_folder
from pytest_benchmark.fixture import BenchmarkFixture

Ask = Callable[..., tuple[int, str, str]]
COMMANDS = {
    "leaderboard": ("leaderboard", "many", "--format", "csv"),
    "plan": ("plan", "many.yaml"),
    "trace": ("trace", "many", "--format", "json"),
    "compare": ("compare", "many", "many"),
    "report": ("report", "many", "--output", "page.html"),
    "export": ("export", "many", "--output", "many.tar"),
}


@pytest.fixture(scope="module", params=[500, 1000, 2000])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of so many records."""
    home = tmp_path_factory.mktemp(f"many{request.param}")
    write_folder(home, request.param)
    return home


@pytest.mark.parametrize("again", [False, True], ids=["first", "again"])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_that_reads(
    command: str,
    again: bool,
    folder: Path,
    ask: Ask,
    benchmark: BenchmarkFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Seconds of one call, without the start of Python."""
    monkeypatch.chdir(folder)
    if again:
        ask(*COMMANDS[command])
        for made in ("page.html", "many.tar"):
            (folder / made).unlink(missing_ok=True)
    code, _, err = benchmark.pedantic(ask, COMMANDS[command], rounds=1)  # pyright: ignore
    for made in ("page.html", "many.tar"):
        (folder / made).unlink(missing_ok=True)
    assert code == 0, err
