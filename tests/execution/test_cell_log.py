"""The log of a cell, and what a process prints into it."""

import subprocess
import sys
from pathlib import Path

import pytest

from bench.execution import cell_log
from bench.planning.planner import plan

SCRIPT = """
import ctypes, sys
from pathlib import Path
from bench.execution import cell_log
cell_log.attach()
for path in map(Path, sys.argv[1:]):
    cell_log.redirect(path)
    for stream in (sys.stdout, sys.stderr):
        stream.write(f"{stream.fileno()} says \\udc80\\n")
    ctypes.CDLL(None).puts(b"C says so")
"""


@pytest.mark.linux
def test_no_print_ends_a_process(tmp_path: Path) -> None:
    """What a full disk, a link or a missing folder does not take is lost, and nothing else is."""
    link, plain = tmp_path / "link", tmp_path / "plain"
    link.symlink_to(tmp_path / "target")
    (tmp_path / "file").touch()
    paths = ["/dev/full", link, tmp_path / "file" / "none", plain]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *paths], capture_output=True, text=True, check=True
    )

    assert done.stdout + done.stderr == ""
    assert not (tmp_path / "target").exists()
    assert sorted(plain.read_text("utf-8").splitlines()) == [
        "1 says \\udc80",
        "2 says \\udc80",
        "C says so",
    ]


def test_lines_begin_where_lines_end(tiny: Path, tmp_path: Path) -> None:
    """Whatever was printed before; an end without a reason is a word."""
    one = cell_log.Log(tmp_path, plan(tiny).cells[0])
    one.end("ok", "")
    with one.path.open("a", encoding="utf-8") as file:
        file.write("cut")
    one.end("failed", "no \x1b")
    lines = one.path.read_text("utf-8").splitlines()

    assert [line.partition("+00:00 ")[2] or line for line in lines] == ["ok", "cut", "failed: no ␛"]
