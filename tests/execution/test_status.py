"""What runs on a results folder, and the logs of its cells, as another terminal sees them."""

import io
import json
import threading
import time
from pathlib import Path

import pytest
from rich.console import Console

from bench.base.files import append_text
from bench.base.signals import Stopped
from bench.errors import BenchError, UsageError
from bench.execution import log_reader, status
from bench.execution.events import Ended, Progressed, Started
from bench.execution.journal import Entry, JournalWriter
from bench.results.owner import Owner, myself
from bench.spec.cell_status import CellStatus

CELLS = [
    Entry(id=f"{i:012}", name=f"ste seed {i}", folder=f"ste-s{i}__{i:012}", epochs=10)
    for i in range(3)
]
A, B, C = (cell.id for cell in CELLS)


def begin(root: Path) -> JournalWriter:
    """A run of this process: one cell ended, one at its fifth epoch of ten, one waits."""
    book = JournalWriter(root, "tiny", CELLS, ["run", "tiny"])
    book.__enter__()
    for event in (
        Started(A),
        Ended(A, status=CellStatus.OK, acc=0.75),
        Started(B),
        Progressed(B, epoch=5, acc=0.5),
    ):
        book(event)
    return book


def end(book: JournalWriter) -> None:
    book.__exit__(None, None, None)


def owned(path: Path, owner: Owner) -> None:
    """Another owner for a journal."""
    first, *rest = path.read_text(encoding="utf-8").splitlines()
    header = json.loads(first) | {"owner": owner.model_dump()}
    path.write_text("\n".join([json.dumps(header), *rest, ""]), encoding="utf-8")


def console(*, terminal: bool = False) -> Console:
    return Console(
        width=100, height=30, file=io.StringIO(), force_terminal=terminal, color_system=None
    )


def written(out: Console) -> str:
    assert isinstance(out.file, io.StringIO)
    return out.file.getvalue()


@pytest.mark.linux
@pytest.mark.parametrize("terminal", [False, True])
def test_a_run_that_goes_on_is_shown_cell_by_cell(tmp_path: Path, terminal: bool) -> None:
    """State, epoch and accuracy of each cell, whose run it is, in a pipe and on a terminal."""
    begin(tmp_path)
    out = console(terminal=terminal)
    status.show_boards(tmp_path, out)
    text = written(out)

    assert "alive: bench run tiny" in text
    assert "tiny: 1/3 cells done" in text
    for words in (("ok", "10/10", "75.00"), ("running", "5/10", "50.00"), ("waiting", "seed 2")):
        assert any(all(word in line for word in words) for line in text.splitlines())


@pytest.mark.linux
def test_runs_that_ended_have_a_line(tmp_path: Path) -> None:
    """A run that is over says how it ended; one that was killed is dead, and runs nothing."""
    end(begin(tmp_path))
    killed = begin(tmp_path)
    owned(killed.path, killed.header.owner.model_copy(update={"began": "1"}))
    out = console()
    status.show_boards(tmp_path, out)
    text = " ".join(written(out).split())

    assert "over: bench run tiny" in text
    assert "UTC: done)" in text
    assert "dead: bench run tiny" in text
    assert "1/3 cells done, 1 interrupted" in text


def test_an_end_with_several_reasons_is_a_line(tmp_path: Path) -> None:
    """A journal may hold an error of several lines."""
    begin(tmp_path).__exit__(BenchError, BenchError("the disk is full\n2 of 3 cells left"), None)
    (sight,) = status.all_runs(tmp_path)

    assert sight.line.endswith("UTC: the disk is full; 2 of 3 cells left)")


def test_a_run_of_another_machine_is_not_judged(tmp_path: Path) -> None:
    """All there is to say is when it was last heard of."""
    book = begin(tmp_path)
    owned(book.path, myself().model_copy(update={"host": "far", "place": "another boot"}))
    out = console()
    status.show_boards(tmp_path, out)

    assert "elsewhere: bench run tiny  (far, process" in written(out)
    assert "last heard of 0:00:0" in written(out)


def test_no_runs(tmp_path: Path) -> None:
    """A folder without events, and none at all, are said to be so."""
    for see in (status.show_boards, status.watch_boards):
        out = console()
        see(tmp_path / "nothing", out)
        assert written(out) == f"no run has left events under `{tmp_path / 'nothing'}`\n"


@pytest.mark.linux
def test_json_has_all_of_it(tmp_path: Path) -> None:
    """Programs get every run and cell, with numbers as numbers."""
    end(begin(tmp_path))
    begin(tmp_path)
    first, second = status.list_boards(tmp_path)

    assert (first["state"], first["end"], second["state"]) == ("over", "done", "alive")
    cell = second["cells"][1]
    assert (cell["state"], cell["epoch"], cell["epochs"], cell["acc"]) == ("running", 5, 10, 0.5)
    assert cell["log"] == str(tmp_path / "cells" / CELLS[1].folder / "log.txt")


