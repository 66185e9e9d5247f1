"""How the cost of a suite elsewhere is shown: a table for people, one document for programs."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.base.console import print_text
from bench.base.duration import clock
from bench.base.text import count
from bench.fleet.cost import Cost, hours_in_words
from bench.speed.calibration import GraphTime
from bench.speed.throughput import graph_key

HEADS = ("graph", "images/s", "epoch, s", "memory, MiB", "measured on", "cells left", "time of all")


def print_cost(cost: Cost, problems: Mapping[str, str], out: Console) -> None:
    """
    Print graphs, jobs and sums.

    Args:
        problems: why graphs were not measured just now, by their keys.
    """
    if cost.graphs:
        table = Table(box=box.SIMPLE_HEAD)
        for i, head in enumerate(HEADS):
            table.add_column(head, justify="right" if i else "left", overflow="fold")
        for graph in cost.graphs:
            table.add_row(*map(Text, _row(graph)))
        out.print(table)
    for line in (*_unmeasured(cost, problems), *_sums(cost)):
        print_text(out, line)


def document(cost: Cost, problems: Mapping[str, str]) -> dict[str, Any]:
    """The same for programs. Times are in seconds, from when the first jobs begin."""
    return {
        "profile": cost.profile.model_dump(mode="json"),
        "cells_at_once": cost.at_once,
        "jobs": [
            {"cells": [cell.id for cell in job.cells], "seconds": job.seconds} for job in cost.jobs
        ],
        "graphs": [
            {
                "name": graph.name,
                "cells": [cell.id for cell in graph.cells],
                "left_s": graph.left_s,
                "problem": problems.get(graph_key(graph.cells[0]), ""),
                "tempo": graph.throughput and graph.throughput.model_dump(),
            }
            for graph in cost.graphs
        ],
        "unit": f"{cost.unit}-hours",
        "hours": cost.hours,
        "ends": cost.ends,
        "left_s": cost.left_s,
    }


def _row(graph: GraphTime) -> list[str]:
    one, cells = graph.throughput, str(len(graph.cells))
    if one is None:
        return [graph.name, "-", "-", "-", "-", cells, "-"]
    device = one.environment.partition(",")[0]
    figures = f"{one.images_per_s:,.0f}", f"{one.epoch_s:.2f}", f"{one.mib:,.0f}"
    return [graph.name, *figures, device, cells, clock(graph.left_s)]


def _unmeasured(cost: Cost, problems: Mapping[str, str]) -> Iterator[str]:
    """Which graphs have no figures, why, and how to get them."""
    for graph in cost.unmeasured:
        why = problems.get(graph_key(graph.cells[0]), "nobody measured it on these machines")
        yield f"not measured: {graph.name}: {why}"
    untried = [each for each in cost.unmeasured if graph_key(each.cells[0]) not in problems]
    if untried:
        yield "--calibrate measures them by one short job"


def _sums(cost: Cost) -> Iterator[str]:
    """Jobs, hours, and when all is done."""
    cells = sum(len(job.cells) for job in cost.jobs)
    unknown = [job for job in cost.jobs if job.seconds is None]
    at_a_time = min(cost.profile.jobs, len(cost.jobs))
    nodes, ranks = cost.profile.nodes_per_cell, cost.profile.ranks
    over = f", by {ranks} processes on {nodes} nodes" if nodes > 1 else ""
    yield (
        f"{count(cells, 'cell')} left on `{cost.profile.name}`: {count(len(cost.jobs), 'job')}, "
        f"{count(cost.at_once, 'cell')} at a time in each{over}"
    )
    if len(unknown) < len(cost.jobs):
        least = "at least " if unknown else ""
        hours, left = hours_in_words(cost.hours, cost.unit), clock(cost.left_s)
        yield (
            f"{least}{hours}; all done {least}{left} after the first jobs begin, "
            f"if {at_a_time} run at a time"
        )
