"""What one cell recorded, by layer and by epoch: `bench indicators`."""

from typing import TYPE_CHECKING

from rich import box
from rich.table import Table
from rich.text import Text

from bench.base.finite import mean
from bench.errors import UsageError
from bench.results.equilibrium import has_f, observed_layers, series
from bench.results.record import CURVES, Histogram, LayerIndicators, Record
from bench.spec.cell import Role
from bench.spec.choices import Definition

if TYPE_CHECKING:  # the table needs none
    import pandas as pd

ROLES: tuple[Role, ...] = ("W", "A")


def table(record: Record, definition: Definition) -> Table:
    """
    One line per layer and role: e and s after the first and the last epoch, and their means.

    Raises:
        UsageError: the record holds no indicators.
    """
    shown = Table(
        title=Text(f"{record.cell.slug}: e and s, `{definition}` definition"),
        box=box.SIMPLE_HEAD,
        title_justify="left",
    )
    heads = ("layer", "of", *(f"{x} {when}" for x in "es" for when in ("first", "last", "mean")))
    for head in (*heads, "zeros"):
        shown.add_column(head, justify="left" if head in {"layer", "of"} else "right")
    for role, name, layer in _layers(record):
        e, s = series(layer, definition)
        values = _words(e) if has_f(layer) else ["no f"] * 3
        values += _words(s)
        shown.add_row(Text(name), role, *values, f"{layer.zeros[-1]:,} of {layer.n[-1]:,}")
    return shown


def _words(numbers: list[float]) -> list[str]:
    """After the first and the last epoch, and their mean."""
    return [f"{value:.4g}" for value in (numbers[0], numbers[-1], mean(numbers))]


def frame(record: Record, definition: Definition) -> "pd.DataFrame":
    """
    Columns layer, role, epoch, e, s, n and zeros (latent values, and those exactly 0), knob.

    Where there is no f, e is empty.

    Raises:
        UsageError: the record holds no indicators.
    """
    import pandas as pd

    return pd.DataFrame(
        {
            "layer": name,
            "role": role,
            "epoch": epoch,
            "e": e if has_f(layer) else None,
            "s": s,
            "n": layer.n[epoch],
            "zeros": layer.zeros[epoch],
            "knob": layer.knob[epoch],
        }
        for role, name, layer in _layers(record)
        for epoch, (e, s) in enumerate(zip(*series(layer, definition), strict=True))
    )


def histograms(record: Record) -> "pd.DataFrame":
    """
    Columns layer, role, epoch, quantity, low, high, count: one row for each bin.

    Where all values are one, the bin that holds them has no width.

    Raises:
        UsageError: the record holds none.
    """
    rows = [
        {
            "layer": name,
            "role": role,
            "epoch": histogram.epoch,
            "quantity": histogram.quantity,
            "low": low,
            "high": high,
            "count": count,
        }
        for role, name, layer in _layers(record)
        for histogram in layer.histograms
        for low, high, count in _bins(histogram)
    ]
    if not rows:
        message = (
            f"{record.cell.slug} has no histograms; train it with the epochs that are to have "
            'them, as in `bench run SUITE "train.histograms=[0, 9]"`'
        )
        raise UsageError(message)
    import pandas as pd

    return pd.DataFrame(rows)


def _bins(histogram: Histogram) -> list[tuple[float, float, int]]:
    low, high, counts = histogram.low, histogram.high, histogram.counts
    if low == high:
        return [(low, high, sum(counts))]
    share = [i / len(counts) for i in range(len(counts) + 1)]
    edges = [low * (1 - x) + high * x for x in share]  # no difference that might overflow
    return list(zip(edges, edges[1:], counts, strict=False))


def curves(record: Record) -> "pd.DataFrame":
    """
    Columns epoch, train_loss, test_acc, test_top5 and lr; top-5 is empty in old records.

    Raises:
        UsageError: no epoch of the cell came to its end.
    """
    if not any(record.curves.values()):
        message = f"{record.cell.slug} has no curves: {record.status}, {record.reason}"
        raise UsageError(message)
    import pandas as pd

    found = pd.DataFrame(record.curves).reindex(columns=CURVES)
    return found.rename_axis("epoch").reset_index()


def _layers(record: Record) -> list[tuple[Role, str, LayerIndicators]]:
    found: list[tuple[Role, str, LayerIndicators]] = [
        (role, name, layer) for role in ROLES for name, layer in observed_layers(record, role)
    ]
    if not found:
        message = f"{record.cell.slug} has no indicators: no binary layers, or indicators: off"
        raise UsageError(message)
    return found
