"""
Batches as tasks of Ray, one a task; how jobs are, this process alone knows, so they end with it.

    num_cpus, num_gpus, memory   what one batch takes of a node: a part of a GPU that cells share
    max_retries=0                what is lost begins again at its newest checkpoint, by our hand
"""

import time
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path

from bench.errors import EnvironmentProblem, UsageError
from bench.fleet import ray_cluster
from bench.fleet.batch import load_batch
from bench.fleet.deliveries import Deliveries
from bench.fleet.engine import JobState, Phase
from bench.fleet.job_ends import note_end
from bench.fleet.profile import Profile
from bench.fleet.ray_cluster import Cluster
from bench.fleet.ray_demand import demand_of
from bench.fleet.ray_job import End, RayJob, end_by, end_of
from bench.fleet.ray_messages import Arrived, Begin, Checkpointed, Finished, JournalLines, News
from bench.results.record import EngineJob

GRACE_S = 75.0  # for a job to checkpoint; `bench work` ends its own after a minute
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
        self._deliveries = None if profile.shared else Deliveries(root)
        self._cluster: Cluster | None = None
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
        cluster = self._connected()
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
            if job.over or job.cancelled_at is not None:
                continue
            job.cancelled_at = time.monotonic()
            if job.node:
                self._connected().tell(job.task, "stop")
            else:
                if job.stream is not None:
                    ray_cluster.end(job.stream)
                job.end(End("CANCELLED"))

    def poll(self) -> None:
        """
        Start what can start, and take in what came.

        Raises:
            EnvironmentProblem: the results folder cannot be read or written.
        """
        cluster = self._connected()
        self._start(cluster)
        streams = {id(job.stream): job for job in self._open() if job.stream is not None}
        for stream in ray_cluster.news([job.stream for job in streams.values()]):
            self._take(cluster, streams[id(stream)])
        for job in streams.values():
            late = job.cancelled_at is not None and time.monotonic() - job.cancelled_at > GRACE_S
            if late and job.stream is not None:
                ray_cluster.end(job.stream)
        self._give_up_what_fits_nowhere(cluster)
        if self._deliveries:
            self._deliveries.beat()

    def close(self) -> None:
        """End all jobs now, and leave the cluster, or end the one that was started."""
        for job in self._open():
            if job.stream is not None:
                ray_cluster.end(job.stream)
            job.cancelled_at = time.monotonic()
            self._end(job, End("CANCELLED", "the run that had submitted it ended"))
        if self._cluster:
            self._cluster.close()
            self._cluster = None

    def _connected(self) -> Cluster:
        if self._cluster is None:
            self._cluster = Cluster(self.profile.address)
        return self._cluster

    def _open(self) -> list[RayJob]:
        return [job for job in self._jobs.values() if not job.over]

    def _start(self, cluster: Cluster) -> None:
        """Give tasks to Ray, of jobs that nothing is in the way of."""
        jobs = self._open()
        room = self.profile.jobs - sum(job.stream is not None for job in jobs)
        open_, now = {job.id for job in jobs}, time.monotonic()
        for job in jobs:
            if room <= 0:
                return
            if job.stream is None and now >= job.not_before and not open_.intersection(job.after):
                words = (job.task, job.id, job.state.restarts, self.profile.setup)
                job.stream = cluster.start(job.demand, job.exclude, *words)
                room -= 1

    def _take(self, cluster: Cluster, job: RayJob) -> None:
        """Take in one of a job's news, or its end."""
        from ray.exceptions import RayError

        try:
            self._heed(cluster, job, ray_cluster.take(job.stream))
        except StopIteration:
            cluster.tell(job.task, "leave")
            end = end_of(job.finished) if job.finished else End("COMPLETED")
            if job.others and not end.lost and job.cancelled_at is None:
                self._release(job)
                job.wait_for_others()
            else:
                self._end(job, end)
        except (RayError, UsageError) as error:  # UsageError: an archive that did not arrive whole
            self._end(job, end_by(error))

    def _heed(self, cluster: Cluster, job: RayJob, news: News) -> None:
        if isinstance(news, Arrived):
            job.arrive(news.node, news.host)
            self._order(cluster, job)
        elif isinstance(news, Finished):
            if self._deliveries and news.cells is not None:
                self._land(job, news.cells)
            job.finished = news
        elif self._deliveries and isinstance(news, JournalLines):
            self._deliveries.write_journal(news.name, news.content)
        elif self._deliveries and isinstance(news, Checkpointed):
            self._land(job, news.cells)

    def _order(self, cluster: Cluster, job: RayJob) -> None:
        """Tell a task that has begun what to do."""
        if self._deliveries is None:
            cluster.tell(job.task, Begin(job.batch.root / "batches" / job.path.name))
            return
        data = self.profile.data or job.batch.data
        batch = job.batch.model_copy(update={"data": data})
        parcel, job.others = self._deliveries.send(batch)
        cluster.tell(job.task, Begin(parcel=parcel) if parcel else "leave")

    def _land(self, job: RayJob, content: bytes) -> None:
        assert self._deliveries
        job.problems += self._deliveries.land(job.batch, content)

    def _end(self, job: RayJob, end: End) -> None:
        """End a job, or have it begin again; either way nobody has its cells now."""
        self._release(job)
        ended = EngineJob(
            engine=self.name,
            job=job.id,
            node=next(iter(job.state.nodes), ""),
            restarts=job.state.restarts,
            end=end.word,
        )
        if job.node and job.batch.submission and end.word != "COMPLETED":
            note_end(self.root, job.batch.submission, ended)
        job.end(end)

    def _release(self, job: RayJob) -> None:
        if self._deliveries:
            self._deliveries.release(job.batch.cells)

    def _give_up_what_fits_nowhere(self, cluster: Cluster) -> None:
        """End jobs that wait for nodes which are gone, and do not come back."""
        now = time.monotonic()
        if now - self._looked_at < LOOKED_S:
            return
        self._looked_at = now
        waiting = [job for job in self._open() if job.stream is not None and not job.node]
        lacks = {
            (demand, exclude): cluster.lack(demand, exclude)
            for demand, exclude in {(job.demand, job.exclude) for job in waiting}
        }
        for job in waiting:
            why = lacks[job.demand, job.exclude]
            job.fits_nowhere_since = (job.fits_nowhere_since or now) if why else None
            if now - (job.fits_nowhere_since or now) > NOWHERE_S:
                ray_cluster.end(job.stream)
                self._end(job, End("NODE_FAIL", why))
