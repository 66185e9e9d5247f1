"""An engine whose jobs train nothing: what each does is told to it, and done where it is asked."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import samples

from bench.execution.events import Elsewhere, Ended, Started
from bench.execution.journal import JournalWriter
from bench.fleet.batch import Batch, load_batch
from bench.fleet.engine import JobState, Phase
from bench.results import store
from bench.results.record import EngineJob
from bench.spec.cell import Cell
from bench.spec.cell_status import CellStatus


@dataclass
class Job:
    """
    One job.

    Args:
        deed: `train`; `elsewhere`: others have its cells; `wait`, for ever; a word that it ends
            with in the midst of its first cell; or `early` and such a word: before it has begun.
    """

    batch: Path
    deed: str
    after: list[str]
    excluded: list[str]
    state: JobState = field(default_factory=lambda: JobState(Phase.QUEUED, "PENDING", "Priority"))


@dataclass
class ToldEngine:
    """
    Args:
        deed: of a job, from its number and its batch.
        refuses: every submission, in these words.
    """

    deed: Callable[[int, Batch], str] = lambda *_: "train"
    node: Callable[[int], str] = lambda _: "n1"
    refuses: str = ""
    name: str = "told"
    attached: bool = False
    looks: int = 0
    jobs: dict[str, Job] = field(default_factory=dict[str, Job])
    cancelled: list[str] = field(default_factory=list[str])

    def submit(
        self, batches: list[Path], after: Mapping[Path, list[str]], exclude: Iterable[str] = ()
    ) -> dict[Path, str]:
        found: dict[Path, str] = {}
        for path in batches:
            number = len(self.jobs)
            deed = self.deed(number, load_batch(path))
            self.jobs[str(number)] = Job(path, deed, after.get(path, []), [*exclude])
            found[path] = str(number)
        return found

    def look(self, jobs: Iterable[str]) -> dict[str, JobState]:
        self.looks += 1
        return {job: self.jobs[job].state for job in jobs}

    def cancel(self, jobs: Iterable[str]) -> None:
        for job in jobs:
            self.cancelled.append(job)
            self._end(job, "CANCELLED by 0")

    def script(
        self, batches: list[Path], after: Mapping[Path, list[str]], exclude: Iterable[str] = ()
    ) -> str:
        return "".join(f"{path.name}\n" for path in batches)

    def poll(self) -> None:
        for number, job in self.jobs.items():
            ended = (self.jobs[other].state.phase is Phase.ENDED for other in job.after)
            if job.state.phase is Phase.QUEUED and job.deed != "wait" and all(ended):
                self._run(number, job)

    def close(self) -> None:
        """Nothing is open."""

    def _run(self, number: str, job: Job) -> None:
        batch = load_batch(job.batch)
        word = job.deed.removeprefix("early ")
        if not job.deed.startswith("early"):
            own = EngineJob(engine=self.name, job=number, node=self.node(int(number)))
            writer = JournalWriter(
                batch.root, batch.suite, batch.entries, [], submission=batch.submission, job=own
            )
            with writer:
                for cell in batch.cells:
                    if word == "elsewhere":
                        writer(Elsewhere(cell.id, "another run"))
                        continue
                    writer(Started(cell.id))
                    if word != "train":
                        break
                    self._train(batch, cell, writer)
        self._end(number, "COMPLETED" if word in {"train", "elsewhere"} else word)

    def _train(self, batch: Batch, cell: Cell, writer: JournalWriter) -> None:
        done = store.find_record(batch.root, cell)
        if done is None or done.seal == batch.before.get(cell.id):
            origin = samples.ORIGIN.model_copy(update={"wall_s": float(len(self.jobs))})
            store.save_record(batch.root, samples.record(of=cell, provenance=origin))
            store.save_weights(store.weights_path(batch.root, cell, "last"), samples.WEIGHTS)
            writer(Ended(cell.id, CellStatus.OK, acc=0.5))

    def _end(self, number: str, word: str) -> None:
        gone = word == "GONE"
        self.jobs[number].state = (
            JobState(Phase.GONE)
            if gone
            else JobState(Phase.ENDED, word, "", (self.node(int(number)),))
        )
