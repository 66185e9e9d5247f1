"""Several processes of a worker that train one cell: what becomes of it where one is lost."""

import os
import re
import signal
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from multiprocessing import Pipe, get_context
from pathlib import Path

import pytest
import samples

from bench.errors import EnvironmentProblem, NodeLost
from bench.execution import rank_host
from bench.execution.cell_run import train_beside
from bench.execution.events import Ended, Event, Progressed
from bench.execution.executor import execute
from bench.execution.job import OtherNode, Slot
from bench.execution.rank_children import Children
from bench.execution.rank_nodes import SILENT, HostTask, RankNode, start_nodes
from bench.execution.settings import Settings
from bench.planning.planner import plan
from bench.results import store
from bench.spec.cell import Cell
from bench.spec.cell_status import CellStatus

SUITE = """
estimators: [reste]
wa: [1/1]
backbones: {resnet20: {width: 2}}
data: {digits: {train: 96, test: 50}}
seeds: [0]
train: {epochs: 8, batch_size: 32}
"""


OTHER = OtherNode("n2", ("env",), "127.0.0.1")  # a node that is this machine


def family(pid: int) -> list[int]:
    """Python processes that a process has started, and theirs, each after who started it."""
    found: list[int] = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, path.read_text("ascii").split()):
            words = Path(f"/proc/{child}/cmdline").read_bytes()
            if b"spawn_main" in words or b"rank_host" in words:
                found += [child, *family(child)]
    return found


def is_gone(pid: int) -> bool:
    """Has a process ended, or will within some seconds?"""
    for _ in range(100):
        try:
            if Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.1)
    return False


class Killer:
    """Kills a process in some epoch of a cell: by its number in the family of the run."""

    def __init__(self, epoch: int, number: int) -> None:
        self.epoch, self.number = epoch, number
        self.family: list[int] = []

    def __call__(self, event: Event) -> None:
        if isinstance(event, Progressed) and event.epoch >= self.epoch and not self.family:
            self.family = family(os.getpid())
            os.kill(self.family[self.number], signal.SIGKILL)


SLOT = Slot("cpu", 1, (), (OTHER,))


def settings(root: Path, beside: int = 0, others: tuple[OtherNode, ...] = ()) -> Settings:
    slot = Slot("cpu", 1, ("cpu",) * beside, others)
    return Settings(root=root, data=Path("data"), slots=(slot,), checkpoint_s=0.0)


@pytest.fixture
def cell(tmp_path: Path) -> Cell:
    suite = tmp_path / "suite.yaml"
    suite.write_text(SUITE, encoding="utf-8")
    return plan(suite).cells[0]


@pytest.mark.slow
def test_a_lost_process_ends_all_and_the_cell_goes_on(cell: Cell, tmp_path: Path) -> None:
    """
    One beside is killed, one on another node, that node's host, and the one that leads.

    A lost node is no failure of the cell. One process ends what two had begun.
    """
    log, two = store.cell_path(tmp_path, cell) / "log.txt", settings(tmp_path, others=(OTHER,))
    games = {
        "process 2 of 2 died (SIGKILL)": (Killer(1, 1), settings(tmp_path, 1)),
        "process 2 of 2 on n2 died (SIGKILL)": (Killer(2, 2), two),
        "n2 was lost: its processes ended without a word": (Killer(3, 1), two),
        "its worker process died (SIGKILL)": (Killer(4, 0), two),
    }
    for reason, (killer, how) in games.items():
        ended: list[Ended] = []
        lost = pytest.raises(NodeLost, match=reason) if "lost" in reason else nullcontext()
        with lost:
            execute([cell], how, lambda e, k=killer, ended=ended: note(e, k, ended))
        assert [end.reason for end in ended] == [reason]
        assert ended[0].status.failed is ("lost" not in reason)
        assert len(killer.family) == 2 + (how is two)
        assert all(map(is_gone, killer.family))
    result = execute([cell], settings(tmp_path), lambda _: None)
    record = store.find_record(tmp_path, cell)

    assert result.ended[cell.id].status is CellStatus.OK
    assert record is not None
    assert [process.processes for process in record.earlier] == [2, 2, 2, 2]
    assert record.provenance.processes == 1
    assert "2 processes" in log.read_text("utf-8")
    assert "not as before the interruption: processes 1, was 2" in log.read_text("utf-8")


def note(event: Event, killer: Killer, ended: list[Ended]) -> None:
    killer(event)
    if isinstance(event, Ended):
        ended.append(event)


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("false", "n2: no processes could be started there (exit code 1)"),
        ("nosuch", "cannot call `nosuch`: No such file or directory"),
    ],
)
def test_a_node_on_which_nothing_starts_is_said(command: str, reason: str) -> None:
    """At once, in one line, before any process of this node has started."""
    slot = replace(SLOT, others=(replace(OTHER, command=(command,)),))
    nodes: list[RankNode] = []
    job = settings(Path("nowhere")).job(samples.cell(), slot)
    with pytest.raises(EnvironmentProblem, match=re.escape(reason) + "$"):
        start_nodes(nodes, job, train_beside, 1)
    for node in nodes:
        node.end()


def test_a_host_that_falls_silent_is_dead_and_a_slow_one_is_not() -> None:
    """A minute of beats that nobody answers is a lost node; one answer starts the count anew."""
    task = HostTask(
        "", 1, b"", 0, 1, settings(Path("nowhere")).job(samples.cell(), SLOT), train_beside, 1
    )
    node = RankNode(OtherNode("n2", ("true",), ""), task)
    node.connection, there = Pipe()
    lost: list[str] = []
    for answered in (True, False):
        for _ in range(SILENT):
            node.beat()
        if answered:
            there.send_bytes(b"")
        node.hear()
        node.beat()
        lost.append(node.lost)
    node.end()

    assert lost == ["", "n2 was lost: nothing was heard of it for 60 s"]


def test_a_host_ends_when_the_one_that_leads_falls_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """It answers beats; a minute without one, or the end of the connection, is the end."""
    monkeypatch.setattr(rank_host, "BEAT_S", 0.01)
    process = get_context("spawn").Process(target=time.sleep, args=(60,))
    process.start()
    children = Children()
    children.processes[1] = process
    ours, leader = Pipe()
    leader.send_bytes(b"")
    silent = rank_host.follow(ours, children)
    answer = leader.recv_bytes()
    leader.close()
    closed = rank_host.follow(ours, children)
    process.kill()
    process.join()

    assert (silent, answer, closed) == (False, b"", False)


def test_too_many_processes_are_refused_before_anything_runs(
    ask: Callable[..., tuple[int, str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line that names the cell; no results folder is made."""
    monkeypatch.chdir(tmp_path)
    Path("suite.yaml").write_text(SUITE, encoding="utf-8")
    code, _, err = ask("run", "suite.yaml", "--ranks", "33", "--device", "cpu")

    assert code == 2
    (line,) = err.strip().splitlines()
    assert line.endswith("cannot be trained by 33 processes: its batches have 32 images")
    assert line.startswith("error: reste-resnet20-w1a1-s0")
    assert not [*tmp_path.glob("results/cells/*")]
