"""
How jobs ended, in their engine's words: noted by whoever learned of it, for the records of cells.

    ROOT/jobs/<submission>/ends.jsonl
"""

from contextlib import suppress
from pathlib import Path

from pydantic import ValidationError

from bench.base.files import append_text, read_small
from bench.fleet.allocation import Allocation
from bench.results import store
from bench.results.record import EngineJob


def note_end(root: Path, submission: str, job: EngineJob) -> None:
    """
    Keep how a job ended; one line, so that several may do it at a time.

    Raises:
        EnvironmentProblem: it cannot be written.
    """
    append_text(ends_path(root, submission), job.model_dump_json() + "\n")


def read_ends(root: Path, allocation: Allocation) -> tuple[EngineJob, ...]:
    """What is known of the ends of all submissions' jobs, and of earlier runs of this one."""
    own = allocation.engine_job
    ends = allocation.earlier_ends.items() if own else ()
    found = [own.model_copy(update={"restarts": n, "end": end}) for n, end in ends if own]
    for path in sorted((root / "jobs").glob("*/ends.jsonl")):
        with suppress(OSError):
            for line in read_small(path).splitlines():
                with suppress(ValidationError):  # cut off
                    found.append(EngineJob.model_validate_json(line))
    return tuple(found)


def ends_path(root: Path, submission: str) -> Path:
    """The file of a submission in which ends of jobs are kept."""
    return store.path_inside(root, "jobs", submission) / "ends.jsonl"
