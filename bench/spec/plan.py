"""
A plan: a suite resolved into rows and cells, with everything that a table needs to be printed.

`bench run` keeps it beside the records; `bench leaderboard` reads it and imports no plugin.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, NonNegativeInt, PositiveInt

from bench.base.text import CONTROLS
from bench.base.validation import Frozen
from bench.errors import PluginError, SuiteError
from bench.spec.cell import REAL_BITS, WA, Cell, Recipe, Ref, Role, bits_by_role
from bench.spec.choices import Definition
from bench.spec.published import Claim

FULL_PRECISION = "full precision"  # a suite's `none`


class Witness(Frozen):
    """Where a property fails worst."""

    z: float | None  # None: it is an end of the knob's range that is not reached
    knob: float | None
    gap: float  # by how much
    text: str


class Properties(Frozen):
    """Rational and flexible, as `bench.properties` computes them; a witness for every 'no'."""

    rational: Literal["yes", "no"]
    flexible: Literal["yes", "little", "not"]
    rational_witness: Witness | None = None
    flexible_witness: Witness | None = None


class RoleInfo(Frozen):
    """What one role's estimator is: the text and the verdicts of a leaderboard row."""

    plugin: str
    formula: str
    kind: str
    schedule: str = ""  # empty: no scheduled knob
    printed: Properties | None = None  # by definition P; None: there is no f to judge
    trained: Properties | None = None
    has_f: bool = True  # is it a function in place of sign's derivative, and nothing else?
    aux: str = ""  # what it has beside: module, loss, rule, stages, teacher
    compared: bool | None = None  # does `bench check` compare its formula with its f?


class Trial(Frozen):
    """One choice of the tuned values: how it is judged, and what trains if it is chosen."""

    values: dict[str, Any]  # `lr`, `o_end`
    roles: dict[Role, RoleInfo]
    held_out: Annotated[
        list[Cell], Field(min_length=1)
    ]  # trained on a part of the training images, measured on the rest
    cells: list[Cell]  # as the row's own, with these values


class Usual(Frozen):
    """How the suite trains the backbone of a row that trains it otherwise."""

    net: str
    backbone: Ref
    recipe: Recipe


class NetworkCost(Frozen):
    """What one network and one image of its data cost."""

    parameters: NonNegativeInt
    binary_weights: NonNegativeInt  # those of layers that are binary
    binary_macs: NonNegativeInt  # multiply-accumulates of these layers
    real_macs: NonNegativeInt  # of all others

    def bits(self, wa: WA) -> int:
        """Size of all parameters in bits: those of binary layers as `wa` says, 32 of others."""
        weights = bits_by_role(wa).get("W", REAL_BITS)
        return weights * self.binary_weights + REAL_BITS * (self.parameters - self.binary_weights)


class Row(Frozen):
    """One line of the leaderboard: cells that differ in the seed alone."""

    label: str
    backbone: str
    wa: WA
    schedule: str  # as the suite's axis names it; "default" is the estimator's own
    net: str  # the backbone's plugin, and its parameters that are not the defaults
    data: str  # how tables call the data set
    classes: int
    roles: dict[Role, RoleInfo]
    claim: Claim | None = None  # what was published for it
    cells: Annotated[list[Cell], Field(min_length=1)]
    trials: list[Trial] = []  # empty: nothing is tuned
    fixes: dict[str, Any] = {}  # options of binary layers that its method decides
    usual: Usual | None = None  # None: it trains as the suite says
    failed_checks: list[str] = []  # what its plugins do not keep, as `bench check` finds it
    cost: NetworkCost | None = None  # None: of an older plan, or not known
    missing: str = ""  # why its data cannot be read; then its cells can be looked at alone

    @property
    def recipe(self) -> Recipe:
        return self.cells[0].recipe

    @property
    def shown(self) -> str:
        """What people read in place of its label."""
        return show_label(self.label)

    @property
    def full_name(self) -> str:
        """What people read of a row where there is no table: label, network, W/A, schedule."""
        return name_combination(self.label, self.backbone, self.wa, self.schedule)

    @property
    def own_cells(self) -> list[Cell]:
        """Its cells, and those of its tuning."""
        trials = [cell for trial in self.trials for cell in (*trial.held_out, *trial.cells)]
        return [*self.cells, *trials]

    @property
    def differences(self) -> list[str]:
        """In what structure and recipe it trains otherwise than the suite says."""
        if self.usual is None:
            return []
        pairs = (
            (self.cells[0].backbone.params, self.usual.backbone.params),
            (dict(self.recipe), dict(self.usual.recipe)),
        )
        return [
            f"{key} {_word(own.get(key))}, suite {_word(usual.get(key))}"
            for own, usual in pairs
            for key in dict.fromkeys([*own, *usual])
            if own.get(key) != usual.get(key)
        ]

    def as_usual(self) -> "Row":
        """The row as it would be if it trained as the suite says: what its section shares."""
        if self.usual is None:
            return self
        own = {"backbone": self.usual.backbone, "recipe": self.usual.recipe}
        cells = [cell.model_copy(update=own) for cell in self.cells]
        return self.model_copy(update={"net": self.usual.net, "cells": cells})


