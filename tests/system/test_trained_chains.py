"""Chains of cells from end to end: they train in order, fail together, and go on bit for bit."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from chains import SUITE, write

from bench.execution import cell_run
from bench.execution.job import Job
from bench.execution.link import RunLink
from bench.planning.planner import plan
from bench.results import store
from bench.results.record import Record
from bench.results.record_diff import diff_records
from bench.spec.cell import Cell
from bench.spec.plan import Plan

Ask = Callable[..., tuple[int, str, str]]


def planned(home: Path) -> Plan:
    return plan(write(home))


def job(of: Cell, root: Path) -> Job:
    plugins = (root.parent / "plugins",)
    return Job(of, root, "cpu", 1, 1, False, root, plugins, ("run", "toy.yaml"), 1e9)


def train(cells: list[Cell], root: Path) -> list[Record]:
    for each in cells:
        cell_run.run(job(each, root))
    return found(cells, root)


def found(cells: list[Cell], root: Path) -> list[Record]:
    records = [store.find_record(root, each) for each in cells]
    return [record for record in records if record]


class Halting:
    """Asks a training to stop at the n-th time that it asks."""

    def __init__(self, after: int) -> None:
        self.left = after

    def __call__(self) -> bool:
        self.left -= 1
        return self.left < 0


@pytest.mark.slow
def test_a_chain_that_is_stopped_anywhere_ends_in_the_same_bits(tmp_path: Path) -> None:
    """Between stages and inside of them, teacher included; a process a try."""
    whole = tmp_path / "whole"
    cells = plan(write(whole), ["estimators.toy.keep=best"]).possible
    expected = train(cells, whole / "results")
    assert [record.status for record in expected] == ["ok"] * 3

    for after in (0, 3):
        root = tmp_path / "whole" / f"stopped{after}"
        for each in cells:
            for more in range(20):  # each try comes further
                cell_run.run(job(each, root), RunLink(halted=Halting(after + more)))
                if store.find_record(root, each):
                    break
        for a, b in zip(expected, found(cells, root), strict=True):
            assert diff_records(a, b) == []
            assert a.parents == b.parents
        assert any(record.earlier for record in found(cells, root))


@pytest.mark.slow
@pytest.mark.usefixtures("here")
def test_what_a_cell_rests_on_is_what_it_began_from(tmp_path: Path) -> None:
    """Its record has the digests of the weights that it took; it is no training from scratch."""
    suite = plan(write(tmp_path))
    teacher, first, last = train(suite.possible, tmp_path / "results")

    assert last.parents == {
        "start": first.weights_digest,
        "teacher": teacher.weights_digest,
    }
    assert first.parents == {"teacher": teacher.weights_digest}
    alone = last.cell.model_copy(update={"start": None})
    (scratch,) = train([alone], tmp_path / "results")
    assert scratch.weights_digest != last.weights_digest


@pytest.mark.slow
@pytest.mark.usefixtures("here")
def test_a_failed_parent_leaves_its_children_waiting_and_a_rerun_repairs_both(
    tmp_path: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What failed is named in events, at the end, in the exit status and in `bench status`."""
    suite, root = write(tmp_path), tmp_path / "results"
    monkeypatch.setenv("TOY_FAILS", "first")
    teacher, first, last = plan(suite).possible
    code, out, err = ask("run", suite, "--results", root)
    why = f"waiting for {first.slug}, which failed"

    assert code != 0
    assert f"failed: {first.slug}: ValueError: not today" in err
    assert f"blocked: {last.slug}: {why}" in err
    assert f"toy seed 0: blocked, {why}" in out
    assert [r.cell.id for r in found([teacher, first, last], root)] == [teacher.id, first.id]
    _, status, _ = ask("status", "--results", root)
    assert "2/3 cells done, 1 failed, 1 blocked" in status
    assert why in ask("status", "--results", root, "--json")[1]

    monkeypatch.delenv("TOY_FAILS")
    code, out, _ = ask("run", suite, "--results", root, "--rerun", "failed")
    assert code == 0
    assert "again: 2 cells, 0 recorded, 2 to run" in out
    assert [r.status for r in found([teacher, first, last], root)] == ["ok"] * 3


