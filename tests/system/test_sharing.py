"""One folder, shared: containers, hidden processes, runs that were stopped."""

import os
import shutil
import subprocess
import sys
import textwrap
from collections import Counter
from pathlib import Path

import pytest

import bench
from bench.planning.planner import plan

OURS = {
    **os.environ,
    "PYTHONPATH": f"{Path(bench.__file__).parent.parent}:{Path(__file__).parent.parent}",
}
RUN = """
import sys
from pathlib import Path
import fakes
from bench.results import lease
from bench.results.owner import alive, myself
from bench.execution import work_queue, worker_process
from bench.execution.executor import execute
from bench.execution.job import Slot
from bench.execution.settings import Settings
from bench.spec.cell import Cell

lease.BEAT_S, work_queue.CHECK_S = 0.2, 0.2
root = Path("results")
cells = [Cell.model_validate_json(line) for line in Path("cells.jsonl").read_text().splitlines()]
worker_process.run = fakes.run


def run(*deeds):
    settings = Settings(root=root, data=Path("data"), slots=(Slot("cpu", 1),), argv=deeds)
    result = execute(cells, settings, lambda event: print(event.kind, event.cell_id, flush=True))
    print("ended", *[result.ended[cell.id].status for cell in cells], flush=True)


if __name__ == "__main__":
"""


def can_unshare() -> bool:
    probe = ["unshare", "--pid", "--fork", "--mount-proc", "true"]
    return bool(shutil.which("unshare")) and not subprocess.call(probe, stderr=subprocess.DEVNULL)


pytestmark = [pytest.mark.slow, pytest.mark.linux]
namespaces = pytest.mark.skipif(not can_unshare(), reason="no namespaces for this user")
CONTAINER = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]


@pytest.fixture
def home(tmp_path: Path, tiny: Path) -> Path:
    """A folder with four cells in a file."""
    cells = plan(tiny, ["estimators=[ste]", "seeds=0..3"]).cells
    lines = "".join(f"{cell.model_dump_json()}\n" for cell in cells)
    (tmp_path / "cells.jsonl").write_text(lines, encoding="utf-8")
    return tmp_path


def start(home: Path, body: str, *before: str) -> subprocess.Popen[str]:
    """A process that does `body` after what is above, perhaps by way of other commands."""
    path = home / f"script{len([*home.glob('script*')])}.py"
    path.write_text(RUN + textwrap.indent(textwrap.dedent(body), "    "), encoding="utf-8")
    return subprocess.Popen(
        [*before, sys.executable, str(path)],
        cwd=home, env=OURS, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


def begun(*told: str) -> Counter[str]:
    """How often each cell was begun, by what runs told."""
    lines = [line.split() for text in told for line in text.splitlines()]
    return Counter(words[1] for words in lines if words[0] == "start")


@namespaces
def test_two_containers_of_one_host_name(home: Path) -> None:
    """Each has its own process numbers, and a process of the other's number is not its owner."""
    body = 'run(*["slow"] * 4)'
    runs = [start(home, body, *CONTAINER), start(home, body, *CONTAINER), start(home, body)]
    told = [run.communicate(timeout=100)[0] for run in runs]

    assert [run.returncode for run in runs] == [0, 0, 0]
    assert sorted(begun(*told).values()) == [1, 1, 1, 1]
    assert all("ended ok ok ok ok" in text for text in told)


@namespaces
def test_two_machines_of_one_host_name(home: Path) -> None:
    """Another boot, as of another machine: its living run is not dead, whatever its number is."""
    (home / "boot").write_text("another\n", encoding="utf-8")
    elsewhere = ["unshare", "--mount", "sh", "-c"]
    elsewhere += ['mount --bind boot /proc/sys/kernel/random/boot_id && exec "$@"', "sh"]
    body = 'run(*["slow"] * 4)'
    runs = [start(home, body, *elsewhere), start(home, body)]
    told = [run.communicate(timeout=100)[0] for run in runs]

    assert sorted(begun(*told).values()) == [1, 1, 1, 1]
    assert all("ended ok ok ok ok" in text for text in told)


@namespaces
@pytest.mark.skipif(os.getuid() != 0, reason="only root takes other numbers")
@pytest.mark.parametrize("hidepid", [1, 2])
def test_a_process_that_is_hidden_is_not_dead(home: Path, hidepid: int) -> None:
    """Where /proc shows a user its own processes alone, another's owner is not said to be gone."""
    looks = "import sys; from bench.results.owner import Owner, alive; "
    looks += "print(alive(Owner.model_validate_json(sys.argv[1])))"
    script = f"""
    import subprocess
    hide = ["mount", "-t", "proc", "-o", "remount,hidepid={hidepid}", "proc", "/proc"]
    subprocess.run(hide, check=True)
    rights = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search", "--clear-groups"]
    stranger = ["setpriv", "--reuid=54321", "--regid=54321", *rights, sys.executable, "-c"]
    owner = myself()
    for pid in (owner.pid, 4194000):
        text = owner.model_copy(update={{"pid": pid}}).model_dump_json()
        subprocess.run([*stranger, {looks!r}, text], check=True)
    """
    told, _ = start(home, script, *CONTAINER).communicate(timeout=100)

    assert told.split() == ["None", "False"]


def test_a_run_that_was_stopped_for_long(home: Path) -> None:
    """Elsewhere its cell is followed; when it goes on it lets go, and both end with all."""
    owner = 'lease.DEAD_S = 1.0; lease.alive = lambda _: None; run(*["slow"] * 4)'
    one = start(home, owner)
    assert one.stdout
    first = one.stdout.readline()
    while not first.startswith("start"):
        first = one.stdout.readline()
    subprocess.run(["kill", "-STOP", f"{one.pid}"], check=True)
    two = start(home, owner)
    told, _ = two.communicate(timeout=100)
    subprocess.run(["kill", "-CONT", f"{one.pid}"], check=True)
    rest, _ = one.communicate(timeout=100)

    assert "ended ok ok ok ok" in told
    assert "ended ok ok ok ok" in rest
    assert begun(told).total() in {3, 4}  # its worker was not stopped, and may have ended the cell
    assert begun(rest).total() == 0
