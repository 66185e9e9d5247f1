"""
What a data set is to a suite: a plugin whose fields are parameters, and that finds its images.

The built-in ones are `bench.data.sources`; whoever brings another subclasses `DataSource`, too.
Naming and listing them needs no torch.
"""

from __future__ import annotations

import os
from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, PositiveInt

from bench.base.file_states import file_state
from bench.base.text import suggest
from bench.errors import BenchError, DataError, UsageError
from bench.registry import DATA
from bench.spec.plugin import Plugin

if TYPE_CHECKING:  # naming data sets needs no torch
    from bench.data.dataset import Dataset


def data_folder() -> Path:
    """`$BENCH_DATA`, else `./data`."""
    return Path(os.environ.get("BENCH_DATA") or "data")


class DataSource(Plugin):
    """
    A data set by name; its fields are the parameters that a suite may set.

    They apply in this order: `train`, `held_out`, `test`, and at last `resize` where there is
    one. With `held_out` the test split is never touched: the part of the training split that
    `data.dataset.held_out` chooses, the same for every seed, stands in for it.
    """

    train: Annotated[PositiveInt | None, Field(description="use the first N training images")] = (
        None
    )
    test: Annotated[PositiveInt | None, Field(description="use the first N test images")] = None
    held_out: Annotated[
        float | None,
        Field(gt=0, lt=1, description="test on this part of the training split, for tuning"),
    ] = None

    def files(self, folder: Path) -> list[Path] | None:
        """Every file or folder that may be read, there or not; None: nobody can say."""
        return None

    def state(self, folder: Path) -> tuple[str, ...] | None:
        """
        What stands for the contents of its files, found by looking and not by reading.

        None: they are too many to look at each time, or one was written just now.
        """
        files = self.files(folder)
        if files is None or any(path.is_dir() for path in files):
            return None
        states = [file_state(path) for path in files]
        return None if None in states else tuple(filter(None, states))

    @abstractmethod
    def find(self, folder: Path) -> Dataset:
        """
        Load the whole data set.

        Args:
            folder: where data sets lie, `--data` or `$BENCH_DATA` or `./data`.

        Raises:
            DataError: not there, or not what it should be.
        """

    def load(self, folder: Path) -> Dataset:
        """Load the data set as its fields say; raises as `find` does."""
        found = self.find(folder)
        from bench.data.reading import cut

        return cut(found, self.train, self.test, self.held_out)


def named(name: str) -> type[DataSource]:
    """
    The source of that name.

    Raises:
        UsageError: there is none.
        PluginError: it is one of somebody's, and broken.
    """
    origins = DATA.origins()
    if name not in origins:
        message = f"no data set `{name}`{suggest(name, origins)}"
        raise UsageError(message)
    return DATA.load(name)


def load(name: str, source: DataSource, folder: Path) -> Dataset:
    """
    Load a data set, whoever wrote what reads it.

    Raises:
        DataError: not there, damaged, or its code raises something.
    """
    try:
        return source.load(folder)
    except BenchError:
        raise
    except Exception as error:
        message = f"data set `{name}` raises {type(error).__name__}: {error}"
        raise DataError(" ".join(message.split())) from error
