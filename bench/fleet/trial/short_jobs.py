"""
Jobs that train nothing: they try a machine, or measure it, and say so by files.

    ROOT/jobs/<purpose>-<id>/    while it lasts
"""

import shutil
import time
import uuid
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import ValidationError

from bench.base.files import write_file
from bench.base.validation import Frozen
from bench.errors import EnvironmentProblem
from bench.fleet.batch import Batch
from bench.fleet.cancelled import home
from bench.fleet.engine import Engine, JobState, Phase
from bench.fleet.profile import Profile
from bench.results import store
from bench.results.lease import Leases, myself

SEEN_S = 15.0  # until what a node wrote is seen here, where nothing is wrong
CHECKPOINT_S = 600.0  # of which there is none
POLL_S, LOOK_S = 0.1, 2.0
OVER = {Phase.ENDED, Phase.GONE}
Model = TypeVar("Model", bound=Frozen)


class ShortJobs:
    """
    Some jobs, and the folder in which they say what they found.

    Args:
        root: the results folder, as this machine sees it.
        data: the folder of data sets, as nodes see it.
    """

    def __init__(
        self,
        engine: Engine,
        profile: Profile,
        purpose: Literal["try", "measure"],
        root: Path,
        data: Path,
    ) -> None:
        self.engine, self.purpose, self.root = engine, purpose, root.absolute()
        self.name = f"{purpose}-{uuid.uuid4().hex[:8]}"
        self.folder = home(self.root, self.name)
        self.jobs: list[str] = []
        self._batches: list[Path] = []
        self._leases = Leases(self.root, myself())  # for `bench gc`, which takes what died
        self._seen_root, self._data = profile.results or self.root, data

    def submit(self, exclude: Iterable[str] = (), **given: Any) -> str:
        """
        Submit a job with these fields of its batch; returns it.

        Raises:
            EnvironmentProblem: the engine is not there or refuses, or the folder is not writable.
        """
        common: dict[str, Any] = {
            "root": self._seen_root, "data": self._data, "suite": "", "cells": [], "entries": [],
            "checkpoint_s": CHECKPOINT_S, "submission": self.name, "purpose": self.purpose,
        }  # fmt: skip
        batch = Batch.model_validate(common | given)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            message = f"cannot write `{self.folder}`: {error.strerror or error}"
            raise EnvironmentProblem(message) from None
        self._leases.take_folder(self.folder)
        path = store.path_inside(self.root, "batches", f"{batch.name}.json")
        self._batches.append(write_file(path, batch.model_dump_json() + "\n"))
        job = self.engine.submit([path], {}, exclude)[path]
        self.jobs.append(job)
        return job

    def wait(
        self, job: str, name: str, model: type[Model], wait_s: float, run_s: float = 0.0
    ) -> tuple[Model | None, JobState]:
        """
        Wait for a file of a job, as long as that goes on; returns it, and how the job is.

        Args:
            wait_s: the longest that the job may be in the queue.
            run_s: the longest that it may take from then on.
        """
        until = time.monotonic() + wait_s
        state, look_at = JobState(Phase.UNKNOWN), 0.0
        while True:
            self.engine.poll()
            with suppress(OSError, ValidationError):
                found = model.model_validate_json((self.folder / name).read_bytes())
                return found, self.engine.look([job])[job]
            now = time.monotonic()
            if now > until:
                return None, state
            if now > look_at and state.phase not in OVER:
                was, state = state.phase, self.engine.look([job])[job]
                look_at = now + LOOK_S
                if state.phase in OVER:  # what it wrote may be seen late
                    until = min(until, now + SEEN_S)
                elif state.phase is Phase.RUNNING and was is not Phase.RUNNING:
                    until = max(until, now + run_s)
            time.sleep(POLL_S)

    def cancel(self, job: str) -> None:
        """End a job, and wait for its end, but not long."""
        self.engine.cancel([job])
        until = time.monotonic() + SEEN_S
        while time.monotonic() < until and self.engine.look([job])[job].phase not in OVER:
            time.sleep(LOOK_S)

    def clear(self) -> None:
        """Cancel what is not over, and remove the folder."""
        with suppress(OSError):
            (self.folder / "over").touch()
        with suppress(EnvironmentProblem):
            self.engine.cancel(self.jobs)
        shutil.rmtree(self.folder, ignore_errors=True)
        for path in self._batches:
            path.unlink(missing_ok=True)
        self._leases.release_all()


def folder_of(batch: Batch) -> Path:
    """The folder of the short_jobs that a job is part of, as the job sees it."""
    return batch.root / "jobs" / batch.submission


def read_found(batch: Batch) -> dict[str, bytes]:
    """The files by which a job says what it found, by their names; none of a batch that trains."""
    if batch.purpose == "train":
        return {}
    return {path.name: path.read_bytes() for path in folder_of(batch).glob("*") if path.is_file()}


def words(state: JobState) -> str:
    """How a job is, in the engine's words."""
    return ", ".join(filter(None, [state.word or state.phase, state.reason]))
