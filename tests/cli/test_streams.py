"""What commands print while somebody waits."""

import io

import pytest
from rich.console import Console, Group

from bench.base.console import Sentence, Terminal
from bench.cli.streams import decoding_progress


def test_files_are_counted() -> None:
    """One line that changes on a terminal; without one a line per tenth, the last one the total."""
    pipe, screen = io.StringIO(), io.StringIO()
    terminal = Console(file=screen, width=80, force_terminal=True, color_system=None)
    for console in (Console(file=pipe, width=80), terminal):
        with decoding_progress(console) as count:
            for n in range(1, 41):
                count(25 * n, 1000)
    lines = pipe.getvalue().splitlines()

    assert len(lines) == 10
    assert lines[-1] == "1,000 of 1,000 files decoded"
    assert "files decoded" in screen.getvalue()


@pytest.mark.parametrize("lines_end", [True, False])
def test_a_note_is_one_line_where_lines_do_not_end(*, lines_end: bool) -> None:
    """A pipe's reader finds each note by its line; a terminal's lines are broken."""
    stream = io.StringIO()
    console = Terminal(lines_end=lines_end, file=stream, width=40)
    note = "· acc: " + "test accuracy after the last epoch " * 9
    console.print(Group(Sentence(note, "dim"), Sentence("end")), crop=console.is_terminal)

    lines = stream.getvalue().splitlines()
    assert len(lines) == (2 if not lines_end else 10)
    assert lines_end or lines[0] == note
