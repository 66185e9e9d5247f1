"""
The programs that keep curves of a run: one small protocol, and who speaks it.

A file of `bench/trackers/` or an entry point of the group `bench.trackers` holds a class `Tracker`.
It is called when a cell begins, with its values epoch by epoch, and when it ends. Test accuracy
comes while it trains, all else from its record. Nothing that a tracker raises reaches the run.
"""

import pkgutil
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from importlib import import_module
from importlib.metadata import entry_points
from importlib.resources import files
from pathlib import Path
from typing import Protocol

from bench.base.finite import mean
from bench.base.plain_data import flatten
from bench.base.text import suggest
from bench.errors import EnvironmentProblem, UsageError
from bench.execution.events import Elsewhere, Ended, Event, Progressed, Retrying, Started
from bench.results import equilibrium, store
from bench.results.record import Record
from bench.spec.cell import Cell
from bench.spec.cell_status import CellStatus

GROUP = "bench.trackers"
LIVE = "test_acc"  # logged while the cell trains
Values = dict[str, float]


class Tracker(Protocol):
    """Made with the folder to write to and the suite's name; what it raises is reported once."""

    command: str  # that shows what it keeps

    def begin(self, cell: Cell, parameters: Mapping[str, str | float]) -> None:
        """A cell begins, or goes on from a checkpoint."""
        ...

    def log(self, cell: Cell, values: Mapping[int, Values]) -> None:
        """Values of some epochs, counted from 1."""
        ...

    def end(self, cell: Cell, status: str, reason: str) -> None:
        """A cell has ended, with the status of its record or `interrupted`."""
        ...

    def close(self) -> None:
        """The run is over."""
        ...


class Tracking:
    """Passes the events of a run to trackers, and lets go of one that fails."""

    def __init__(
        self, trackers: dict[str, Tracker], root: Path, report: Callable[[str], None]
    ) -> None:
        self.trackers, self.root, self.report = trackers, root, report
        self.cells: dict[str, Cell] = {}
        self._live: dict[str, bool] = {}  # cells that began here; was anything logged live?

    def __call__(self, event: Event) -> None:
        cell = self.cells.get(event.cell_id)
        if not self.trackers or cell is None:
            return
        match event:
            case Started():
                self._live[cell.id] = False
                self._call(lambda tracker: tracker.begin(cell, parameters(cell)))
            case Progressed(acc=float(acc)) if cell.id in self._live:
                self._live[cell.id] = True
                values = {event.epoch: {LIVE: acc}}
                self._call(lambda tracker: tracker.log(cell, values))
            case Ended() | Retrying() | Elsewhere() if cell.id in self._live:
                self._end(cell, event, live=self._live.pop(cell.id))
            case _:
                pass

    def close(self) -> None:
        """Tell trackers that the run is over."""
        self._call(lambda tracker: tracker.close())

    def _end(self, cell: Cell, event: Ended | Retrying | Elsewhere, *, live: bool) -> None:
        record, status = None, CellStatus.INTERRUPTED
        if not isinstance(event, Elsewhere):
            status = event.status or CellStatus.INTERRUPTED
        if status.over:
            with suppress(EnvironmentProblem):  # it cannot be read
                record = store.find_record(self.root, cell)
        values = curves(record) if record else {}
        for epoch in values.values():
            if live:
                epoch.pop(LIVE, None)
        if values:
            self._call(lambda tracker: tracker.log(cell, values))
        self._call(lambda tracker: tracker.end(cell, status, event.reason))

    def _call(self, action: Callable[[Tracker], None]) -> None:
        for name, tracker in [*self.trackers.items()]:
            try:
                action(tracker)
            except Exception as error:  # whatever a stranger's program does
                del self.trackers[name]
                self.report(f"note: {name} is told no more: {type(error).__name__}: {error}")


def names() -> list[str]:
    """Every tracker there is, installed or not."""
    own = [m.name for m in pkgutil.iter_modules([str(files("bench.execution") / "trackers")])]
    return sorted({*own, *(entry.name for entry in entry_points(group=GROUP))})


def open_trackers(words: Iterable[str], root: Path, suite: str) -> dict[str, Tracker]:
    """
    The trackers that `--track NAME[:FOLDER]` asks for; the folder is ROOT/NAME if none is given.

    Raises:
        UsageError: no such tracker, or one that is asked for twice.
        EnvironmentProblem: what it needs is not installed, or it cannot write there.
    """
    found: dict[str, Tracker] = {}
    for word in words:
        name, _, folder = word.partition(":")
        if name not in names():
            message = f"--track `{name}`: no such tracker{suggest(name, names())}"
            raise UsageError(message)
        if name in found:
            message = f"--track {name} is asked for twice"
            raise UsageError(message)
        try:
            found[name] = _load(name)(Path(folder) if folder else root / name, suite)
        except ImportError as error:
            message = f"--track {name}: {error}; `pip install 'signbench[{name}]'`"
            raise EnvironmentProblem(message) from None
        except Exception as error:  # whatever a stranger's program does
            message = f"--track {word}: {type(error).__name__}: {error}"
            raise EnvironmentProblem(message) from error
    return found


def _load(name: str) -> Callable[[Path, str], Tracker]:
    for entry in entry_points(group=GROUP, name=name):
        return entry.load()
    return import_module(f"bench.execution.trackers.{name}").Tracker


def parameters(cell: Cell) -> dict[str, str | float]:
    """All that was asked for, as `recipe.lr: 0.1`; digests of sources are left out."""
    left_out = {"numerics": True, "core": True, "start": True, "teacher": True, **_DIGESTS}
    asked = cell.model_dump(mode="json", exclude=left_out)
    found: dict[str, str | float] = {"wa": cell.wa}
    found |= {role: f"{p.which} of {p.cell.slug}" for role, p in cell.parents.items()}
    for name, value in flatten(asked):
        known = isinstance(value, (int, float))
        found[name.replace("params.", "")] = value if known else str(value)
    return found


_DIGESTS = {"weights": {"source"}, "activations": {"source"}, "backbone": {"source"}}


def curves(record: Record) -> dict[int, Values]:
    """The curves of a record by epoch, counted from 1, and e and s as means over layers."""
    found = dict(record.curves)
    for role in ("W", "A"):
        layers = [layer for _, layer in equilibrium.observed_layers(record, role)]
        with_f = [layer for layer in layers if equilibrium.has_f(layer)]
        for index, name, seen in ((0, "e", with_f), (1, "s", layers)):
            if seen:
                series = [equilibrium.series(layer, "paper")[index] for layer in seen]
                found[f"{name}_{role}"] = [mean(values) for values in zip(*series, strict=True)]
    epochs = max(map(len, found.values()), default=0)
    return {
        i + 1: {name: curve[i] for name, curve in found.items() if i < len(curve)}
        for i in range(epochs)
    }
