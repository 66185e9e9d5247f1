"""
Batches as tasks of Ray, one a task; how jobs are, this process alone knows, so they end with it.

    num_cpus, num_gpus, memory   what one batch takes of a node: a part of a GPU that cells share
    max_retries=0                what is lost begins again at its newest checkpoint, by our hand
"""

import time
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path

from bench.errors import EnvironmentProblem
from bench.fleet.batch import load_batch
from bench.fleet.engine import JobState, Phase
from bench.fleet.profile import Profile
from bench.fleet.ray import ray_cluster
from bench.fleet.ray.ray_cluster import Cluster
from bench.fleet.ray.ray_demand import demand_of
from bench.fleet.ray.ray_job import End, RayJob
from bench.fleet.ray.ray_tasks import Tasks

GRACE_S = 75.0  # for a job to checkpoint; `bench work` ends its own after a minute
POLLED_S = 0.5  # for news in one call, at most and about
NOWHERE_S = 60.0  # how long nodes may be gone without which a job fits nowhere
LOOKED_S = 10.0  # between two such looks


class Ray:
    """
    Runs batches on a cluster of Ray, one that runs or one of this machine alone.

    Args:
        profile: says where, and what a job takes.
        root: the results folder, as this process sees it.

    Raises:
        ImportError: Ray is not installed.
    """

    name = "ray"
    attached = True

    def __init__(self, profile: Profile, root: Path) -> None:
        ray_cluster.prepare()
        self.profile, self.root = profile, root
        self._tasks: Tasks | None = None  # until a cluster is wanted
        self._jobs: dict[str, RayJob] = {}
        self._looked_at = 0.0

    def submit(
        self, batches: list[Path], after: Mapping[Path, list[str]], exclude: Iterable[str] = ()
    ) -> dict[Path, str]:
        """
        Have batches run, in this order, as nodes have room; returns the job of each.

        Raises:
            EnvironmentProblem: no cluster can be reached or started, or a job fits on no node.
            UsageError: a batch cannot be read.
        """
        cluster = self._connected().cluster
        left = (*self.profile.exclude, *exclude)
        made: dict[Path, RayJob] = {}
        for path in batches:
            batch = load_batch(path)
            demand = demand_of(self.profile, batch)
            waits = tuple(after.get(path, ()))
            made[path] = RayJob(f"ray-{uuid.uuid4().hex[:12]}", path, batch, demand, waits, left)
        for demand in {job.demand for job in made.values()}:
            if why := cluster.lack(demand, left):
                raise EnvironmentProblem(why)
        self._jobs |= {job.id: job for job in made.values()}
        self.poll()
        return {path: job.id for path, job in made.items()}

    def look(self, jobs: Iterable[str]) -> dict[str, JobState]:
        """How each of these jobs is; one of another process, with which it ends, is GONE."""
        gone = JobState(Phase.GONE)
        return {id_: self._jobs[id_].state if id_ in self._jobs else gone for id_ in jobs}

    def script(
        self, batches: list[Path], after: Mapping[Path, list[str]], exclude: Iterable[str] = ()
    ) -> str:
        """What `submit` would have run, one task a line; no cluster is asked."""
        where = self.profile.address or "a cluster that is started here"
        left = sorted({*self.profile.exclude, *exclude})
        lines = [f"# tasks of Ray on {where}{', not on ' * bool(left)}{', '.join(left)}"]
        for path in batches:
            lines += [*self.profile.setup, f"bench work {path}"]
            lines[-1] += f"  # {demand_of(self.profile, load_batch(path))}"
        return "\n".join(lines)

    def cancel(self, jobs: Iterable[str]) -> None:
        """Have jobs checkpoint and end; those that have not begun end at once."""
        for job in filter(None, map(self._jobs.get, jobs)):
            if not job.over and job.cancelled_at is None:
                job.cancelled_at = time.monotonic()
                self._connected().stop(job)

    def poll(self) -> None:
        """
        Start what can start, and take in what came.

        Raises:
            EnvironmentProblem: the results folder cannot be read or written.
        """
        tasks = self._connected()
        self._begin(tasks)
        given = {id(job.stream): job for job in self._open() if job.stream is not None}
        until = time.monotonic() + POLLED_S
        while time.monotonic() < until:
            streams = [job.stream for job in given.values() if job.stream is not None]
            if not (ready := ray_cluster.news(streams)):
                break
            for stream in ready:
                tasks.hear(given[id(stream)])
        for job in self._open():
            if job.cancelled_at is not None and time.monotonic() - job.cancelled_at > GRACE_S:
                tasks.kill(job, "it did not end when it was told to")
        self._give_up_what_fits_nowhere(tasks)
        self._begin(tasks)
        tasks.beat()

    def close(self) -> None:
        """End all jobs now, and leave the cluster, or end the one that was started."""
        if self._tasks is None:
            return
        for job in self._open():
            job.cancelled_at = job.cancelled_at or time.monotonic()
            self._tasks.kill(job, "the run that had submitted it ended")
        self._tasks.cluster.close()
        self._tasks = None

    def _connected(self) -> Tasks:
        if self._tasks is None:
            self._tasks = Tasks(self.profile, self.root, Cluster(self.profile.address))
        return self._tasks

    def _open(self) -> list[RayJob]:
        return [job for job in self._jobs.values() if not job.over]

    def _begin(self, tasks: Tasks) -> None:
        """Begin the tasks of jobs that nothing is in the way of."""
        jobs = self._open()
        room = self.profile.jobs - sum(job.stream is not None for job in jobs)
        open_, now = {job.id for job in jobs}, time.monotonic()
        for job in jobs:
            if room <= 0:
                return
            if job.stream is None and now >= job.not_before and not open_.intersection(job.after):
                tasks.begin(job)
                room -= 1

    def _give_up_what_fits_nowhere(self, tasks: Tasks) -> None:
        """End jobs that wait for nodes which are gone, and do not come back."""
        now = time.monotonic()
        if now - self._looked_at < LOOKED_S:
            return
        self._looked_at = now
        waiting = [job for job in self._open() if job.stream is not None and not job.node]
        lacks = {
            (demand, exclude): tasks.cluster.lack(demand, exclude)
            for demand, exclude in {(job.demand, job.exclude) for job in waiting}
        }
        for job in waiting:
            why = lacks[job.demand, job.exclude]
            job.fits_nowhere_since = (job.fits_nowhere_since or now) if why else None
            if now - (job.fits_nowhere_since or now) > NOWHERE_S:
                ray_cluster.end(job.stream)
                tasks.end(job, End("NODE_FAIL", why))
