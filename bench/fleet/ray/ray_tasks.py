"""The tasks of jobs of Ray: begun, heard, told to stop; and where what they send goes."""

from pathlib import Path

from bench.errors import UsageError
from bench.fleet.job_ends import note_end
from bench.fleet.profile import Profile
from bench.fleet.ray import ray_cluster
from bench.fleet.ray.ray_cluster import Cluster
from bench.fleet.ray.ray_job import End, RayJob, end_by, end_of
from bench.fleet.ray.ray_messages import Arrived, Begin, Finished, JournalLines, News, Sent
from bench.fleet.ray.transfers import Transfers
from bench.results.record import EngineJob


class Tasks:
    """
    Runs jobs as tasks of a cluster.

    Args:
        root: the results folder, as this process sees it.
    """

    def __init__(self, profile: Profile, root: Path, cluster: Cluster) -> None:
        self.profile, self.root, self.cluster = profile, root, cluster
        self.transfers = None if profile.shared else Transfers(root)

    def begin(self, job: RayJob) -> None:
        """Give a job's task to Ray, and where nodes see the results folder its batch with it."""
        if self.transfers is None:
            batch = job.batch.root / "batches" / job.path.name
            self.cluster.tell(job.task, Begin(batch))
        words = (job.task, job.id, job.state.restarts, self.profile.setup)
        job.stream = self.cluster.start(job.demand, job.exclude, *words)

    def hear(self, job: RayJob) -> None:
        """
        Take in one of the news of a job's task, or its end.

        Raises:
            EnvironmentProblem: the results folder cannot be read or written.
        """
        from ray.exceptions import RayError

        try:
            self._take(job, ray_cluster.take(job.stream))
        except StopIteration:
            self.cluster.tell(job.task, "leave")
            end = end_of(job.finished) if job.finished else End("COMPLETED")
            if job.others and not end.lost and job.cancelled_at is None:
                self._release(job)
                job.wait_for_others()
            else:
                self.end(job, end)
        except (RayError, UsageError) as error:  # UsageError: an archive that did not arrive whole
            self.end(job, end_by(error))

    def stop(self, job: RayJob) -> None:
        """Have a job checkpoint and end; one whose task has not begun ends at once."""
        if job.node:
            self.cluster.tell(job.task, "stop")
        else:
            self.kill(job)

    def kill(self, job: RayJob, why: str = "") -> None:
        """End a job now."""
        if job.stream is not None:
            ray_cluster.end(job.stream)
        self.end(job, End("CANCELLED", why))

    def end(self, job: RayJob, end: End) -> None:
        """End a job, or have it begin again; either way nobody has its cells now."""
        self._release(job)
        trained = job.batch.purpose == "train" and bool(job.batch.submission)
        if job.node and trained and end.word != "COMPLETED":
            ended = EngineJob(
                engine="ray",
                job=job.id,
                node=next(iter(job.state.nodes), ""),
                restarts=job.state.restarts,
                end=end.word,
            )
            note_end(self.root, job.batch.submission, ended)
        job.end(end)

    def beat(self) -> None:
        """Show that this process lives, where it holds leases of cells."""
        if self.transfers:
            self.transfers.beat()

    def _take(self, job: RayJob, news: News) -> None:
        transfers = self.transfers
        if isinstance(news, Arrived):
            job.arrive(news.node, news.host)
            if transfers:
                self._send(job, transfers)
        elif isinstance(news, Finished):
            if transfers and news.cells is not None:
                job.problems += transfers.land(job.batch, news.cells)
                transfers.write_found(job.batch, news.found)
            job.finished = news
        elif transfers and isinstance(news, JournalLines):
            transfers.write_journal(news.name, news.content)
        elif transfers and isinstance(news, Sent):
            job.problems += transfers.land(job.batch, news.cells)

    def _send(self, job: RayJob, transfers: Transfers) -> None:
        """Send a task that has begun what it needs, or tell it that there is nothing to do now."""
        data = self.profile.data or job.batch.data
        batch = job.batch.model_copy(update={"data": data})
        transfer, job.others = transfers.send(batch)
        self.cluster.tell(job.task, Begin(transfer=transfer) if transfer else "leave")

    def _release(self, job: RayJob) -> None:
        if self.transfers:
            self.transfers.release(job.batch.cells)
