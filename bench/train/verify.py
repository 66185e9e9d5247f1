"""
Is what lies in a results folder what was measured?

A cell's record is read, its identity and seal are computed again, so are the digests of the kept
weights and of checkpoints, and the accuracy, from data. What cannot be checked is said.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

import torch

from bench.base.text import count
from bench.data.dataset import Dataset
from bench.errors import BenchError, DataError, UsageError
from bench.results import cell_folders, source_digest, store, weight_files
from bench.results.cell_folders import CellFolder
from bench.results.record import Record
from bench.train import checkpoint, evaluation

PlanCheck: TypeAlias = Callable[[Path, str], tuple[str, list[str]]]
IMAGES, SHARE = 2, 0.01  # test images that may turn on another device, or a part of them
State: TypeAlias = Literal["ok", "partly", "not", "DIFFERS"]
WORDS: dict[State, str] = {
    "ok": "as recorded",
    "partly": "as recorded where it could be checked",
    "not": "could not be checked",
    "DIFFERS": "DIFFER",
}


@dataclass
class Checked:
    """What was checked of one cell, what differs, and what nobody could check."""

    cell: str
    checked: list[str] = field(default_factory=list[str])
    wrong: list[str] = field(default_factory=list[str])
    unchecked: list[str] = field(default_factory=list[str])

    @property
    def state(self) -> State:
        if self.wrong:
            return "DIFFERS"
        if self.unchecked:
            return "partly" if self.checked else "not"
        return "ok"

    def __str__(self) -> str:
        parts = ["; ".join(self.wrong) or ", ".join(self.checked)]
        parts.append(f"not checked: {', '.join(self.unchecked)}" if self.unchecked else "")
        return f"{self.state:8}{self.cell}: {'; '.join(part for part in parts if part)}"


@dataclass(frozen=True)
class Measuring:
    """
    Of which cells the accuracy is measured again.

    Args:
        sample: of so many cells alone, drawn by `seed`; None: of all.
        strict: what should be measured and cannot be is wrong.
        check_plan: of what somebody sent: says of a suite there what is wrong in its plan, and what
            nobody can tell; None: it is the user's own.
    """

    sample: int | None = None
    seed: int = 0
    strict: bool = False
    check_plan: PlanCheck | None = None

    def drawn(self, folders: list[CellFolder]) -> set[str]:
        """The slugs of the cells of which it is measured."""
        measured = sorted(f.slug for f in folders if f.record and f.record.measured)
        if self.sample is None or self.sample >= len(measured):
            return set(measured)
        return set(random.Random(self.seed).sample(measured, self.sample))


class Verifier:
    """Checks cells one by one; a data set is loaded once."""

    def __init__(
        self, root: Path, data: Path | None, *, accuracy: bool, strict: bool = False
    ) -> None:
        self.root, self.data, self.accuracy, self.strict = root, data, accuracy, strict
        self.sets: dict[str, Dataset | str] = {}  # or why there is none

    def check(self, folder: CellFolder, *, measure: bool = True) -> Checked:
        """
        Everything about one cell; nothing that is wrong with it is raised.

        Args:
            measure: its accuracy, too.
        """
        result = Checked(folder.slug)
        for path, problem in checkpoint.examine(folder.home, folder.slug.rpartition("__")[2]):
            where = result.wrong if problem else result.checked
            name = f"checkpoint {path.name}"
            where.append(f"{name}: {problem}" if problem else name)
        record = folder.record
        if record is None:
            where = result.unchecked if folder.unfinished else result.wrong
            where.append(folder.problem)
            return result
        result.checked.append("record")
        if cell_folders.describe_seal(record) == "holds":
            result.checked.append("seal")
        else:
            result.unchecked.append("seal (the record has none)")
        if not record.measured:
            result.unchecked.append(f"nothing was measured: {record.status}, {record.reason}")
            return result
        current = self._code(record, result)
        self._parents(record, result)
        sound = [w for w in ("last", "best") if self._weights(folder, record, w, result)]
        for which in evaluation.measured_weights(record) if self.accuracy and measure else ():
            if which in sound and current:
                self._accuracy(record, which, result)
            elif self.strict:
                result.wrong.append(f"the {which} weights cannot be measured")
        return result

    @staticmethod
    def _code(record: Record, result: Checked) -> bool:
        """Is the code still that of the record? Else its weights can be measured by none."""
        changes = source_digest.changes(record.cell, source_digest.now(record.cell))
        if changes:
            result.unchecked.append(f"code ({', '.join(changes)} since)")
        return not changes

    def _parents(self, record: Record, result: Checked) -> None:
        """Are the weights that it took from others those that these have?"""
        for role, parent in record.cell.parents.items():
            theirs = store.find_record(self.root, parent.cell)
            taken = record.parents.get(role, "")
            if theirs is None or not taken:
                why = "is not here" if theirs is None else "is not named by its digest"
                result.unchecked.append(f"{role} ({parent.cell.slug} {why})")
            elif weight_files.recorded_digest(theirs, parent.which) == taken:
                result.checked.append(role)
            else:
                result.wrong.append(f"{role}: {parent.cell.slug} has other weights now")

    def _weights(self, folder: CellFolder, record: Record, which: str, result: Checked) -> bool:
        """Compare the digest of kept weights with the record's; are they there to be measured?"""
        path = folder.home / f"{which}.safetensors"
        recorded = weight_files.recorded_digest(record, which)
        if not path.is_file():
            if which == "last" or record.best_epoch is not None:
                result.unchecked.append(f"{which} weights (not kept)")
            return False
        if problem := weight_files.find_problem(path, recorded):
            result.wrong.append(problem)
        elif recorded:
            result.checked.append(f"{which} weights")
        else:
            result.unchecked.append(f"digest of the {which} weights (the record has none)")
        return not problem

    def _accuracy(self, record: Record, which: str, result: Checked) -> None:
        what = f"accuracy of the {which} weights"
        unmeasured = result.wrong if self.strict else result.unchecked
        dataset = self._dataset(record)
        if isinstance(dataset, str):
            unmeasured.append(f"{what}: {dataset}")
            return
        try:
            measured = evaluation.measure_weights(record, self.root, dataset, which)
        except UsageError as error:
            result.wrong.append(str(error))
            return
        except BenchError as error:  # a plugin that is not here
            unmeasured.append(f"{what}: {error}")
            return
        now, then = (evaluation.format_accuracy(x) for x in (measured.now, measured.then))
        if measured.now == measured.then:
            result.checked.append(f"{which} {100 * measured.now[0]:.2f} %")
        elif measured.device and _by_rounding(measured, dataset):
            result.unchecked.append(f"{what}: {now} here, {then} on {measured.device}")
        else:
            result.wrong.append(f"{what} is {now}, the record says {then}")

    def _dataset(self, record: Record) -> Dataset | str:
        key = record.cell.data.model_dump_json()
        if key not in self.sets:
            try:
                dataset = evaluation.load_recorded_dataset(record, self.root, self.data)
                self.sets[key] = dataset.to(torch.device("cpu"))
            except DataError as error:
                self.sets[key] = str(error).splitlines()[0]
        return self.sets[key]


