"""From a cell to a network: built, or loaded with the weights that it was trained to."""

import random
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import numpy as np
import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from torch import nn

from bench.base.validation import misuse
from bench.data.dataset import Dataset
from bench.data.source import DataSource, data_folder, named
from bench.data.sources import Known
from bench.errors import DataError, PluginError, UsageError
from bench.nn.backbone import Backbone
from bench.nn.clock import Clock
from bench.nn.coach import Coach
from bench.nn.contract import Estimator
from bench.nn.layers import Layers
from bench.registry import BACKBONES, ESTIMATORS, P, Registry, add_folders
from bench.results import cell_folders, local_code, store
from bench.results.record import Record
from bench.spec.cell import Cell, ParentRole, Recipe, Ref, Role, bits_by_role
from bench.train import stand_in
from bench.train.levels import Claim
from bench.train.weights import State

APART = 1_000_003  # between the seeds of what one binarizer and the next may draw


@dataclass(frozen=True)
class Model:
    """
    A cell's network, its clock, and the method by which its weights are binary, if they are.

    Args:
        teacher: the network to learn from, as `train.parents` builds it.
        parents: digests of the weights that it begins from and learns from.
    """

    net: nn.Module
    clock: Clock
    method: Estimator | None = None
    teacher: nn.Module | None = None
    parents: dict[ParentRole, str] = field(default_factory=dict[ParentRole, str])

    def coach(self, recipe: Recipe) -> Coach:
        """
        What stands beside the network while it trains, made of the network as it is now.

        Raises:
            PluginError: the method gives something else.
        """
        if self.method is None:
            return Coach(recipe)
        coach: object = self.method.coach(self.net, self.clock, recipe)
        if not isinstance(coach, Coach):  # pyright: ignore[reportUnnecessaryIsInstance]
            name = type(self.method).__name__
            message = f"{name}.coach returns a {type(coach).__name__}; it must be a Coach"
            raise PluginError(message)
        return coach

    def claim(self, cell: Cell) -> Claim:
        """How binary the network of a cell says that it is."""
        return Claim(bits_by_role(cell.wa), self.method.folds if self.method else frozenset())


def build(cell: Cell, gone: Collection[str] = ()) -> Model:
    """
    Build a cell's network on the CPU, initialized from the cell's seed, which seeds all else, too.

    What a method draws for its own modules, it draws apart: its network begins with the weights
    that every other one of this seed has.

    Args:
        gone: estimators for which sign stands in: a trained network needs no more of them.

    Raises:
        PluginError: a plugin of the cell is missing or broken.
        UsageError: it, or the data set, has no such parameters, or not any more.
    """
    seed_everything(cell.seed)
    clock = Clock()
    refs: dict[Role, Ref | None] = {"W": cell.weights, "A": cell.activations}
    roles = {
        r: ref and (stand_in.find(ref) if ref.name in gone else _build_plugin(ESTIMATORS, ref))
        for r, ref in refs.items()
    }

    def binarizer(role: Role, shape: tuple[int, ...]) -> nn.Module:
        estimator = roles[role]
        if estimator is None:
            return nn.Identity()
        with torch.random.fork_rng(devices=()):
            torch.default_generator.manual_seed((cell.seed + APART * next(modules)) % 2**63)
            return estimator.binarizer(role, shape, clock, cell.binarization.sign0)

    modules = count(1)
    method, options = roles["W"], cell.binarization
    layers = (
        Layers(binarizer, options, method.conv, method.linear) if method else Layers(None, options)
    )
    net = build_backbone(cell).build(*_task(cell), layers)
    return Model(net, clock, method)


def build_backbone(cell: Cell) -> Backbone:
    """
    A cell's backbone, with the cell's parameters.

    Raises:
        PluginError: it is missing or broken.
        UsageError: it has no such parameters, or not any more.
    """
    return _build_plugin(BACKBONES, cell.backbone)


def seed_everything(seed: int) -> None:
    """Leave nothing to chance: seed whatever a plugin may draw from, and fix cuDNN's algorithms."""
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 - it is the global one that would be unseeded
    torch.manual_seed(seed)
    torch.backends.cudnn.deterministic = True


def load_dataset(cell: Cell, folder: Path | None = None) -> Dataset:
    """
    Load a cell's data.

    Raises:
        DataError: missing, damaged, or not what the cell was planned with.
        UsageError: there is no such data set, or it has no such parameters.
    """
    found = _build_source(cell).load(folder or data_folder())
    if found.fingerprint != cell.data.fingerprint:
        message = (
            f"{cell.data.name}: fingerprint {found.fingerprint}, the cell was planned with "
            f"{cell.data.fingerprint}: the data or its transform changed"
        )
        raise DataError(message)
    return found


def _task(cell: Cell) -> tuple[int, int]:
    """How many classes there are to tell apart, in images of how many channels."""
    if found := cell.data.found:
        return len(found.classes), found.channels
    source = _build_source(cell)
    if not isinstance(source, Known):
        message = f"{cell.slug} does not say what classes `{cell.data.name}` has; run it again"
        raise UsageError(message)
    return source.num_classes, source.channels


def _build_source(cell: Cell) -> DataSource:
    kind = named(cell.data.name)
    try:
        return kind.model_validate(cell.data.params)
    except ValidationError as error:
        raise misuse(cell.data.name, error, kind) from None


def _build_plugin(registry: Registry[P], ref: Ref) -> P:
    """A plugin of a cell, which may be older than the plugin."""
    try:
        return registry.build(ref.name, ref.params)
    except ValidationError as error:
        raise misuse(ref.name, error, registry.load(ref.name)) from None


def load(
    cell: str,
    results: str | Path = "results",
    *,
    which: str = "last",
    plugins: Iterable[str | Path] = (),
) -> nn.Module:
    """
    Return a trained model in evaluation mode.

    Args:
        cell: id, or any unambiguous part of a cell's name, as `bench plan` prints it.
        results: the results folder.
        which: "last" or "best" epoch's weights.
        plugins: folders of local plugins, as the suite named them.

    Raises:
        UsageError: no such cell, or its weights are not there.
    """
    add_folders(map(Path, plugins))
    return load_recorded(cell_folders.find_record(Path(results), cell), Path(results), which)


def load_recorded(record: Record, root: Path, which: str) -> nn.Module:
    """
    The model of `record` with its `which` weights, in evaluation mode.

    Of an estimator that is gone it needs none but sign: `stand_in`.

    Raises:
        UsageError: no weights, weights that do not fit, or a local plugin that is another now.
        PluginError: a plugin of the cell is missing or broken.
    """
    path = store.find_cell_path(root, record.cell) / f"{which}.safetensors"
    if not path.is_file():
        message = f"no weights at `{path}`; run the cell again to have them"
        raise UsageError(message)
    state = read_weights(path)
    local_code.refuse_other_code(record.cell)
    gone = stand_in.gone(record.cell)
    model = build(record.cell, gone).net
    if gone:
        stand_in.add_knobs(model, state)
    try:
        model.load_state_dict(state)
    except RuntimeError:
        message = f"`{path}` does not fit the network of its cell; it is another cell's, or old"
        raise UsageError(message) from None
    model.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    return model.eval()


def read_weights(path: Path) -> State:
    """
    Read a file of weights.

    Raises:
        UsageError: it cannot be read, or is none.
    """
    from safetensors.torch import load as parse

    try:
        return parse(path.read_bytes())
    except (OSError, SafetensorError) as error:
        message = f"`{path}` cannot be read: {error}"
        raise UsageError(message) from None