class Absent(Frozen):
    """A published row that this suite does not run, and why."""

    claim: Claim
    reason: str


class LeftOut(Frozen):
    """A combination that the plan does not run, and why."""

    combination: str
    reason: str


class Plan(Frozen):
    """A suite, resolved."""

    schema_version: Literal[2] = 2
    suite: str
    question: list[str] = []  # what it asks: the comment that heads its file, by lines
    source: str  # the suite file
    source_digest: str  # of what it says, overrides included, comments not
    overrides: list[str] = []
    plugins: list[str] = []  # folders of local plugins
    baseline: str | None
    equilibrium: Definition = "paper"
    held_out: float | None = None  # the part of the training images that tuning is judged on
    looked: list[PositiveInt] = []  # seeds of a row whenever some could be added: `sequential`
    rows: Annotated[list[Row], Field(min_length=1)]
    absent: list[Absent] = []
    left_out: list[LeftOut] = []
    notes: list[str] = []  # what is odd about its data

    @property
    def failed_checks(self) -> dict[str, list[str]]:
        """What fails of the checks of plugins, each with the labels of its rows."""
        found: dict[str, list[str]] = {}
        for row in self.rows:
            for failed in row.failed_checks:
                found.setdefault(failed, []).append(row.label)
        return {failed: list(dict.fromkeys(labels)) for failed, labels in found.items()}

    @property
    def missing(self) -> list[str]:
        """Why data of its rows cannot be read, each reason once."""
        return list(dict.fromkeys(row.missing for row in self.rows if row.missing))

    def refuse_failed_checks(self, cells: Iterable[Cell]) -> None:
        """
        Refuse to train cells of rows whose plugins fail checks.

        Raises:
            PluginError: one of the cells is of such a row; every check that fails is named.
        """
        ids = {cell.id for cell in cells}
        wrong = [
            failed
            for row in self.rows
            for failed in row.failed_checks
            if any(cell.id in ids for cell in row.own_cells)
        ]
        if wrong:
            hint = "`bench check` tells more, --unchecked trains it all the same and marks its rows"
            lines = (f"{failed}; {hint}" for failed in dict.fromkeys(wrong))
            raise PluginError("\n".join(lines))

    @property
    def looks(self) -> int:
        """How often its board was looked at, which its tests pay for."""
        return max(len(self.looked), 1)

    @cached_property
    def cells(self) -> list[Cell]:
        """Every row's cells once, seeds outermost, so that a table fills evenly."""
        return _evenly(row.cells for row in self.rows)

    @property
    def possible(self) -> list[Cell]:
        """
        Every cell that may train, once: the rows' own, then those of tuning.

        Each comes after the cells that it begins or learns from.
        """
        trials = [trial for row in self.rows for trial in row.trials]
        own = [self.cells, _evenly(t.held_out for t in trials), _evenly(t.cells for t in trials)]
        return with_ancestry(cell for cells in own for cell in cells)

    def walk_cells(self) -> Iterator[tuple[Row, str, Cell]]:
        """
        Yield each cell that may train: its row, its part or none, and the cell.

        Its part is that in tuning, or in the chain of the row's cells. Cells of chains that are
        some row's own, or some trial's, come with that one alone.
        """
        parts = [(row, part, cell) for row in self.rows for part, cell in _parts(row)]
        own = {cell.id for _, _, cell in parts}
        for row, part, cell in parts:
            for above in cell.ancestry():
                if above.id not in own:
                    yield row, ", ".join(filter(None, [part, part_in_chain(above, cell)])), above
            yield row, part, cell

    def cell(self, cell_id: str) -> Cell:
        """Find the cell of that id, which must be one of the plan's."""
        return next(cell for _, _, cell in self.walk_cells() if cell.id == cell_id)


