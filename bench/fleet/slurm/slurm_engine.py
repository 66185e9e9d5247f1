"""
Slurm: batches as array jobs, submitted by submitit, looked at by `squeue`.

submitit writes the script and the file that says what a task of the array runs. Its results, its
handling of signals and its states are not used: where there is no accounting it waits for a dead
job without end. What a task runs is `slurm_job.run`.
"""

import math
import os
import re
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager, redirect_stderr
from dataclasses import replace
from functools import cached_property
from importlib import import_module
from io import StringIO
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING, Any, TypeAlias

from bench.base.files import is_plain_file
from bench.errors import EnvironmentProblem
from bench.fleet.batch import Batch, load_batch
from bench.fleet.cancelled import home
from bench.fleet.engine import JobState, PartlyTaken
from bench.fleet.profile import Profile
from bench.fleet.slurm import slurm_job, slurm_states
from bench.results import store

if TYPE_CHECKING:
    from bench.fleet.slurm.slurm_script import Executor

COMMANDS = ("sbatch", "squeue", "scancel", "scontrol", "srun")
TOLD_TOGETHER = 200  # jobs in one call of scancel
LARGEST_ARRAY = 1001  # Slurm's own default
TAIL = 20_000  # bytes of a job's log in which its last words are looked for
MEMORY = re.compile(r"exceeded.{0,8} memory limit|oom[-_]kill", re.IGNORECASE)

Group: TypeAlias = tuple[tuple[str, ...], int]  # jobs that end before, and cells at a time


