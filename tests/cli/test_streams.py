"""What commands print while somebody waits."""

import io

from rich.console import Console

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
