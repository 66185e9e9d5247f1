"""What cells measured, as frames: `bench.cells` and `bench.records`."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, overload

from bench.leaderboard import cell_table, per_layer
from bench.leaderboard.cell_table import CellLine
from bench.results.equilibrium import observed_layers
from bench.results.record import Record
from bench.spec.choices import Definition

if TYPE_CHECKING:  # it is imported where a frame is made
    import pandas as pd


class RecordList(Sequence[Record]):
    """The records of some cells, whole; their epochs and layers as frames."""

    def __init__(self, lines: list[CellLine]) -> None:
        self._lines = [line for line in lines if line.record]

    @overload
    def __getitem__(self, index: int) -> Record: ...
    @overload
    def __getitem__(self, index: slice) -> list[Record]: ...
    def __getitem__(self, index: int | slice) -> Record | list[Record]:
        return self._records[index]

    def __len__(self) -> int:
        return len(self._lines)

    def __repr__(self) -> str:
        return f"<{len(self)} records>"

    @property
    def _records(self) -> list[Record]:
        return [line.record for line in self._lines if line.record]

    def frame(self) -> "pd.DataFrame":
        """Return a line for each record, as `bench.cells` does."""
        return cell_table.tabulate(self._lines)

    def curves(self) -> "pd.DataFrame":
        """
        Return a line for each cell and epoch: train_loss, test_acc, test_top5, lr.

        Before these stand suite, label, cell and seed. A cell that ended in no epoch has no line.
        """
        return self._joined(lambda record, _: bool(record.curves), lambda r, _: per_layer.curves(r))

    def indicators(self, equilibrium: Definition | None = None) -> "pd.DataFrame":
        """
        Return a line for each cell, layer, role and epoch: e, s, n, zeros, knob.

        Before these stand suite, label, cell and seed. Full precision has no line.

        Args:
            equilibrium: which e and s, `paper`, `code` or `scale_free`; None: each suite's own.
        """
        return self._joined(
            lambda record, _: any(observed_layers(record, role) for role in per_layer.ROLES),
            lambda record, own: per_layer.frame(record, equilibrium or own),
        )

    def histograms(self) -> "pd.DataFrame":
        """Return a line for each bin of the histograms that the cells were asked to keep."""
        return self._joined(
            lambda record, _: any(layer.histograms for layer in record.indicators),
            lambda record, _: per_layer.histograms(record),
        )

    def _joined(
        self,
        has: Callable[[Record, Definition], bool],
        frame: "Callable[[Record, Definition], pd.DataFrame]",
    ) -> "pd.DataFrame":
        import pandas as pd

        parts: list[pd.DataFrame] = []
        for line, record in zip(self._lines, self._records, strict=True):
            if has(record, line.definition):
                part = frame(record, line.definition)
                told = cell_table.describe(line)
                for place, key in enumerate(("suite", "label", "cell", "seed")):
                    part.insert(place, key, told[key])
                parts.append(part)
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def cells(
    *names: str | Path, results: str | Path = "results", equilibrium: Definition | None = None
) -> "pd.DataFrame":
    """
    Return a line for each cell: what it is, where it stands, what it measured, its parameters.

    Accuracies are fractions, times seconds, memory MiB. A parameter's column is called as an
    override is (`train.lr`), a plugin's after its place: `W.o_end`, `A.o_end`, `backbone.width`.

    Args:
        names: suites that ran, by name or file, and cells, by id or a part of their name; all that
            is in the folder if none is given.
        results: the results folder.
        equilibrium: which e and s, `paper`, `code` or `scale_free`; None: each suite's own.

    Raises:
        UsageError: no such folder, or a name that stands for nothing or for several cells.
    """
    return cell_table.tabulate(_lines(names, results, equilibrium))


def records(*names: str | Path, results: str | Path = "results") -> RecordList:
    """
    Return the records of cells, typed and whole, with their curves and indicators.

    Args:
        names: as `bench.cells` takes them.
        results: the results folder.

    Raises:
        UsageError: as `bench.cells`.
    """
    return RecordList(_lines(names, results, None))


def _lines(
    names: Sequence[str | Path], results: str | Path, definition: Definition | None
) -> list[CellLine]:
    return cell_table.list_lines(Path(results), [str(name) for name in names], definition)
