"""The journal of a run: appended, whole lines, readable however it was cut."""

import json
import os
from collections.abc import Iterable
from pathlib import Path

import pytest

from bench.base.files import write_file
from bench.errors import BenchError, EnvironmentProblem
from bench.execution.events import Ended, Event, Progressed, Retrying, Started, Stopping
from bench.execution.journal import Entry, JournalReader, JournalWriter, journals
from bench.spec.cell_status import CellStatus

CELLS = [Entry(id=f"{i:012}", name=f"ste seed {i}", folder=f"ste__{i:012}", epochs=4) for i in "01"]
A = CELLS[0].id


def journal(root: Path) -> JournalWriter:
    return JournalWriter(root, "tiny", CELLS, ["run", "tiny"])


def write(root: Path, events: Iterable[Event]) -> Path:
    with journal(root) as book:
        for event in events:
            book(event)
    return book.path


def read(root: Path) -> tuple[JournalReader, list[Event]]:
    (run,) = journals(root)
    return run, [event for _, event in run.read()]


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """Header, events and end come back; of progress the first and the ends of epochs."""
    told = [
        Started(A),
        Progressed(A, epoch=2, fraction=0.5),
        Progressed(A, epoch=2, fraction=0.7),
        Progressed(A, epoch=3, acc=0.25, images_per_s=10.0),
        Retrying(A, status=CellStatus.FAILED, reason="RuntimeError: no"),
        Stopping(reason="waiting"),
        Ended(A, status=CellStatus.OK, acc=0.5),
    ]
    write(tmp_path, told)
    run, events = read(tmp_path)

    assert events == [told[0], told[1], *told[3:]]
    assert run.header is not None
    assert (run.header.suite, run.header.command) == ("tiny", ["bench", "run", "tiny"])
    assert run.header.cells == CELLS
    assert (run.over, run.damaged, run.torn, run.alive) == ("done", 0, False, False)


def test_every_line_is_one_object_with_its_time(tmp_path: Path) -> None:
    """JSON lines, each with a time in UTC, whatever a reason holds."""
    path = write(tmp_path, [Ended(A, status=CellStatus.FAILED, reason="a\nb\r\u2028 ö")])
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]

    assert len(lines) == 3
    assert all(line["at"].endswith(("Z", "+00:00")) for line in lines)
    assert lines[1]["reason"] == "a\nb\r\u2028 ö"


def test_an_end_by_error_is_said(tmp_path: Path) -> None:
    """The last line of a run that an error ended is the error."""
    with journal(tmp_path) as book:
        pass
    book.__exit__(BenchError, BenchError("no disk"), None)
    run, _ = read(tmp_path)
    assert run.over == "no disk"


@pytest.mark.linux
def test_a_run_that_goes_on_is_read_on(tmp_path: Path) -> None:
    """Each look yields what is new; a line that is still being written waits for its end."""
    book = journal(tmp_path)
    with book:
        (run,) = journals(tmp_path)
        assert list(run.read()) == []
        assert run.alive is True
        book(Started(A))
        with book.path.open("a", encoding="utf-8") as file:
            file.write('{"at": "2026-01-01T00:00:00Z", "cell_id": "x", ')
        assert [event.kind for _, event in run.read()] == ["start"]
        assert run.torn
        with book.path.open("a", encoding="utf-8") as file:
            file.write('"kind": "start"}\n')
        assert [event.cell_id for _, event in run.read()] == ["x"]
        assert not run.torn


@pytest.mark.parametrize("cut", [1, 20, 60])
def test_a_torn_last_line_costs_that_line(tmp_path: Path, cut: int) -> None:
    """Killed while it wrote, a run loses no more than the line."""
    path = write(tmp_path, [Started(A), Ended(A, status=CellStatus.OK)])
    path.write_bytes(path.read_bytes()[:-cut])
    run, events = read(tmp_path)

    assert [e.kind for e in events] == ["start", "end"] if cut < 60 else ["start"]
    assert run.over is None
    assert run.torn


@pytest.mark.parametrize(
    "line", ["", "nonsense", "[]", "{}", '{"at": 3}', '{"at": "x", "kind": "end"}', "\x00\xff",
             '{"at": "2026-01-01T00:00:00Z", "cell_id": "x", "kind": "dance"}',
             '{"at": "2026-01-01T00:00:00Z", "cell_id": "x", "kind": "end"}',
             '{"at": "2026-01-01T00:00:00Z", "cell_id": "x", "kind": "progress", "fraction": NaN}',
             pytest.param("[" * 100_000, id="deep")],
)  # fmt: skip
def test_damaged_lines_are_counted(tmp_path: Path, line: str) -> None:
    """A line that says nothing is passed over, and the next one read."""
    path = write(tmp_path, [Started(A)])
    header, start, over = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([header, line, start, over, ""]), encoding="latin-1")
    run, events = read(tmp_path)

    assert [e.kind for e in events] == ["start"]
    assert run.damaged == bool(line)
    assert run.over == "done"


def test_a_header_that_cannot_be_read(tmp_path: Path) -> None:
    """Nobody's journal is no run that goes on."""
    write_file(tmp_path / "events" / "x.jsonl", "?\n")
    run, events = read(tmp_path)

    assert (run.header, run.alive, run.damaged, events) == (None, False, 1, [])


def test_what_is_no_file_is_no_journal(tmp_path: Path) -> None:
    """A pipe and a folder among the journals are passed over, not waited for."""
    path = write(tmp_path, [])
    os.mkfifo(path.with_name("a.jsonl"))
    path.with_name("b.jsonl").mkdir()

    assert [run.path for run in journals(tmp_path)] == [path]


def test_a_link_leads_no_journal_elsewhere(tmp_path: Path) -> None:
    """Where `events` is a link out of the results folder nothing is written, and it is said."""
    root, other = tmp_path / "results", tmp_path / "other"
    root.mkdir()
    other.mkdir()
    (root / "events").symlink_to(other)
    with journal(root) as book:
        book(Started(A))

    assert list(other.iterdir()) == []
    assert "leads out of the results folder" in book.problem


def test_names_that_no_text_can_hold_are_written(tmp_path: Path) -> None:
    """A path or a reason with bytes that are no UTF-8 stands in the journal, without them."""
    root = tmp_path / "r\udcff"
    with JournalWriter(root, "tiny", CELLS, ["run", "tiny", "--results", str(root)]) as book:
        book(Ended(A, status=CellStatus.FAILED, reason="no \udcff"))
    run, events = read(root)

    assert book.problem == ""
    assert run.header is not None
    assert run.header.root == f"{tmp_path}/r\N{REPLACEMENT CHARACTER}"
    reasons = [event.reason for event in events if isinstance(event, Ended)]
    assert reasons == ["no \N{REPLACEMENT CHARACTER}"]


def test_a_full_disk_leaves_a_gap_and_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be written is missing, what follows half a line is whole, and it is said."""
    book = journal(tmp_path)
    with book:
        with monkeypatch.context() as patch:

            def half(path: Path, text: str) -> None:
                with path.open("a", encoding="utf-8") as file:
                    file.write(text[: len(text) // 2])
                message = "no space"
                raise EnvironmentProblem(message)

            patch.setattr("bench.execution.journal.append_text", half)
            book(Started(A))
        book(Ended(A, status=CellStatus.OK))
    run, events = read(tmp_path)

    assert book.problem == "no space"
    assert [e.kind for e in events] == ["end"]
    assert (run.damaged, run.over) == (1, "done")
