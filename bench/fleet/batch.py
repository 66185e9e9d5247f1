"""
What one job of an engine trains: some cells, and how.

    ROOT/batches/<name>.json

A batch is a value: every node reads the same file, and the same cells asked for in the same way
have the same name, a digest, so that no file is taken for another batch. All paths are absolute,
as the node sees them.
"""

import hashlib
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from bench.base.files import read_small, write_files
from bench.base.validation import Frozen
from bench.errors import UsageError
from bench.execution.journal import Entry
from bench.results import store
from bench.spec.cell import Cell

DIGITS = 16  # of a name


class Batch(Frozen):
    """
    Some cells, and how a job trains them.

    Args:
        cells: in the order in which they run; parents of a cell may be in another batch.
        entries: how journals and screens name them.
        before: seals of the records that there were when the batch was made, by the cell's id. A
            cell whose record has another seal has come to its end since: a job that was put back
            into the queue does not train it a second time.
        remeasure: measured cells are measured again (`--rerun`).
        device: as `--device` has it, seen on the node.
        slots_per_gpu, jobs, threads: as the options of `bench run` have them.
        ranks: processes that train one cell together.
        nodes: over which they are spread evenly.
        plugins: folders of local plugins; those of a submission are copies that it owns.
        spare_s: a job that has less than so long until its end begins with no cell, seconds.
        submission: whose batch it is, as `ROOT/jobs/<submission>` names it.
        purpose: a batch that tries or measures a machine trains no cell.
        side: of a trial's two jobs, which one it is; None: nodes see no folder to be tried.
        machines: for which kind of machines it keeps what it measures.
    """

    root: Path
    suite: str
    cells: list[Cell]
    entries: list[Entry]
    before: dict[str, str] = {}
    remeasure: bool = False
    device: str = "auto"
    slots_per_gpu: Annotated[int, Field(ge=1)] | Literal["auto"] | None = None
    jobs: Annotated[int, Field(ge=1)] | None = None
    threads: Annotated[int, Field(ge=1)] = 1
    ranks: Annotated[int, Field(ge=1)] = 1
    nodes: Annotated[int, Field(ge=1)] = 1
    compiled: bool | None = None
    workers: int | None = None
    data: Path
    plugins: list[Path] = []
    argv: list[str] = []
    checkpoint_s: float
    timeout_s: float | None = None
    retries: int = 0
    spare_s: float = 0.0
    submission: str = ""
    purpose: Literal["train", "try", "measure"] = "train"
    side: Literal[0, 1] | None = None
    machines: str = ""

    @cached_property
    def name(self) -> str:
        """A digest of all of it."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:DIGITS]


def save_batch(batch: Batch, root: Path) -> Path:
    """Keep one batch, as `save_batches` does; returns its path."""
    save_batches([batch], root)
    return batch_path(root, batch.name)


def save_batches(batches: Iterable[Batch], root: Path) -> None:
    """
    Keep batches in the results folder, whose path may be another one on nodes.

    Raises:
        EnvironmentProblem: they cannot be written.
    """
    found = {batch_path(root, batch.name): batch.model_dump_json() + "\n" for batch in batches}
    write_files(found)


def batch_path(root: Path, name: str) -> Path:
    """Where a batch is kept."""
    return store.path_inside(root, "batches", f"{name}.json")


def load_batch(path: Path) -> Batch:
    """
    The batch in a file.

    Raises:
        UsageError: there is none, or it is damaged, of another version, or not what it is called.
    """
    try:
        content = read_small(path)
        batch = Batch.model_validate_json(content)
    except OSError as error:
        message = f"cannot read the batch `{path}`: {error.strerror or error}"
        raise UsageError(message) from None
    except ValidationError as error:
        what = store.describe_invalid(error)
        message = f"the batch `{path}` is damaged, or of another version of signbench: {what}"
        raise UsageError(message) from None
    if hashlib.sha256(content.rstrip(b"\n")).hexdigest()[:DIGITS] != path.stem:
        message = f"the batch `{path}` is not the one of that name: it was changed; run anew"
        raise UsageError(message)
    return batch
