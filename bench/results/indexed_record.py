"""A record of which an index told the numbers; its curves are read from its file when asked for."""

from copy import copy
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import FiniteFloat

from bench.base.validation import Frozen
from bench.errors import EnvironmentProblem, UsageError
from bench.results import store
from bench.results.record import Record
from bench.spec.cell import Cell
from bench.spec.choices import Definition

LATER = ("curves", "indicators")  # nearly all of a file's bytes


class Facts(Frozen):
    """What tables take of curves and indicators; names are those of `Record`."""

    epochs: int
    last_acc: FiniteFloat | None
    best_acc: FiniteFloat | None
    last_top5: FiniteFloat | None
    best_top5: FiniteFloat | None
    equilibrium: dict[Definition, tuple[float | None, float] | None]  # e and s of the weights
    curves_digest: str


class IndexedRecord(Record):
    """
    A record without its curves and indicators, which are read when they are asked for.

    Its file was whole, and its seal held, when it was indexed.
    """

    @classmethod
    def of(cls, cell: Cell, told: dict[str, Any], facts: Facts, path: str) -> "IndexedRecord":
        """Make one of all other fields, which were validated."""
        made = copy(_empty(cls))  # ten times as fast as to construct it
        vars(made).update(told, cell=cell, _facts=facts, _path=path)
        return made

    @property
    def facts(self) -> Facts:
        return self.__dict__["_facts"]

    @property
    def whole(self) -> Record:
        """
        The record of the file.

        Raises:
            EnvironmentProblem: the file is gone, damaged, or another one by now.
        """
        path = Path(self.__dict__["_path"])
        try:
            found = store.read_record(path)
        except (FileNotFoundError, UsageError) as error:
            message = f"`{path}` changed while it was used; run the command again"
            raise EnvironmentProblem(message) from error
        if found.seal != self.seal:
            message = f"`{path}` was replaced while it was used; run the command again"
            raise EnvironmentProblem(message)
        return found

    if not TYPE_CHECKING:  # where a missing name is an error

        def __getattr__(self, name: str) -> Any:
            if name not in LATER:
                return super().__getattr__(name)
            whole = self.whole
            self.__dict__.update({name: getattr(whole, name) for name in LATER})
            return self.__dict__[name]

    def model_dump_json(self, **how: Any) -> str:
        """Dump it as the record of the file is dumped."""
        return self.whole.model_dump_json(**how)

    @property
    def epochs(self) -> int:
        return self.facts.epochs

    @property
    def curves_digest(self) -> str:
        return self.facts.curves_digest

    @property
    def last_acc(self) -> float | None:
        return self.facts.last_acc

    @property
    def best_acc(self) -> float | None:
        return self.facts.best_acc

    @property
    def last_top5(self) -> float | None:
        return self.facts.last_top5

    @property
    def best_top5(self) -> float | None:
        return self.facts.best_top5


@cache
def _empty(kind: type[IndexedRecord]) -> IndexedRecord:
    """A record that has none of its fields, though all but `LATER` are called set."""
    made = kind.model_construct(_fields_set=Record.model_fields.keys() - set(LATER))
    vars(made).clear()
    return made
