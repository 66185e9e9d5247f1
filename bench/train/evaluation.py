"""The kept weights of a cell, measured again."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from bench.data.dataset import Dataset
from bench.data.source import data_folder
from bench.errors import UsageError
from bench.results import cell_folders, named_data, weight_files
from bench.results.provenance import cpu_name
from bench.results.record import Record
from bench.train import model, trainer
from bench.train.weights import copy_weights, digest

MOST_THREADS = 256  # whatever a record says


@dataclass(frozen=True)
class Measured:
    """Accuracy, top-1 and top-5 as fractions, of one of a record's kept weights."""

    which: str  # last or best
    now: tuple[float, ...]
    then: tuple[float, ...]  # as the record has it
    known: bool  # are these the weights that were recorded?
    device: str  # where it was measured then; "" if that is here

    @property
    def holds(self) -> bool:
        """Is it as recorded, as far as this machine can tell?"""
        return self.known and (self.now == self.then or bool(self.device))


def measure_again(cell: str, root: Path, data: Path | None) -> Iterator[tuple[str, bool]]:
    """
    Yield a line for the last and the best weights, and whether it agrees with the record.

    Raises:
        UsageError: no such cell, no weights, or weights that do not load.
        DataError: the cell's data is not there or changed.
    """
    record = cell_folders.find_record(root, cell)
    cell_folders.add_plugins(root, cell_folders.read_plans(root))
    if record.best_epoch is None or not record.curves.get("test_acc"):
        message = f"{record.cell.slug}: {record.status} ({record.reason}); nothing to measure"
        raise UsageError(message)
    left_out: list[str] = []
    dataset = load_recorded_dataset(record, root, data)
    dataset = dataset.to(torch.device("cpu"), report=left_out.append)
    for which in measured_weights(record):
        measured = measure_weights(record, root, dataset, which)
        same = measured.now == measured.then
        words = ["as recorded" if same else f"record says {format_accuracy(measured.then)}"]
        if measured.device and not same:
            words.append(f"which was measured on {measured.device}")
        if not measured.known:
            words.append("the weights are not the ones that were recorded")
        if left_out:
            words.append(f"{len(left_out)} damaged files left out")
        text = f"{record.cell.slug} {which}: {format_accuracy(measured.now)} on {dataset.label}"
        yield f"{text}, {', '.join(words)}", measured.holds


def measured_weights(record: Record) -> list[str]:
    """Which of a record's weights have an accuracy: those that diverged have none."""
    if record.best_epoch is None:
        return []
    return ["last", "best"] if record.status == "ok" else ["best"]


def measure_weights(record: Record, root: Path, dataset: Dataset, which: str) -> Measured:
    """
    Measure the `which` weights of a record on data that is on the CPU.

    Raises:
        UsageError: no weights, or weights that do not load.
        PluginError: a plugin of the cell is missing or broken.
    """
    torch.set_num_threads(sorted((1, record.provenance.threads, MOST_THREADS))[1])
    net = model.load_recorded(record, root, which)
    now = trainer.accuracy(net, dataset)
    epoch = -1 if which == "last" else record.best_epoch or 0
    curves = (record.curves["test_acc"], record.curves.get("test_top5"))
    then = tuple(acc if c is None else c[epoch] for acc, c in zip(now, curves, strict=True))
    recorded = weight_files.recorded_digest(record, which)
    here = record.provenance.device == cpu_name()
    return Measured(
        which=which,
        now=now,
        then=then,
        known=not recorded or digest_weights(net) == recorded,
        device="" if here else record.provenance.device,
    )


def format_accuracy(accuracy: tuple[float, ...]) -> str:
    """Top-1 and top-5 accuracy, fractions, as people read them."""
    return f"{100 * accuracy[0]:.2f} % (top-5 {100 * accuracy[1]:.2f} %)"


def digest_weights(net: nn.Module) -> str:
    """The digest that a record keeps of a network's weights."""
    return digest(copy_weights(net))


def load_recorded_dataset(record: Record, root: Path, data: Path | None) -> Dataset:
    """
    Load the data of a record, which may be anybody's.

    Raises:
        DataError: it is not there or changed, or a stranger's record names it by a path elsewhere.
        UsageError: there is no such data set, or it has no such parameters.
    """
    named_data.refuse_elsewhere(record.cell, root, data or data_folder())
    return model.load_dataset(record.cell, data)
