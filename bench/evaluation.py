"""The kept weights of a cell, measured again."""

from collections.abc import Iterator
from pathlib import Path

from bench import model, store, trainer
from bench.errors import UsageError


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
    curve = record.curves["test_acc"]
    for which, then in (("last", curve[-1]), ("best", curve[record.best_epoch])):
        net = model.restore(record, root, which)
        now = trainer.accuracy(net, found.test, found)
        digest = trainer.digest(trainer.snapshot(net))
        same = now == then and (which == "best" or digest == record.weights_digest)
        verdict = "as recorded" if same else f"record says {100 * then:.2f} %"
        if which == "last" and digest != record.weights_digest:
            verdict += ", the weights are not the ones that were recorded"
        yield f"{record.cell.slug} {which}: {100 * now:.2f} % on {found.label}, {verdict}", same
