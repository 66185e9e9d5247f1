"""Kept weights, measured again."""

from pathlib import Path

from bench.execution import cell_run
from bench.execution.job import Job
from bench.planning.planner import plan
from bench.results import store
from bench.train import evaluation


def test_weights_are_checked_against_the_record(tiny: Path, tmp_path: Path) -> None:
    """The last and the best weights are the recorded ones, or the line says that they are not."""
    (cell, *_) = plan(tiny).cells
    cell_run.run(Job(cell, tmp_path, "cpu", 1, 0, False, Path("data"), (), (), 1e9))
    before = list(evaluation.measure_again(cell.id, tmp_path, None))
    best, last = (store.cell_path(tmp_path, cell) / f"{n}.safetensors" for n in ("best", "last"))
    content = bytearray(last.read_bytes())
    content[-1] ^= 1
    best.write_bytes(content)
    after = list(evaluation.measure_again(cell.id, tmp_path, None))

    assert [sound for _, sound in before] == [True, True]
    assert [sound for _, sound in after] == [True, False]
    assert "the weights are not the ones that were recorded" in after[1][0]
