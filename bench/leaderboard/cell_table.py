"""
Cells as a table of numbers: a line for each cell, what it measured and its parameters in columns.

Columns of parameters are called as overrides of a suite are (`train.lr`), those of plugins after
their place: `W.o_end` of weights, `A.o_end` of activations, `backbone.width`, `data.train`.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.leaderboard import saved
from bench.results import cell_folders, store
from bench.results.cell_state import CellState, read_saved_states
from bench.results.equilibrium import indicators
from bench.results.record import Record
from bench.spec.cell import Cell, DataRef, Ref
from bench.spec.choices import Definition
from bench.spec.plan import Plan

if TYPE_CHECKING:  # where lines are listed and not tabulated, there need be none
    import pandas as pd


@dataclass(frozen=True)
class CellLine:
    """
    A cell, where it stands, and its record if it has one.

    Args:
        suite: that it is of; empty: a cell of no plan that is there.
        label: of its row, as the suite calls it.
        part: what it is in its row: held out for tuning, a stage, a teacher; else empty.
        definition: of e and s.
    """

    cell: Cell
    record: Record | None
    state: str
    note: str = ""
    suite: str = ""
    label: str = ""
    schedule: str = ""
    part: str = ""
    definition: Definition = "paper"


def list_lines(
    root: Path, names: Sequence[str] = (), definition: Definition | None = None
) -> list[CellLine]:
    """
    List the cells that names of suites and of cells stand for; of no names all there are.

    A suite's cells come in its order, each once, with a record or without; any other cell by its
    folder's name, if it has a record.

    Args:
        root: the results folder.
        names: of suites that ran, by name or file, and of cells, by id or a part of their name.
        definition: of e and s; None: each suite's own.

    Raises:
        UsageError: `root` is no results folder, or a name stands for nothing or several cells.
    """
    found: dict[tuple[str, str], CellLine] = {}
    suites = cell_folders.list_suites(root)
    for name in names or suites:
        if not names or name in suites or Path(name).suffix:
            plan = store.find_plan(root, saved.ran(root, name))
            states = read_saved_states(root, plan)[0].by_id
            lines = plan_lines(plan, states, definition or plan.equilibrium)
        else:
            lines = [_of_record(cell_folders.find_record(root, name), definition)]
        found |= {(line.suite, line.cell.id): line for line in lines}
    if not names:
        planned = {line.record.cell.id for line in found.values() if line.record}
        known = planned | {line.cell.id for line in found.values()}
        for home in cell_folders.list_paths(root):
            if home.name.rpartition("__")[2] not in known:
                record = cell_folders.read_folder(home).record
                found |= {("", home.name): _of_record(record, definition)} if record else {}
    return [*found.values()]


def plan_lines(
    plan: Plan, states: Mapping[str, CellState], definition: Definition
) -> Iterator[CellLine]:
    """Give the line of every cell of a plan that has a state, each once."""
    left = dict(states)
    for row, part, cell in plan.walk_cells():
        state = left.pop(cell.id, None)
        if state is not None:
            yield CellLine(
                cell,
                state.record,
                state.state,
                state.note,
                plan.suite,
                row.label,
                row.schedule,
                part,
                definition,
            )


def _of_record(record: Record, definition: Definition | None) -> CellLine:
    state = CellState(record.cell, record)
    return CellLine(record.cell, record, state.state, state.note, definition=definition or "paper")


def tabulate(lines: Iterable[CellLine]) -> "pd.DataFrame":
    """
    Return a frame with a line for each cell; what a cell does not have is missing there.

    Accuracies are fractions, times seconds, memory MiB; whole numbers stay whole numbers.
    """
    import pandas as pd

    rows = [{**describe(line), **parameters(line.cell)} for line in lines]
    first = dict.fromkeys([*DESCRIBED, *(key for row in rows for key in row)])
    own = [key for key in first if key not in DESCRIBED]
    order = [*DESCRIBED, *sorted(own, key=lambda key: PLACES.index(key.partition(".")[0]))]
    return pd.DataFrame({key: _column([row.get(key) for row in rows]) for key in order})


def describe(line: CellLine) -> dict[str, Any]:
    """Say what a cell is called, how it stands, and what it measured."""
    cell, record = line.cell, line.record
    told: dict[str, Any] = {
        "suite": line.suite,
        "label": line.label or (cell.weights.name if cell.weights else "none"),
        "schedule": line.schedule,
        "part": line.part,
        "cell": cell.id,
        "name": cell.name,
        "wa": cell.wa,
        "seed": cell.seed,
        "state": line.state,
        "note": line.note,
        "status": str(record.status) if record else "to run",
    }
    if record is None:
        return told
    e, s = indicators(record, line.definition) or (None, None)
    made = record.provenance
    return told | {
        "acc": record.last_acc,
        "best": record.best_acc,
        "best_epoch": record.best_epoch,
        "top5": record.last_top5,
        "e": e,
        "s": s,
        "images_per_s": record.images_per_s,
        "peak_mib": record.peak_mib,
        "network_parameters": record.parameters or None,
        "wall_s": sum(each.wall_s for each in (*record.earlier, made)),
        "energy_j": made.energy_j,
        "device": made.device,
        "host": made.host,
        "threads": made.threads,
        "compiled": made.compiled,
        "started": made.started,
        "commit": made.commit,
    }


DESCRIBED = (
    *("suite", "label", "schedule", "part", "cell", "name", "wa", "seed"),
    *("state", "note", "status", "acc", "best", "best_epoch", "top5", "e", "s"),
    *("images_per_s", "peak_mib", "network_parameters", "wall_s", "energy_j"),
    *("device", "host", "threads", "compiled", "started", "commit"),
)
PLACES = ("W", "A", "backbone", "data", "binarization", "train")  # of parameters, in this order


def parameters(cell: Cell) -> dict[str, Any]:
    """Give every parameter of a cell by the name of its column, in which it is no list."""
    refs: dict[str, Ref | DataRef | None] = {
        "W": cell.weights,
        "A": cell.activations,
        "backbone": cell.backbone,
        "data": cell.data,
    }
    found: dict[str, Any] = {}
    for place, ref in refs.items():
        found[place] = ref.name if ref else "none"
        found |= {f"{place}.{key}": value for key, value in (ref.params if ref else {}).items()}
    found |= {f"binarization.{key}": value for key, value in dict(cell.binarization).items()}
    found |= {f"train.{key}": value for key, value in dict(cell.recipe).items()}
    return {key: _plain(value) for key, value in found.items()}


def _plain(value: Any) -> Any:
    """A number, a truth or a text; what is more than that in JSON."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)


def _column(values: list[Any]) -> Any:
    """A column of one type: whole numbers that may be missing, others, truths, or texts."""
    import pandas as pd

    kinds: set[type] = {type(value) for value in values if value is not None}
    if kinds == {bool}:
        return pd.array(values, dtype="boolean")
    if kinds == {int}:
        return pd.array(values, dtype="Int64")
    if kinds <= {int, float}:
        return pd.array(values, dtype="float64")
    texts = [None if v is None else v if isinstance(v, str) else json.dumps(v) for v in values]
    return pd.array(texts, dtype="object")