def summarize(results: list[Checked]) -> str:
    """One line for all cells."""
    cells = [result for result in results if not result.cell.startswith("suites/")]
    plans = len(results) - len(cells)
    counts = Counter(result.state for result in results)
    phrases = (f"{counts[state]} {words}" for state, words in WORDS.items() if counts[state])
    sums = [count(len(cells), "cell"), *([count(plans, "plan")] if plans else [])]
    return f"{', '.join(sums)}: {', '.join(phrases) or 'nothing to check'}"


def _by_rounding(measured: evaluation.Measured, dataset: Dataset) -> bool:
    """May a sum in another order, on another device, be the reason?"""
    images = max(IMAGES, SHARE * dataset.sizes["test"])
    apart = abs(measured.now[0] - measured.then[0]) * dataset.sizes["test"]
    return round(apart) <= images


def verify_cells(
    root: Path,
    names: list[str],
    data: Path | None,
    *,
    accuracy: bool = True,
    measuring: Measuring = Measuring(),
) -> Iterator[tuple[int, int, Checked]]:
    """
    Yield number, count and result of each cell that `names` stand for; all of no names.

    Of what somebody sent those of plans come first.

    Raises:
        UsageError: a name stands for nothing, or `root` is no results folder.
    """
    chosen, plans = cell_folders.select_folders(root, names)
    check_plan = measuring.check_plan
    suites = cell_folders.list_suites(root) if check_plan else []
    if not check_plan:
        cell_folders.add_plugins(root, [*plans, *cell_folders.read_plans(root)])
    total = len(suites) + len(chosen)
    for number, suite in enumerate(suites, start=1):
        wrong, unknown = check_plan(root, suite) if check_plan else ("", [])
        yield number, total, Checked(f"suites/{suite}", ["plan"], [wrong] * bool(wrong), unknown)
    verifier = Verifier(root, data, accuracy=accuracy, strict=measuring.strict)
    drawn = measuring.drawn(chosen)
    for number, folder in enumerate(chosen, start=len(suites) + 1):
        yield number, total, verifier.check(folder, measure=folder.slug in drawn)
