"""The indicators of one cell, layer by layer and epoch by epoch: `bench indicators`."""

from statistics import fmean

import pandas as pd
from rich import box
from rich.table import Table
from rich.text import Text

from bench.cell import Definition, Role
from bench.equilibrium import of, series
from bench.errors import UsageError
from bench.record import LayerIndicators, Record

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
        values = [
            f"{value:.4g}"
            for numbers in series(layer, definition)
            for value in (numbers[0], numbers[-1], fmean(numbers))
        ]
        shown.add_row(name, role, *values, f"{layer.zeros[-1]:,} of {layer.n[-1]:,}")
    return shown


def frame(record: Record, definition: Definition) -> pd.DataFrame:
    """
    Columns layer, role, epoch, e, s, n and zeros (latent values, and those exactly 0), knob.

    Raises:
        UsageError: the record holds no indicators.
    """
    return pd.DataFrame(
        {
            "layer": name,
            "role": role,
            "epoch": epoch,
            "e": e,
            "s": s,
            "n": layer.n[epoch],
            "zeros": layer.zeros[epoch],
            "knob": layer.knob[epoch],
        }
        for role, name, layer in _layers(record)
        for epoch, (e, s) in enumerate(zip(*series(layer, definition), strict=True))
    )


def _layers(record: Record) -> list[tuple[Role, str, LayerIndicators]]:
    found: list[tuple[Role, str, LayerIndicators]] = [
        (role, name, layer) for role in ROLES for name, layer in of(record, role)
    ]
    if not found:
        message = f"{record.cell.slug} has no indicators: no binary layers, or indicators: off"
        raise UsageError(message)
    return found
