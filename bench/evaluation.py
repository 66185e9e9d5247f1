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
    if record.best_epoch is None or not record.curves.get("test_acc"):
        message = f"{record.cell.slug}: {record.status} ({record.reason}); nothing to measure"
        raise UsageError(message)
    left_out: list[str] = []
    device = torch.device("cpu")
    found = model.dataset(record.cell, data).to(device, report=left_out.append)
    torch.set_num_threads(record.provenance.threads)
    here = record.provenance.device == cpu_name()
    curves = (record.curves["test_acc"], record.curves.get("test_top5"))
    epochs = {"last": -1, "best": record.best_epoch}
    if record.status != "ok":  # its last weights are the ones that diverged
        del epochs["last"]
    for which, epoch in epochs.items():
        net = model.restore(record, root, which)
        now = trainer.accuracy(net, found)
        then = tuple(acc if c is None else c[epoch] for acc, c in zip(now, curves, strict=True))
        known = which == "best" or digest(net) == record.weights_digest
        words = ["as recorded" if now == then else f"record says {percent(then)}"]
        if now != then and not here:
            words.append(f"which was measured on {record.provenance.device}")
        if not known:
            words.append("the weights are not the ones that were recorded")
        if left_out:
            words.append(f"{len(left_out)} damaged files left out")
        text = f"{record.cell.slug} {which}: {percent(now)} on {found.label}"
        yield f"{text}, {', '.join(words)}", known and (now == then or not here)


def percent(accuracy: tuple[float, ...]) -> str:
    """Top-1 and top-5 accuracy, fractions, as people read them."""
    return f"{100 * accuracy[0]:.2f} % (top-5 {100 * accuracy[1]:.2f} %)"


def digest(net: nn.Module) -> str:
    """The digest that a record keeps of a network's weights."""
    return trainer.digest(trainer.snapshot(net))
