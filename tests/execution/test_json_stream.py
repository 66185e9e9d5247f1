"""`bench run --json`: what programs read of a run."""

import contextlib
import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer

from bench.base.signals import Stopped
from bench.errors import EnvironmentProblem
from bench.execution.events import Ended, Started
from bench.execution.journal import Entry, JournalWriter, journals
from bench.execution.json_stream import JsonEventWriter
from bench.spec.cell_status import CellStatus

Bench = Callable[..., tuple[int, str, str]]
CELLS = [Entry(id="0" * 12, name="ste seed 0", folder="ste", epochs=4)]


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.usefixtures("here")
def test_stdout_is_json_lines_and_nothing_else(tiny: Path, tmp_path: Path, ask: Bench) -> None:
    """First the run, then what its journal holds, last the counts; people's lines go to stderr."""
    call = ("run", tiny, "--results", tmp_path / "r", "--json", "-j", "1", "train.epochs=1")
    code, out, err = ask(*call)
    told = lines(out)
    (run,) = journals(tmp_path / "r")
    written = [json.loads(line) for line in run.path.read_text(encoding="utf-8").splitlines()]

    assert code == 0
    assert all(line["version"] == 1 and line["at"].endswith("+00:00") for line in told)
    assert {line["suite"] for line in told} == {"tiny@" + told[0]["suite"].split("@")[1]}
    assert told[0]["command"][:2] == ["bench", "run"]
    assert [line["kind"] for line in told[:2]] == ["run", "part"]
    for line, entry in zip(told[2:-1], written[1:], strict=True):
        assert {k: v for k, v in line.items() if k in entry and k != "at"} == {
            k: v for k, v in entry.items() if k != "at"
        }
    ended = {line["cell"] for line in told if line["kind"] == "end"}
    assert ended == {"ste seed 0", "reste seed 0"}
    summary = {k: v for k, v in told[-1].items() if k not in {"version", "at", "suite"}}
    assert summary == {"kind": "summary", "exit_code": 0, "recorded": 0, "stale": 0, "ok": 2}
    assert "2 of 2 cells recorded." in err
    assert "next: bench report " in err

    code, out, err = ask(*call, "--quiet")
    assert (code, err) == (0, "")
    assert [line["kind"] for line in lines(out)] == ["run", "summary"]
    assert lines(out)[-1]["recorded"] == 2
    code, out, err = ask("run", tiny, "--results", tmp_path / "r", "-q", "train.epochs=1")
    assert (code, out, err) == (0, "", "")


def test_a_run_that_cannot_begin_says_nothing(tmp_path: Path, ask: Bench) -> None:
    """No suite, no lines: the reason is on stderr, as ever."""
    code, out, err = ask("run", "quickstrat", "--json", "--results", tmp_path)

    assert (code, out) == (2, "")
    assert "did you mean `quickstart`?" in err


@pytest.mark.parametrize(
    ("error", "summary"),
    [
        (typer.Exit(1), {"exit_code": 1, "ok": 1}),
        (EnvironmentProblem("no disk"), {"exit_code": 5, "error": "no disk", "ok": 1}),
        (Stopped(15, "1 cell left"), {"exit_code": 143, "ok": 1,
                                      "error": "stopped by SIGTERM; 1 cell left"}),
        (RuntimeError("a bug"), {"exit_code": 1, "ok": 1}),
    ],
)  # fmt: skip
def test_the_last_line_has_the_exit_code(
    tmp_path: Path, error: BaseException, summary: dict[str, Any]
) -> None:
    """However a run ends, its last line says how, and what its cells came to."""
    file = io.StringIO()
    with (
        contextlib.suppress(type(error)),
        JsonEventWriter(file, "tiny", tmp_path, ["run", "tiny"]) as stream,
        JournalWriter(tmp_path, "tiny", CELLS, [], stream.write) as book,
    ):
        book(Started(CELLS[0].id))
        book(Ended(CELLS[0].id, status=CellStatus.OK, acc=0.5))
        raise error
    told = lines(file.getvalue())
    last = {k: v for k, v in told[-1].items() if k not in {"version", "at", "suite", "kind"}}

    assert [line["kind"] for line in told] == ["run", "part", "start", "end", "over", "summary"]
    assert last == summary


def test_a_reader_that_went_away_ends_no_run(tmp_path: Path) -> None:
    """`bench run --json | head -1`: the lines end, and the run goes on."""
    reader, writer = os.pipe()
    with os.fdopen(writer, "w") as file, JsonEventWriter(file, "tiny", tmp_path, []) as stream:
        os.close(reader)
        for _ in range(3):
            stream.write({"kind": "over", "reason": "done"})