@pytest.mark.slow
@pytest.mark.usefixtures("here")
def test_weights_that_are_gone_or_changed_are_told(tmp_path: Path, ask: Ask) -> None:
    """A record that was merged without weights, and weights that are not the record's."""
    suite, root = write(tmp_path), tmp_path / "results"
    teacher, first, last = plan(suite).possible
    train([teacher, first], root)
    kept = store.weights_path(root, first, "last")
    kept.rename(tmp_path / "aside")
    code, _, err = ask("run", suite, "--results", root)
    hint = f"run it again with --rerun {first.id}"

    assert code != 0
    why = f"waiting for {first.slug}: its weights are not there; {hint}"
    assert f"blocked: {last.slug}: {why}" in err
    kept.write_bytes(store.weights_path(root, teacher, "last").read_bytes())
    code, _, err = ask("run", suite, "--results", root)
    assert code != 0
    assert (
        f"failed: {last.slug}: `{kept}` is not what the record of {first.slug} says; {hint}" in err
    )

    code, out, _ = ask("run", suite, "--results", root, "--rerun", first.id)
    assert "again: 1 cell" in out
    code, _, _ = ask("run", suite, "--results", root)
    assert code == 0
    assert [r.status for r in found([teacher, first, last], root)] == ["ok"] * 3


@pytest.mark.slow
@pytest.mark.usefixtures("here")
def test_a_teacher_of_one_suite_teaches_in_the_next(tmp_path: Path, ask: Ask) -> None:
    """It is the cell of the full-precision row, and is not trained again."""
    root = tmp_path / "results"
    real = write(tmp_path, SUITE.replace("{toy: {}}", "[ste]") + "wa: [32/32]\n", "real")
    code, _, _ = ask("run", real, "--results", root)
    toy = write(tmp_path)
    _, planned, _ = ask("plan", toy, "--results", root)
    again, out, _ = ask("run", toy, "--results", root)

    assert (code, again) == (0, 0)
    assert "recorded  toy x resnet20 x 1/1 x default x seed 0 (teacher)" in planned
    assert "3 cells, 1 recorded, 2 to run" in out


@pytest.mark.slow
@pytest.mark.usefixtures("here")
def test_seeds_and_trials_that_are_added_bring_their_chains(tmp_path: Path, ask: Ask) -> None:
    """Tuning trains teacher and stages of each trial, and of what it chooses."""
    root = tmp_path / "results"
    suite = write(
        tmp_path, SUITE + "tune: {train: {lr: [0.1, 0.05]}, held_out: 0.25, seeds: [9]}\n"
    )
    code, out, _ = ask("run", suite, "--results", root)

    assert code == 0
    assert "7 cells, 0 recorded, 7 to run" in out  # of both trials the first stage is one
    assert "toy (held out, lr=0.1, stage 1 of 2) seed 9: ok" in out
    assert "toy (held out, lr=0.1, teacher) seed 9: ok" in out


@pytest.mark.slow
def test_a_run_that_is_killed_in_each_stage_ends_in_the_same_bits(tmp_path: Path) -> None:
    """Two workers and no warning: killed when each cell of the chain has a checkpoint."""
    suite = write(tmp_path / "whole")
    overrides = ["train.epochs=5", "data.digits.train=320", "train.lr=0.02"]
    cells = plan(suite, overrides).possible
    expected = train(cells, suite.parent / "results")
    root = tmp_path / "killed"
    words = ["run", suite, *overrides, "--results", root, "--checkpoint-every", "0.1", "-j", "2"]
    command = [sys.executable, "-m", "bench", *map(str, words)]

    for each in cells:
        checkpoints = store.cell_path(root, each) / "checkpoints"
        with subprocess.Popen(command, start_new_session=True) as process:
            while process.poll() is None and not any(checkpoints.glob("[0-9]*")):
                time.sleep(0.02)
            os.killpg(process.pid, signal.SIGKILL)
    code = subprocess.run(command, check=False).returncode

    assert code == 0
    for a, b in zip(expected, found(cells, root), strict=True):
        assert diff_records(a, b) == []
        assert a.parents == b.parents
    assert any(record.earlier for record in found(cells, root))
