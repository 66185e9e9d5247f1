"""
What an engine last said of a submission's jobs, for those who look at the folder alone.

    ROOT/jobs/<number>/look.json
"""

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from pydantic import AwareDatetime, ValidationError

from bench.base.files import read_small, write_file
from bench.base.validation import Frozen
from bench.errors import EnvironmentProblem
from bench.fleet.cancelled import home
from bench.fleet.engine import JobState


class Look(Frozen):
    """When the engine was asked, and what it said of each job."""

    at: AwareDatetime
    jobs: dict[str, JobState]


def save_look(root: Path, submission: str, states: Mapping[str, JobState]) -> None:
    """Keep what the engine said; where that cannot be written nothing is lost."""
    look = Look(at=datetime.now(UTC), jobs={**states})
    with suppress(EnvironmentProblem):
        write_file(home(root, submission) / "look.json", look.model_dump_json() + "\n")


def read_look(root: Path, submission: str) -> Look | None:
    """What was last kept; None if there is nothing that can be read."""
    try:
        return Look.model_validate_json(read_small(home(root, submission) / "look.json"))
    except (OSError, ValidationError):
        return None
