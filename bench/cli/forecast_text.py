"""How a forecast is shown: tables for people, one document for programs."""

import shlex
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.base.console import print_text
from bench.base.duration import clock
from bench.base.text import count
from bench.speed.budget import Budget
from bench.speed.calibration import Calibration, GraphTime
from bench.speed.forecast import Forecast
from bench.speed.throughput import Throughput

HEADS = ("graph", "images/s", "epoch, s", "first step, s", "memory, MiB", "cells left", "time left")


def print_forecast(forecast: Forecast, out: Console) -> None:
    """Print all of it as tables and sentences."""
    if forecast.calibration.lines:
        out.print(_table(HEADS, map(_graph, forecast.calibration.lines)))
    if forecast.budget:
        for line in _cells(forecast, forecast.budget):
            print_text(out, line)
        out.print(_seeds(forecast.budget))
    for line in (*_notes(forecast), *_advice(forecast)):
        print_text(out, line)


def _graph(line: GraphTime) -> list[str]:
    throughput, cells = line.throughput, str(len(line.cells))
    if throughput is None:
        return [line.name, *["-"] * 4, cells, "-"]
    seconds = f"{throughput.epoch_s:.2f}", f"{throughput.first_s:.1f}"
    return [
        line.name, f"{throughput.images_per_s:,.0f}", *seconds, f"{throughput.mib:,.0f}", cells,
        clock(line.left_s),
    ]  # fmt: skip


def _cells(forecast: Forecast, budget: Budget) -> Iterator[str]:
    """A line for each cell that is left, in the order in which they run: when it ends."""
    names = {
        cell.id: (row.full_name, part)
        for row, part, cell in reversed([*forecast.plan.walk_cells()])
    }
    ends = forecast.calibration.ends
    for state, group in (("fits", budget.fits), ("later", budget.later)):
        for cell in group:
            label, part = names[cell.id]
            at = clock(ends[cell.id]) if cell.id in ends else "?"
            words = f"{label} x seed {cell.seed}"
            if part:
                words += f" ({part})"
            yield f"{cell.id}  {state:5}  {at:>8}  {words}"


def _seeds(budget: Budget) -> Table:
    """How many seeds of each row are measured now, and will be."""
    heads = ("row", "seeds now", f"in {clock(budget.seconds)}", "of")
    return _table(heads, ([x.row, str(x.now), str(x.then), str(x.of)] for x in budget.seeds))


def _notes(forecast: Forecast) -> Iterator[str]:
    """Why graphs have no figures; which way to share the CPU is the fastest; how long it takes."""
    for line in forecast.calibration.lines:
        if line.problem:
            yield f"not measured: {line.name}: {line.problem}"
    if len(forecast.cpu_layouts) > 1:
        best, *others = forecast.cpu_layouts
        ratios = ", ".join(f"{best.total / way.total:.2f} times {_way(way)}" for way in others)
        options = f"`-j {best.copies} --threads {best.threads}`"
        yield f"images/s of {_way(best)} ({options}): {ratios}"
    yield _sums(forecast.calibration)


def _way(way: Throughput) -> str:
    return f"{count(way.copies, 'cell')} x {count(way.threads, 'thread')}"


def _sums(found: Calibration) -> str:
    slots, missing = found.slots, sum(len(x.cells) for x in found.lines if x.throughput is None)
    devices = ", ".join(dict.fromkeys(slot.device for slot in slots))
    text = (
        f"{count(len(slots), 'cell')} at a time on {devices}, "
        f"{count(slots[0].threads, 'thread')} each: "
        f"{count(len(found.ends), 'cell')} left, about {clock(found.left_s)}"
    )
    return f"{text}; {count(missing, 'cell')} not measured" if missing else text


def _advice(forecast: Forecast) -> Iterator[str]:
    """What fits, what is left for another day, and the commands by which all would fit."""
    budget, asked = forecast.budget, forecast.asked
    if budget is None:
        return
    n, later = len(budget.fits) + len(budget.later), len(budget.later)
    yield f"{len(budget.fits)} of {count(n, 'cell')} left fit into {clock(budget.seconds)}"
    if later:
        rest = max(forecast.calibration.left_s - budget.seconds, 0)
        then = f"about {clock(rest)} more if the run is stopped then and goes on"
        yield f"for another day: {count(later, 'cell')}, {then}"
    for offer in budget.offers:
        words = ["bench", "run", str(asked.suite), *asked.over(offer.override)]
        yield f"all of it in {clock(offer.left_s)}: {shlex.join([*words, *asked.options])}"


def document(forecast: Forecast) -> dict[str, Any]:
    """All of it, for programs. Times are in seconds."""
    found, budget = forecast.calibration, forecast.budget
    whole: dict[str, Any] = {
        "suite": forecast.plan.suite,
        "slots": [vars(slot) for slot in found.slots],
        "left_s": found.left_s,
        "graphs": [
            {
                "name": line.name,
                "cells": [cell.id for cell in line.cells],
                "left_s": line.left_s,
                "problem": line.problem,
                "tempo": line.throughput and line.throughput.model_dump(),
            }
            for line in found.lines
        ],
        "ends": found.ends,
        "ways": [way.model_dump() for way in forecast.cpu_layouts],
    }
    if budget:
        whole["budget"] = {
            "seconds": budget.seconds,
            "fits": [cell.id for cell in budget.fits],
            "later": [cell.id for cell in budget.later],
            "seeds": [vars(seeds) for seeds in budget.seeds],
            "offers": [vars(offer) for offer in budget.offers],
        }
    return whole


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """The first column is text, the others are numbers."""
    table = Table(box=box.SIMPLE_HEAD)
    for i, head in enumerate(heads):
        table.add_column(head, justify="right" if i else "left")
    for row in rows:
        table.add_row(*map(Text, row))
    return table
