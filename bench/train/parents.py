"""
What a cell rests on, put in place before it trains: the weights that it begins from, its teacher.

Weights are those that the parent's record tells of, to the digest.
"""

from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from bench.errors import UsageError
from bench.results import store, weight_files
from bench.spec.cell import Cell, Parent
from bench.train import model
from bench.train.model import Model
from bench.train.weights import State, digest


def build(cell: Cell, root: Path | None) -> Model:
    """
    Build a cell's network on the CPU as `model.build` does, with its teacher and first weights.

    Args:
        cell: the cell.
        root: the results folder with its parents; None: as if they were untrained, to time steps.

    Raises:
        PluginError: a plugin is missing or broken.
        UsageError: a plugin has no such parameters; or a parent's weights are not there, are not
            what its record says, or do not fit.
    """
    states = {role: read(root, parent) for role, parent in cell.parents.items()} if root else {}
    teacher = _build_teacher(cell.teacher, states.get("teacher")) if cell.teacher else None
    built = model.build(cell)  # the last to draw: it seeds everything
    if cell.start and "start" in states:
        begin(built.net, states["start"], cell.start)
    taken = {role: digest(state) for role, state in states.items()}
    return replace(built, teacher=teacher, parents=taken)


def read(root: Path, parent: Parent) -> State:
    """
    Read the weights of a parent, by name.

    Raises:
        UsageError: there are none, they cannot be read, or they are not what its record says.
    """
    slug, path = parent.cell.slug, store.weights_path(root, parent.cell, parent.which)
    hint = f"run it again with --rerun {parent.cell.id}"
    record = store.find_record(root, parent.cell)
    if record is None or not path.is_file():
        message = f"no {parent.which} weights of {slug}, which this cell rests on; {hint}"
        raise UsageError(message)
    try:
        state = model.read_weights(path)
    except UsageError as error:
        message = f"{error}; {hint}"
        raise UsageError(message) from None
    known = weight_files.recorded_digest(record, parent.which)
    if known and digest(state) != known:
        message = f"`{path}` is not what the record of {slug} says; {hint}"
        raise UsageError(message)
    return state


def begin(net: nn.Module, state: State, parent: Parent) -> None:
    """
    Set what has the name and shape of a parent's; anything else keeps its initialization.

    Raises:
        UsageError: no weight of a convolution or linear map fits.
    """
    own = net.state_dict()
    fitting = {k: v for k, v in state.items() if k in own and own[k].shape == v.shape}
    if not any(p.ndim > 1 and name in fitting for name, p in net.named_parameters()):
        message = f"the weights of {parent.cell.slug}, which this cell begins from, do not fit it"
        raise UsageError(message)
    net.load_state_dict(fitting, strict=False)


def _build_teacher(parent: Parent, state: State | None) -> nn.Module:
    """Build a teacher with its weights, where there are any: in evaluation mode, no gradients."""
    net = model.build(parent.cell).net
    if state is not None:
        try:
            net.load_state_dict(state)
        except RuntimeError:
            message = f"the weights of the teacher {parent.cell.slug} do not fit its network"
            raise UsageError(message) from None
    net.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    return net.eval().requires_grad_(requires_grad=False)