def show_label(label: str) -> str:
    """What people read in place of a row's label."""
    return FULL_PRECISION if label == "none" else label


def name_combination(label: str, backbone: str, wa: WA, schedule: str) -> str:
    """What people read of a combination where there is no table."""
    return f"{show_label(label)} x {backbone} x {wa} x {schedule}"


def name_results(path: Path, overrides: Iterable[str]) -> str:
    """
    Name a suite's results: after its file and its overrides.

    Raises:
        SuiteError: its file has no name that a folder can have.
    """
    if path.stem in {"", ".", ".."} or CONTROLS.search(path.stem):
        message = f"`{path}`: a suite's results are called after its file; give it another name"
        raise SuiteError(message)
    words = sorted(overrides)
    if not words:
        return path.stem
    text = re.sub(r"[^\w.=+-]", "_", ",".join(words))
    if len(text) > 60:
        text = hashlib.sha256(",".join(words).encode(errors="surrogatepass")).hexdigest()[:12]
    return f"{path.stem}@{text}"


def with_ancestry(cells: Iterable[Cell]) -> list[Cell]:
    """List cells and all that they rest on, each once, after what it rests on itself."""
    found: dict[str, Cell] = {}
    for cell in cells:
        if cell.id not in found:
            found |= {c.id: c for c in (*cell.ancestry(), cell) if c.id not in found}
    return list(found.values())


def part_in_chain(above: Cell, cell: Cell) -> str:
    """Say what a cell that `cell` rests on is to it: `stage 1 of 2`, `teacher resnet18`."""
    stages = cell.stages
    if above in stages:
        return f"stage {stages.index(above) + 1} of {len(stages)}"
    same = above.backbone == cell.backbone
    return "teacher" if same else f"teacher {above.backbone.name}"


def chain_part(part: str) -> str:
    """Return of a cell's part, as `walk_cells` says it, that in a chain; empty if it has none."""
    last = part.rpartition(", ")[2]
    return last if re.fullmatch(r"stage \d+ of \d+|teacher( \S+)?", last) else ""


def _parts(row: Row) -> Iterator[tuple[str, Cell]]:
    """Yield the row's own cells, and those of its tuning with their part in it."""
    yield from (("", cell) for cell in row.cells)
    for trial in row.trials:
        words = " ".join(f"{k}={v}" for k, v in trial.values.items())
        yield from ((f"held out, {words}", cell) for cell in trial.held_out)
        yield from ((f"tuned, {words}", cell) for cell in trial.cells)


def _word(value: Any) -> str:
    """Write a value of a recipe or a structure; what is left out of its JSON is a default."""
    if value is None:
        return "default"
    if isinstance(value, tuple):
        return " ".join(map(str, value)) or "none"  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    return f"{value:g}" if isinstance(value, float) else str(value)


def _evenly(groups: Iterable[list[Cell]]) -> list[Cell]:
    """List the cells of all groups, each once: the first of every group, then the second."""
    by_seed = sorted(((i, c) for group in groups for i, c in enumerate(group)), key=lambda x: x[0])
    return list({cell.id: cell for _, cell in by_seed}.values())