@pytest.mark.parametrize("terminal", [False, True])
def test_watching_ends_with_the_runs(
    tmp_path: Path, terminal: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What happens meanwhile is shown, and when no run goes on, how they ended."""
    book = begin(tmp_path)
    steps = iter(
        [
            lambda: book(Ended(B, status=CellStatus.FAILED, reason="RuntimeError: no")),
            lambda: book(Started(C)),
            lambda: end(book),
        ]
    )
    monkeypatch.setattr(time, "sleep", lambda _: next(steps)())
    out = console(terminal=terminal)
    status.watch_boards(tmp_path, out)
    text = written(out)

    assert "RuntimeError: no" in text or terminal
    assert "failed" in text
    assert "UTC: done)" in " ".join(text.split())


def test_leaving_a_watch_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C is how one leaves."""

    def interrupt(_: float) -> None:
        raise Stopped(2)

    begin(tmp_path)
    monkeypatch.setattr(time, "sleep", interrupt)
    out = console()
    status.watch_boards(tmp_path, out)
    log_reader.follow(tmp_path, tmp_path / "none", lambda _: None)

    assert "alive" in written(out)


def test_logs_are_found_by_any_name(tmp_path: Path) -> None:
    """Id, folder, name, a part of one; also of a cell that has not begun, while its run goes on."""
    book = begin(tmp_path)
    append_text(tmp_path / "cells" / CELLS[0].folder / "log.txt", "hello\n")
    for i, cell in enumerate(CELLS):
        path = tmp_path / "cells" / cell.folder / "log.txt"
        for word in (cell.id, cell.folder, cell.name, f"seed {i}"):
            assert log_reader.find(tmp_path, word) == path
    with pytest.raises(UsageError, match="not begun; -f waits for it"):
        log_reader.show(log_reader.find(tmp_path, B), lambda _: None)
    end(book)

    assert log_reader.find(tmp_path, "seed 0")
    with pytest.raises(UsageError, match=r"no cell of .* is called `seed 2`; `bench status`"):
        log_reader.find(tmp_path, "seed 2")


def test_a_log_that_leads_elsewhere_is_not_shown(tmp_path: Path) -> None:
    """A file or folder of strangers may be a link to the reader's own."""
    secret = tmp_path / "mine"
    append_text(secret / "log.txt", "hush\n")
    root, shown = tmp_path / "results", list[str]()
    for folder in ("a__1", "c__3"):
        append_text(root / "cells" / folder / "log.txt", "")
    (root / "cells" / "b__2").symlink_to(secret)
    (root / "cells" / "c__3" / "log.txt").unlink()
    (root / "cells" / "c__3" / "log.txt").symlink_to(secret / "log.txt")
    with pytest.raises(UsageError, match="is a link"):
        log_reader.show(log_reader.find(root, "c__3"), shown.append)
    for word in ("b__2", "mine"):
        with pytest.raises(UsageError, match="no cell of"):
            log_reader.find(root, word)
    log_reader.follow(root, root / "cells" / "c__3" / "log.txt", shown.append)

    assert shown == []


def test_a_name_is_that_of_the_cell_that_begins_so(tmp_path: Path) -> None:
    """As for other commands `ste` is not `reste`; and no record is needed."""
    for folder in ("ste-s0__00000000000a", "reste-s0__00000000000b"):
        append_text(tmp_path / "cells" / folder / "log.txt", "failed: its worker process died\n")

    assert log_reader.find(tmp_path, "ste").parent.name == "ste-s0__00000000000a"
    assert log_reader.find(tmp_path, "reste").parent.name == "reste-s0__00000000000b"
    assert log_reader.find(tmp_path, "00000000000b").parent.name == "reste-s0__00000000000b"
    with pytest.raises(UsageError, match="names 2 cells"):
        log_reader.find(tmp_path, "s0")


def test_a_name_of_several_lists_their_logs(tmp_path: Path) -> None:
    """Which one is meant can be read from the error."""
    begin(tmp_path)
    with pytest.raises(UsageError) as caught:
        log_reader.find(tmp_path, "ste")

    paths = [f"  {tmp_path}/cells/{cell.folder}/log.txt" for cell in CELLS]
    assert str(caught.value).splitlines()[1:] == paths


def test_a_log_is_followed_from_before_it_exists(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whole lines as they come, until the cell has ended, though its run goes on."""
    monkeypatch.setattr(log_reader, "EVERY_S", 0.01)
    monkeypatch.setattr(log_reader, "LOOK_S", 0.02)
    book = begin(tmp_path)
    path = log_reader.find(tmp_path, C)
    said: list[str] = []
    follower = threading.Thread(target=log_reader.follow, args=(tmp_path, path, said.append))
    follower.start()
    book(Started(C))
    append_text(path, "one\ntw")
    wait_for(lambda: said == ["one\n"])
    append_text(path, "o\n")
    wait_for(lambda: said == ["one\n", "two\n"])
    append_text(path, "ok\n")
    book(Ended(C, status=CellStatus.OK, acc=0.5))
    follower.join(30)

    assert not follower.is_alive()
    assert "".join(said) == "one\ntwo\nok\n"


def wait_for(true: "object") -> None:
    deadline = time.monotonic() + 30
    while not true():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.01)