class Slurm:
    """
    Submits batches to the Slurm of this machine.

    Args:
        root: the results folder; scripts and logs lie in `jobs/<submission>/slurm` below it.

    Raises:
        ImportError: submitit is not installed.
        EnvironmentProblem: Slurm's commands are not here.
    """

    name = "slurm"
    attached = False

    def __init__(self, profile: Profile, root: Path) -> None:
        self.profile, self.root = profile, root.absolute()
        import_module("submitit")
        lacking = [command for command in COMMANDS if not which(command)]
        if lacking:
            message = (
                f"--on {profile.name}: no Slurm here, `{lacking[0]}` is not found; "
                "run this where jobs are submitted from, a login node of the cluster"
            )
            raise EnvironmentProblem(message)

    def submit(
        self, batches: list[Path], after: Mapping[Path, list[str]], exclude: Iterable[str] = ()
    ) -> dict[Path, str]:
        """Submit batches; those that ask for the same and wait for the same are one array."""
        jobs: dict[Path, str] = {}
        try:
            for executor, paths in self._arrays(batches, after, exclude):
                with _outside_of_jobs(), _in_slurms_words():
                    executor.folder.mkdir(parents=True, exist_ok=True)
                    found = executor.map_array(slurm_job.run, [str(self._seen(p)) for p in paths])
                jobs |= {path: job.job_id for path, job in zip(paths, found, strict=True)}
        except EnvironmentProblem as problem:
            if not jobs:
                raise
            raise PartlyTaken(problem, jobs) from None
        return jobs

    def script(
        self, batches: list[Path], after: Mapping[Path, list[str]], exclude: Iterable[str] = ()
    ) -> str:
        """What `submit` would give to sbatch, one script after the other."""
        arrays = self._arrays(batches, after, exclude)
        return "\n".join(executor.script(len(paths)) for executor, paths in arrays)

    def look(self, jobs: Iterable[str]) -> dict[str, JobState]:
        """How each of these jobs is."""
        return {job: self._explain(job, state) for job, state in slurm_states.ask(jobs).items()}

    def cancel(self, jobs: Iterable[str]) -> None:
        """End jobs: they are sent SIGTERM and, after Slurm's KillWait, SIGKILL."""
        jobs = list(jobs)
        for i in range(0, len(jobs), TOLD_TOGETHER):
            try:
                slurm_states.call("scancel", *jobs[i : i + TOLD_TOGETHER])
            except EnvironmentProblem as problem:
                if "Invalid job id" not in str(problem):  # one that ended long ago
                    raise

    def poll(self) -> None:
        """Do nothing: nodes share the folder."""

    def close(self) -> None:
        """Do nothing: jobs go on."""

    def _arrays(
        self, batches: list[Path], after: Mapping[Path, list[str]], exclude: Iterable[str]
    ) -> "Generator[tuple[Executor, list[Path]], None, None]":
        """The arrays that batches make, none longer than Slurm takes, each with who submits it."""
        groups: dict[Group, list[Path]] = {}
        loaded = {path: load_batch(path) for path in batches}
        for path, batch in loaded.items():
            wanted = (tuple(sorted(after.get(path, []))), self._at_once(batch))
            groups.setdefault(wanted, []).append(path)
        for (before, at_once), paths in groups.items():
            for i in range(0, len(paths), self._largest_array):
                part = paths[i : i + self._largest_array]
                folder = self._folder(loaded[part[0]].submission)
                asked = self._asked(before, at_once, sorted({*self.profile.exclude, *exclude}))
                yield self._executor(folder, asked, len(part)), part

    def _executor(self, folder: Path, asked: dict[str, Any], count: int) -> "Executor":
        from bench.fleet.slurm.slurm_script import DEAF, Executor

        profile, seen = self.profile, self._seen(folder)
        own = {key.replace("-", "_"): value for key, value in profile.sbatch.items()}
        more = {
            "signal": f"B:USR1@{profile.grace_s:.0f}",
            "requeue": True,
            "output": f"{seen}/{'%A_%a' if count > 1 else '%j'}_0_log.out",
        }
        executor = Executor(folder, seen)
        executor.update_parameters(
            **{key: value for key, value in asked.items() if key not in own},
            setup=[DEAF, *profile.setup],
            array_parallelism=profile.jobs,
            stderr_to_stdout=True,
            use_srun=False,
            additional_parameters=more | {k: v for k, v in own.items() if v not in {None, False}},
        )
        return executor

    def _asked(self, before: tuple[str, ...], at_once: int, exclude: list[str]) -> dict[str, Any]:
        """What is asked of Slurm, by submitit's names; None: nothing, so that its default holds."""
        profile, nodes = self.profile, self.profile.nodes_per_cell
        cores = profile.cpus_per_cell * (profile.ranks // nodes) * at_once
        gpus = profile.gpus_per_cell // nodes
        given = {"gres", "gpus", "gpus_per_task"} & {k.replace("-", "_") for k in profile.sbatch}
        return {
            "job_name": "signbench",
            "partition": profile.partition,
            "account": profile.account,
            "qos": profile.qos,
            "constraint": profile.constraint,
            "time": None if profile.time_s is None else math.ceil(profile.time_s / 60),
            "mem": profile.mem,
            "nodes": nodes,
            "ntasks_per_node": 1,
            "cpus_per_task": cores,
            "gpus_per_node": None if given or not gpus else gpus,
            "exclude": ",".join(exclude) or None,
            "dependency": "afterany:" + ":".join(before) if before else None,
            "wckey": None,
        }

    def _at_once(self, batch: Batch) -> int:
        """Cells that a job trains at a time, as far as that is known before it begins."""
        asked = batch.slots_per_gpu if self.profile.gpus_per_cell else batch.jobs
        most = len(batch.cells) if batch.purpose == "train" else asked  # copies are measured
        return min(asked, most) if isinstance(asked, int) and isinstance(most, int) else 1

    def _explain(self, job: str, state: JobState) -> JobState:
        """Have a state of `FAILED` say what the job's log ends with, and whether it is memory."""
        if state.word != "FAILED":
            return state
        last = self._last_words(job)
        if state.reason == "signal 9" and (found := MEMORY.search(last)):
            return replace(state, word="OUT_OF_MEMORY", reason=found[0])
        lines = [line.strip() for line in last.splitlines()]
        said = [line for line in lines if line and not line.startswith("slurmstepd")]
        return replace(state, reason=": ".join([state.reason, *said[-1:]])[:200])

    def _last_words(self, job: str) -> str:
        """What a job printed last, and Slurm about it."""
        for path in filter(is_plain_file, self.root.glob(f"jobs/*/slurm/{job}_0_log.out")):
            with path.open("rb") as file:
                file.seek(max(0, path.stat().st_size - TAIL))
                return file.read().decode("utf-8", "replace")
        return ""

    def _folder(self, submission: str) -> Path:
        name = submission or "none"
        return store.path_inside(home(self.root, name).parent, name, "slurm")

    def _seen(self, path: Path) -> Path:
        """A path below the results folder, as nodes see it."""
        if self.profile.results is None or not path.is_relative_to(self.root):
            return path
        return self.profile.results / path.relative_to(self.root)

    @cached_property
    def _largest_array(self) -> int:
        try:
            found = re.search(
                r"MaxArraySize\s*=\s*(\d+)", slurm_states.call("scontrol", "show", "config")
            )
        except EnvironmentProblem:
            found = None
        return max(1, int(found[1])) if found else LARGEST_ARRAY


@contextmanager
def _outside_of_jobs() -> Generator[None, None, None]:
    """Submit as from no job: variables of one that we are in would be taken for wishes."""
    if "SLURM_JOB_ID" not in os.environ:
        yield
        return
    before = dict(os.environ)
    for name in [n for n in before if n.startswith("SLURM_") and n != "SLURM_CONF"]:
        del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(before)


@contextmanager
def _in_slurms_words() -> Generator[None, None, None]:
    """
    Tell what is wrong in one line.

    Raises:
        EnvironmentProblem: Slurm refuses, or the folder of scripts cannot be written.
    """
    from submitit.core.utils import FailedJobError, FailedSubmissionError

    try:
        with redirect_stderr(StringIO()):  # where submitit says it, too
            yield
    except (FailedJobError, FailedSubmissionError) as error:
        raise EnvironmentProblem(f"Slurm refuses: {slurm_states.plain(str(error))}") from None
    except OSError as error:
        message = f"cannot write `{error.filename}`: {error.strerror or error}"
        raise EnvironmentProblem(message) from None
