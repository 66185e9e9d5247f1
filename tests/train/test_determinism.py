"""Two short trainings: they agree here, and where they do not the receipt says from which step."""

import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from bench.base.files import write_file
from bench.execution.cell_run import run
from bench.execution.job import Job
from bench.leaderboard.ranking import rank
from bench.results import store
from bench.results.record import Receipt
from bench.results.record_diff import first_differing_step
from bench.spec.cell import Cell
from bench.train import determinism
from bench.train.ranks import ALONE, Ranks


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:  # pyright: ignore[reportUnusedFunction]
    """A process keeps its receipts; a test's are its own."""
    determinism.find_or_make_receipt.cache_clear()
    yield
    determinism.find_or_make_receipt.cache_clear()


def test_two_trainings_agree() -> None:
    """Six steps, each with weights of its own, twice the same."""
    made = determinism.make_receipt("cpu", 1)

    assert made.first_difference is None
    assert len(set(made.steps)) == len(made.steps) == 6
    assert made.environment == determinism.describe_environment("cpu", 1)
    assert f"torch {torch.__version__}" in made.environment


def test_the_step_that_differs_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights that are others after the fourth step of the second training: step 4."""
    honest, calls = determinism.digest, iter(range(1, 100))

    def digest(state: dict[str, torch.Tensor]) -> str:
        return honest(state) + "x" * (next(calls) == 6 + 4)

    monkeypatch.setattr(determinism, "digest", digest)

    assert determinism.make_receipt("cpu", 1).first_difference == 4


def test_generators_and_threads_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """What trains after a receipt draws the numbers that it would have drawn without."""

    def train(*_: object) -> list[str]:
        determinism.model.seed_everything(0)
        return [str(torch.rand(1))]

    monkeypatch.setattr(determinism, "_train", train)
    torch.manual_seed(3)
    before = torch.get_rng_state(), random.getstate(), str(np.random.get_state())  # noqa: NPY002
    threads, fixed = torch.get_num_threads(), torch.backends.cudnn.deterministic
    determinism.make_receipt("cpu", threads + 1)

    assert torch.equal(torch.get_rng_state(), before[0])
    assert (random.getstate(), str(np.random.get_state())) == before[1:]  # noqa: NPY002
    assert (torch.get_num_threads(), torch.backends.cudnn.deterministic) == (threads, fixed)


@pytest.mark.parametrize(
    ("one", "other", "step"),
    [("abc", "abc", None), ("abc", "abd", 3), ("abc", "xbc", 1), ("abc", "ab", 3), ("", "", None)],
)
def test_the_first_difference(one: str, other: str, step: int | None) -> None:
    """Steps count from 1; a training that has fewer differs where it ends."""
    assert first_differing_step(list(one), list(other)) == step


def test_a_folder_keeps_one_for_each_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Made once, then read; made anew for other threads, on another host, after a reboot."""
    made: list[int] = []

    def make(device: str, threads: int, compiled: bool, ranks: Ranks) -> Receipt:
        assert ranks is ALONE
        made.append(threads)
        environment = determinism.describe_environment(device, threads, compiled)
        return Receipt(environment=environment, steps=["a"], first_difference=None, made="now")

    monkeypatch.setattr(determinism, "make_receipt", make)
    first = determinism.find_or_make_receipt(tmp_path, "cpu", 1)
    determinism.find_or_make_receipt.cache_clear()  # as another process
    again = determinism.find_or_make_receipt(tmp_path, "cpu", 1)
    determinism.find_or_make_receipt(tmp_path, "cpu", 2)

    assert made == [1, 2]
    assert first == again
    with monkeypatch.context() as elsewhere:
        for name, value in (("platform.node", "twin"), ("bench.base.machine.boot", "later")):
            elsewhere.setattr(name, lambda value=value: value)
            determinism.find_or_make_receipt.cache_clear()
            assert determinism.find_or_make_receipt(tmp_path, "cpu", 1) == first
    assert made == [1, 2, 1, 1]
    assert sorted(r.environment for r in determinism.read_receipts(tmp_path)) == sorted(
        determinism.describe_environment("cpu", n) for n in (1, 1, 1, 2)
    )
    for path in (tmp_path / "receipts").iterdir():
        path.write_text("{")
    determinism.find_or_make_receipt.cache_clear()
    # a damaged one is made again
    assert determinism.find_or_make_receipt(tmp_path, "cpu", 1) == first
    assert made == [1, 2, 1, 1, 1]


def test_a_folder_that_cannot_be_written_is_no_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The receipt is then used, and not kept."""
    (tmp_path / "receipts").write_text("a file where the folder would be")
    known = Receipt(environment="here", steps=["a"], first_difference=None, made="now")
    monkeypatch.setattr(determinism, "make_receipt", lambda *_: known)

    assert determinism.find_or_make_receipt(tmp_path, "cpu", 1) is known
    assert list(determinism.read_receipts(tmp_path)) == []


def test_every_record_holds_the_receipt(tiny: Path, tmp_path: Path) -> None:
    """A cell's record carries it; where trainings differ its log and the table say so."""
    from bench.planning import planner

    plan = planner.plan(tiny)
    known = determinism.describe_environment("cpu", 1)
    unsteady = Receipt(environment=known, steps=["a", "b"], first_difference=2, made="now")
    write_file(determinism._path(tmp_path, known), unsteady.model_dump_json())  # pyright: ignore[reportPrivateUsage]
    cell: Cell = plan.cells[0]
    run(Job(cell, tmp_path, "cpu", 1, 0, False, tmp_path, (), (), 1e9))
    record = store.find_record(tmp_path, cell)

    assert record
    assert record.receipt == unsteady
    log = (store.cell_path(tmp_path, cell) / "log.txt").read_text(encoding="utf-8")
    assert "two equal trainings here differ from step 2 on" in log
    assert f"1 record from a machine on which equal trainings differ: {known}" in (
        rank(plan, [record]).notes
    )
