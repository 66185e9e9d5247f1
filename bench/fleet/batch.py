"""
What one job of an engine trains: some cells, and how.

    ROOT/batches/<name>.json

A batch is a value: every node reads the same file, and the same cells asked for in the same way
have the same name. All paths are absolute, as the node sees them.
"""

import hashlib
from pathlib import Path
from typing import Annotated

from pydantic import Field

from bench.base.validation import Frozen
from bench.run.journal import Entry
from bench.spec.cell import Cell


class Batch(Frozen):
    """
    Some cells, and how a job trains them.

    Args:
        cells: in the order in which they run; parents of a cell may be in another batch.
        entries: how journals and screens name them.
        before: digests of records that are to be measured again (`--rerun`), by the cell's id. A
            cell whose record has another seal has been measured since: a job that was put back
            into the queue does not measure it a second time.
        device: as `--device` has it, seen on the node.
        slots_per_gpu, jobs, threads: as the options of `bench run` have them.
        ranks: processes that train one cell together.
        plugins: folders of local plugins; those of a submission are copies that it owns.
        submission: whose batch it is, as `ROOT/jobs/<submission>` names it.
    """

    root: Path
    suite: str
    cells: list[Cell]
    entries: list[Entry]
    before: dict[str, str] = {}
    device: str = "auto"
    slots_per_gpu: Annotated[int, Field(ge=1)] | None = None
    jobs: Annotated[int, Field(ge=1)] | None = None
    threads: Annotated[int, Field(ge=1)] = 1
    ranks: Annotated[int, Field(ge=1)] = 1
    compiled: bool | None = None
    workers: int | None = None
    data: Path
    plugins: list[Path] = []
    argv: list[str] = []
    checkpoint_s: float
    timeout_s: float | None = None
    retries: int = 0
    submission: str = ""

    @property
    def name(self) -> str:
        """A digest of all of it."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:12]
