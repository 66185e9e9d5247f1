"""
Suites on a real cluster of Ray: nodes, workers and drivers that die, and records as of a local run.

Each node has one CPU, so that the two cells of the suite run on two nodes.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from ray_nodes import RayNodes

from bench.planning import planner
from bench.results import lease, store
from bench.results.record import Record
from bench.results.record_diff import diff_records

pytest.importorskip("ray", reason="no Ray: pip install 'signbench[ray]'")
pytestmark = [pytest.mark.slow, pytest.mark.linux]

SUITE = """
estimators: [ste, reste]
backbones:
  vgg_small: {image: 8, width: 4}
data:
  digits: {train: 256, test: 50}
wa: [1/1]
seeds: [0]
train: {epochs: 30, batch_size: 32, lr: 0.1}
"""
WAIT_S = 400.0


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the suite, and an empty one for temporary files of nodes."""
    folder = tmp_path_factory.mktemp("ray")
    (folder / "suite.yaml").write_text(SUITE, encoding="utf-8")
    (folder / "scratch").mkdir()
    return folder


@pytest.fixture(scope="module")
def nodes(home: Path) -> Iterator[RayNodes]:
    cluster = RayNodes(2, home / "scratch")
    yield cluster
    cluster.close()


def start(home: Path, nodes: RayNodes, *words: str) -> "subprocess.Popen[str]":
    """Start `bench run` of the suite in a process of its own."""
    command = [sys.executable, "-m", "bench", "run", "suite.yaml", "--device", "cpu", *words]
    return subprocess.Popen(
        command, cwd=home, env=nodes.environ, text=True, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip


def on(nodes: RayNodes, more: str = "") -> tuple[str, ...]:
    return "--on", f"ray:address={nodes.address}{more}", "--checkpoint-every", "0.5s"


def until(happened: Callable[[], object], run: "subprocess.Popen[str]") -> None:
    """Wait for something that happens before the run ends."""
    end = time.monotonic() + WAIT_S
    while not happened():
        if run.poll() is not None or time.monotonic() > end:
            run.kill()
            pytest.fail("\n".join(run.communicate()))
        time.sleep(0.1)


def checkpoints(root: Path) -> list[Path]:
    return list(root.glob("cells/*/checkpoints/[0-9]*-[0-9]*"))


def checkpointed(root: Path) -> int:
    """Of how many cells there is a checkpoint."""
    return len({path.parent for path in checkpoints(root)})


def records(home: Path, root: str) -> list[Record]:
    """The records of the suite's cells."""
    plan = planner.plan(home / "suite.yaml")
    found = [store.find_record(home / root, cell) for cell in plan.cells]
    return [record for record in found if record]


def as_here(home: Path, root: str) -> list[Record]:
    """The records, which are to the bit those of a run here."""
    ours, theirs = records(home, "local"), records(home, root)
    assert len(theirs) == 2
    assert [diff_records(a, b) for a, b in zip(ours, theirs, strict=True)] == [[], []]
    assert not lease.held(home / root)
    return theirs


def workers(nodes: RayNodes) -> dict[int, str]:
    """The processes that have a batch, each with its node."""
    found: dict[int, str] = {}
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (path / "cmdline").read_bytes().startswith(b"ray::run_batch"):
                parent = (path / "stat").read_text().rpartition(")")[2].split()[1]
                raylet = Path("/proc", parent, "cmdline").read_text()
                found |= {int(path.name): node for node in nodes.nodes if node in raylet}
    return found


@pytest.fixture(scope="module")
def local(home: Path, nodes: RayNodes) -> None:
    """The suite has run on this machine alone."""
    run = start(home, nodes, "--results", "local", "-j", "2")
    out, err = run.communicate(timeout=WAIT_S)
    assert run.returncode == 0, out + err


def call(home: Path, nodes: RayNodes, *words: str) -> str:
    """What a command prints that ends well."""
    command = [sys.executable, "-m", "bench", *words]
    done = subprocess.run(
        command, cwd=home, env=nodes.environ, capture_output=True, text=True, timeout=WAIT_S,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.long
def test_a_profile_is_tried_and_measured(home: Path, nodes: RayNodes) -> None:
    """Two nodes meet in the folder; what a node measured that sees none comes home."""
    on = f"ray:address={nodes.address}"
    there = ("--results", "tried")
    tried = json.loads(call(home, nodes, "machines", "check", on, "--json", *there))
    plan = ("plan", "suite.yaml", "--filter", "estimator=ste", *there, "--on", f"{on},shared=false")
    calibrated = call(home, nodes, *plan, "--calibrate")

    wrong = {finding["what"] for finding in tried if finding["state"] != "ok"}
    assert wrong == {"two nodes"}  # which are one machine here
    assert {"link", "renames", "clocks"} < {finding["what"] for finding in tried}
    assert "core-hours; all done" in calibrated
    assert call(home, nodes, *plan) == calibrated
    assert not [*(home / "tried" / "jobs").iterdir()]


@pytest.mark.usefixtures("local")
@pytest.mark.long
def test_a_driver_that_is_killed_begins_again(home: Path, nodes: RayNodes) -> None:
    """Its jobs end with it; the same command goes on from the checkpoints in the shared folder."""
    words = ("--results", "shared", *on(nodes))
    run = start(home, nodes, *words)
    until(lambda: checkpointed(home / "shared") == 2, run)
    os.kill(run.pid, signal.SIGKILL)
    run.communicate()

    run = start(home, nodes, *words)
    out, err = run.communicate(timeout=WAIT_S)
    assert run.returncode == 0, out + err
    for record in as_here(home, "shared"):
        assert record.provenance.job
        assert record.provenance.job.engine == "ray"
        assert record.earlier


@pytest.mark.usefixtures("local")
def test_nodes_and_workers_may_die(home: Path, nodes: RayNodes) -> None:
    """
    Nothing is shared: what nodes have done comes home as they do it, and is taken from there.

    Ctrl-C leaves checkpoints. Then one node dies, and the worker on the other. The cells go on
    where they were, stdout has nothing but JSON, and no node has anything left.
    """
    root = home / "apart"
    words = ("--results", "apart", "--json", *on(nodes, ",shared=false"))
    run = start(home, nodes, *words)
    until(lambda: checkpointed(root), run)
    os.kill(run.pid, signal.SIGINT)
    out, err = run.communicate(timeout=WAIT_S)
    assert run.returncode == 130, out + err
    assert "run again to continue" in err
    assert not lease.held(root)
    before = set(checkpoints(root))
    assert before

    run = start(home, nodes, *words)
    until(lambda: set(checkpoints(root)) - before and workers(nodes), run)
    (_, node), *others = workers(nodes).items()
    nodes.kill(node)
    for worker, _ in others:
        os.kill(worker, signal.SIGKILL)
    out, err = run.communicate(timeout=WAIT_S)
    assert run.returncode == 0, out + err
    assert {json.loads(line)["kind"] for line in out.splitlines()} >= {"start", "end", "over"}
    assert any(record.earlier for record in as_here(home, "apart"))
    ends = [path.read_text() for path in root.glob("jobs/*/ends.jsonl")]
    assert '"end":"NODE_FAIL"' in "".join(ends)
    end = time.monotonic() + WAIT_S
    while list((home / "scratch").iterdir()) and time.monotonic() < end:
        time.sleep(0.1)
    assert list((home / "scratch").iterdir()) == []


@pytest.mark.parametrize(
    ("keys", "lacks"),
    [
        (",gpus_per_cell=1,slots_per_gpu=2", "has 1 CPU, 0.5 GPU for a cell (there: "),
        (",mem=900T", "has 1 CPU, 9.9e+05 GB of memory for a cell (there: "),
    ],
)
def test_what_fits_nowhere_is_not_waited_for(
    home: Path, nodes: RayNodes, keys: str, lacks: str
) -> None:
    """It is one line that says what nodes have, and which keys to change."""
    run = start(home, nodes, "--results", "nowhere", *on(nodes, keys))
    out, err = run.communicate(timeout=WAIT_S)
    assert run.returncode == 5, out + err
    (line,) = [line for line in err.splitlines() if line.startswith("error: ")]
    assert f"no node of the Ray cluster {lacks}" in line
    assert "Traceback" not in err


def test_where_no_cluster_is_none_is_waited_for(home: Path, nodes: RayNodes) -> None:
    """Neither where nothing listens, nor at an address of another kind."""
    for address, why in (
        ("127.0.0.1:9", "no Ray cluster answers at `127.0.0.1:9`: Connection refused"),
        ("ray://127.0.0.1:9", "expected HOST:PORT of a running Ray cluster, or auto"),
    ):
        run = start(home, nodes, "--results", "nowhere", "--on", f"ray:address={address}")
        out, err = run.communicate(timeout=WAIT_S)
        assert run.returncode == 5, out + err
        assert why in err
