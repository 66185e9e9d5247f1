"""The time of a step is measured in the product's own loop."""

from pathlib import Path

import pytest
import torch

from bench.errors import BenchError
from bench.planning.planner import plan
from bench.speed.step_time import StepTimes, time_steps
from bench.train import model, trainer

CPU = torch.device("cpu")


def test_steps_are_timed_over_ends_of_epochs(tiny: Path) -> None:
    """As many as asked for, of a whole batch, in epochs of two steps; each end is timed apart."""
    cell = plan(tiny).cells[0]
    found = time_steps(
        model.build(cell), model.load_dataset(cell).to(CPU), cell.recipe, steps=3, warmup=1
    )

    assert len(found.seconds) == 3
    assert found.batch == 32
    assert len(found.ends) == 3  # steps 2, 4 and 6 count, the first of each epoch does not
    assert all(s > 0 for s in (*found.seconds, *found.ends, found.first_s, found.peak_mib))
    assert found.images_per_s == pytest.approx(32 / found.step_s)


def test_an_epoch_of_one_step_is_timed(tiny: Path) -> None:
    """Where an epoch is one step, smaller than the batch, that one counts."""
    cell = plan(tiny, ["train.batch_size=100"]).cells[0]
    found = time_steps(
        model.build(cell), model.load_dataset(cell).to(CPU), cell.recipe, steps=2, warmup=0
    )

    assert len(found.seconds) == 2
    assert found.batch == 64


def test_the_median_is_the_step() -> None:
    """One step that something else held up does not count."""
    assert StepTimes((0.1, 0.2, 9.0), 1.0, 10, 1.0).images_per_s == pytest.approx(50)


def test_a_training_that_diverges_has_no_pace(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends before enough is timed, and says why."""
    cell = plan(tiny).cells[0]
    monkeypatch.setattr(trainer, "learning_rate", lambda *_: float("nan"))
    with pytest.raises(BenchError, match="no pace: "):
        time_steps(model.build(cell), model.load_dataset(cell).to(CPU), cell.recipe)
