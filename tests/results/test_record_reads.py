"""A command reads each record from disk at most once."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.results import store
from bench.results.record import Record

Bench = Callable[..., tuple[int, str, str]]

pytestmark = pytest.mark.slow


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Counter[Path]:
    """How often each record's file was parsed with success."""
    count: Counter[Path] = Counter()
    parse = store.read_record

    def counted(path: Path) -> Record:
        record = parse(path)
        count[path.resolve()] += 1
        return record

    monkeypatch.setattr(store, "read_record", counted)
    return count


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("rest", [[], ["--until-separated", "--max-seeds", "2"]])
def test_a_run_of_what_is_recorded(
    tiny: Path, tmp_path: Path, ask: Bench, reads: Counter[Path], rest: list[str]
) -> None:
    """`bench run` on a recorded suite plans, decides and ranks from one reading."""
    call = ("run", tiny, "--results", tmp_path / "r", "-j", "1", "train.epochs=1", *rest)
    assert ask(*call)[0] == 0
    reads.clear()
    assert ask(*call)[0] == 0

    assert set(reads.values()) == {1}
    assert len(reads) == len([*(tmp_path / "r" / "cells").glob("*/record.json")])


@pytest.mark.parametrize("command", ["leaderboard", "report"])
def test_a_table_of_what_is_recorded(
    measured: Path, tmp_path: Path, ask: Bench, reads: Counter[Path], command: str
) -> None:
    """`bench leaderboard` and `bench report`, too."""
    more = ("-o", tmp_path / "report.html") if command == "report" else ()
    code, _, err = ask(command, "tiny", "--results", measured, *more)

    assert (code, err) == (0, "")
    assert set(reads.values()) == {1}
    assert len(reads) == 2
