"""The kept weights of a cell, measured again."""

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import nn

from bench import model, store, trainer
from bench.errors import UsageError
from bench.provenance import cpu_name


def again(cell: str, root: Path, data: Path | None) -> Iterator[tuple[str, bool]]:
    """
    Yield a line for the last and the best weights, and whether it agrees with the record.

    Raises:
        UsageError: no such cell, no weights, or weights that do not load.
        DataError: the cell's data is not there or changed.
    """
    record = store.named(root, cell)
    if record.best_epoch is None:
        message = f"{record.cell.slug}: {record.status} ({record.reason}); nothing to measure"
        raise UsageError(message)
    found = model.dataset(record.cell, data)
    torch.set_num_threads(record.provenance.threads)
    here = record.provenance.device == cpu_name()
    curve = record.curves["test_acc"]
    recorded = {"last": curve[-1], "best": curve[record.best_epoch]}
    if record.status != "ok":  # its last weights are the ones that diverged
        del recorded["last"]
    for which, then in recorded.items():
        net = model.restore(record, root, which)
        now = trainer.accuracy(net, found.test, found)
        known = which == "best" or digest(net) == record.weights_digest
        words = ["as recorded" if now == then else f"record says {100 * then:.2f} %"]
        if now != then and not here:
            words.append(f"which was measured on {record.provenance.device}")
        if not known:
            words.append("the weights are not the ones that were recorded")
        text = f"{record.cell.slug} {which}: {100 * now:.2f} % on {found.label}"
        yield f"{text}, {', '.join(words)}", known and (now == then or not here)


def digest(net: nn.Module) -> str:
    """The digest that a record keeps of a network's weights."""
    return trainer.digest(trainer.snapshot(net))
