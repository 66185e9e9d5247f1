"""What a cell takes from its parents: what fits, and only weights that their record tells of."""

from pathlib import Path

import pytest
import torch
from samples import WEIGHTS, cell, record
from torch import nn

from bench.errors import UsageError
from bench.results import store
from bench.spec.cell import Parent
from bench.train import parents
from bench.train.weights import digest

PARENT = Parent(cell=cell())


def net(width: int = 3, *, extra: bool = False) -> nn.Module:
    """A convolution and a BatchNorm; with a module that a parent may not have."""
    modules = {"conv": nn.Conv2d(2, width, 3), "bn": nn.BatchNorm2d(width)}
    return nn.ModuleDict(modules | ({"after": nn.Linear(width, 2)} if extra else {}))


def test_what_fits_is_taken_and_the_rest_stays_as_it_was() -> None:
    """Parameters and buffers by name and shape; a wider layer is another one."""
    parent, child = net(), net(extra=True)
    parent.get_submodule("bn").get_buffer("running_mean").fill_(2.0)
    first = {k: v.clone() for k, v in child.state_dict().items()}
    state = parent.state_dict() | {"bn.bias": torch.zeros(7), "gone": torch.zeros(1)}
    parents.begin(child, state, PARENT)
    now = child.state_dict()

    assert {k for k in now if not now[k].equal(first[k])} == {
        "conv.weight", "conv.bias", "bn.running_mean",
    }  # fmt: skip
    assert now["conv.weight"].equal(parent.state_dict()["conv.weight"])


def test_weights_of_which_none_fits_are_refused() -> None:
    """BatchNorms alone are no beginning."""
    with pytest.raises(UsageError, match="which this cell begins from, do not fit it"):
        parents.begin(net(), {"bn.weight": torch.zeros(3), "conv.weight": torch.zeros(1)}, PARENT)


def test_weights_are_those_of_the_record(tmp_path: Path) -> None:
    """Without a record, gone, cut short or changed they are refused, with what to do."""
    slug, again = PARENT.cell.slug, f"--rerun {PARENT.cell.id}"
    path = store.weights_path(tmp_path, PARENT.cell, "last")

    def refused() -> str:
        with pytest.raises(UsageError) as caught:
            parents.read(tmp_path, PARENT)
        assert again in str(caught.value)
        return str(caught.value)

    assert f"no last weights of {slug}" in refused()
    store.save_record(tmp_path, record(PARENT.cell, weights_digest=digest(WEIGHTS)))
    assert f"no last weights of {slug}" in refused()
    store.save_weights(path, WEIGHTS)
    assert parents.read(tmp_path, PARENT).keys() == WEIGHTS.keys()
    store.save_weights(path, WEIGHTS | {"n": torch.tensor(4)})
    assert f"is not what the record of {slug} says" in refused()
    path.write_bytes(path.read_bytes()[:20])
    assert "cannot be read" in refused()


def test_a_teacher_is_no_part_of_what_trains() -> None:
    """To time steps it needs no record; it has no gradients, and its pupil its first weights."""
    pupil = cell(teacher=Parent(cell=cell(weights=None, activations=None)))
    built, alone = parents.build(pupil, None), parents.build(cell(), None)

    assert built.teacher is not None
    assert not built.teacher.training
    assert not any(p.requires_grad for p in built.teacher.parameters())
    assert digest(built.net.state_dict()) == digest(alone.net.state_dict())
    assert alone.teacher is None
