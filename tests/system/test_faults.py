"""Disks that are full, read-only or elsewhere: a clear error, and nothing lost."""

import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

PRELUDE = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
import fakes
from bench.execution import worker_process
from bench.spec.cell import Cell
from bench.errors import BenchError
from bench.execution.executor import execute
from bench.execution.settings import Settings
from bench.execution.job import Slot
from bench.execution.journal import Entry, JournalWriter
from bench.results.cell_state import CellStates
root = Path(sys.argv[1])
cells = [Cell.model_validate_json(line) for line in Path(sys.argv[2]).read_text().splitlines()]
worker_process.run = fakes.run


def left(root):
    return [s.cell.seed for s in CellStates(root, cells).by_id.values() if s.state != "recorded"]


def run(root, *deeds):
    settings = Settings(root=root, data=Path("data"), slots=(Slot("cpu", 1),), argv=deeds)
    book = JournalWriter(root, "tiny", [], [])
    try:
        with book:
            result = execute(cells, settings, book)
        print("ended:", *[result.ended[cell.id].status for cell in cells])
    except BenchError as error:
        print("error:", type(error).__name__, error)
    print("journal:", book.problem or "whole")
"""


def inside(tmp_path: Path, tiny: Path, script: str, mount: str = "") -> list[str]:
    """The lines that a script prints in a mount namespace of its own, with `mount` done before."""
    from bench.planning.planner import plan

    cells = plan(tiny, ["estimators=[ste]", "seeds=0..1"]).cells
    (tmp_path / "cells.jsonl").write_text(
        "".join(cell.model_dump_json() + "\n" for cell in cells), encoding="utf-8"
    )
    (tmp_path / "disk").mkdir()
    body = 'if __name__ == "__main__":\n' + textwrap.indent(textwrap.dedent(script), "    ")
    head = PRELUDE.format(tests=str(Path(__file__).parent.parent))
    (tmp_path / "script.py").write_text(head + body, encoding="utf-8")
    call = (
        f"{mount.format(disk=tmp_path / 'disk')} exec {sys.executable} script.py disk cells.jsonl"
    )
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", call] if mount else ["sh", "-c", call],
        cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def can_mount() -> bool:
    if not shutil.which("unshare"):
        return False
    probe = ["unshare", "-rm", "sh", "-c", "mount -t tmpfs none /mnt"]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


pytestmark = pytest.mark.slow  # each starts Python with torch
mounts = pytest.mark.skipif(not can_mount(), reason="no mount namespaces for this user")


@mounts
def test_a_full_disk(tmp_path: Path, tiny: Path) -> None:
    """The cell ends the run with an error, the old record stays, and with room the rest is done."""
    lines = inside(
        tmp_path,
        tiny,
        """
        run(root, "ok", "fill")
        print("left:", *left(root))
        (root / "filling").unlink()
        run(root, "ok", "ok")
        print("left:", *left(root))
        print("beside:", *sorted({p.name for p in root.glob("cells/*/*")}))
        """,
        "mount -t tmpfs -o size=256k none {disk} &&",
    )

    assert lines[0].startswith("error: EnvironmentProblem cannot write `disk/cells/ste-")
    assert lines[0].endswith("record.json`: No space left on device")
    assert lines[1] == "1 of 2 cells left; what is recorded stays, run again to continue"
    assert lines[2].startswith("journal: ")
    assert lines[3] == "left: 1"
    assert lines[4:] == ["ended: ok ok", "journal: whole", "left:", "beside: log.txt record.json"]


@mounts
def test_a_read_only_folder(tmp_path: Path, tiny: Path) -> None:
    """Nothing is trained that could not be kept."""
    lines = inside(
        tmp_path,
        tiny,
        'run(root, "ok", "ok")',
        "mount -t tmpfs none {disk} && mount -o remount,ro {disk} &&",
    )

    assert lines[0].startswith("error: EnvironmentProblem cannot write `disk/leases/cells/")
    assert lines[0].endswith("`: Read-only file system")
    assert lines[1].startswith("2 of 2 cells left")
    assert lines[2].endswith("Read-only file system")


def test_another_file_system(tmp_path: Path, tiny: Path) -> None:
    """Results on one file system, temporary files on another: records are whole all the same."""
    memory = Path("/dev/shm")
    if not memory.is_dir() or memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("one file system only")
    lines = inside(
        tmp_path,
        tiny,
        """
        import tempfile
        with tempfile.TemporaryDirectory(dir="/dev/shm") as other:
            run(Path(other), "ok", "ok")
            print("left:", *left(Path(other)))
        """,
    )

    assert lines == ["ended: ok ok", "journal: whole", "left:"]


def test_a_limit_of_file_sizes(tmp_path: Path, tiny: Path) -> None:
    """`ulimit -f`, as clusters set it: an error in a line, and the other cell is trained then."""
    lines = inside(
        tmp_path,
        tiny,
        """
        import resource
        resource.setrlimit(resource.RLIMIT_FSIZE, (800, resource.RLIM_INFINITY))
        run(root, "ok", "ok")
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        run(root, "ok", "ok")
        print("left:", *left(root))
        """,
    )

    assert lines[0].startswith("error: EnvironmentProblem cannot ")
    assert lines[0].endswith(": File too large")
    assert lines[-3:] == ["ended: ok ok", "journal: whole", "left:"]
