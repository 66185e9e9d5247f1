"""
What it means for a cell that its job has ended: own evidence first, the engine's word second.

A record decides everything, and is not asked about here: a cell comes to a verdict only if it has
none. What the cell's job said of it, and whether its checkpoint moved on, is the next thing.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum, auto

from bench.fleet.engine import JobState, Phase
from bench.spec.cell_status import CellStatus

ENDS = 5  # of jobs, without progress of the cell, after which it has failed whatever they say
TIMEOUTS = 2  # the same where each job took all of its time

OUT_OF_TIME = {"TIMEOUT", "DEADLINE"}
LOST = {"NODE_FAIL", "BOOT_FAIL", "PREEMPTED", "REVOKED", "REQUEUED", "STOPPED"}
WITHOUT_IT = {"COMPLETED", "GONE"}


class Course(StrEnum):
    """How a cell goes on."""

    WAIT = auto()  # nothing is decided
    AGAIN = auto()  # it trains in another job, and no try is counted
    LATER = auto()  # the same, but there is no hurry: somebody else is at work on it
    RETRY = auto()  # the same, but this was one of its tries
    FAIL = auto()  # it gets a record of a failure
    STOP = auto()  # it ends interrupted, with no record


@dataclass(frozen=True)
class Verdict:
    """What becomes of a cell, and why."""

    course: Course
    reason: str = ""
    status: CellStatus = CellStatus.FAILED


@dataclass
class History:
    """
    What is known of a cell that has not ended.

    Args:
        ends: words of jobs that ended since its checkpoint moved on.
        tries: that failed and count.
    """

    ends: list[str] = field(default_factory=list[str])
    tries: int = 0


@dataclass(frozen=True)
class JobEnd:
    """
    The end of a job, seen from one of its cells that has no record.

    Args:
        state: of the job, which has ended or is gone.
        began: had the job begun with the cell?
        moved: has the cell's checkpoint moved on in the job?
        said: the job's own word for how it left the cell, if it left one.
        ends: words of the jobs that ended since the checkpoint moved on, this one included.
        tries: that failed before.
        retries: further tries at a cell that fails.
    """

    state: JobState
    began: bool
    moved: bool
    said: CellStatus | None
    ends: list[str]
    tries: int
    retries: int

    @property
    def word(self) -> str:
        """The engine's."""
        return self.state.word or ("GONE" if self.state.phase is Phase.GONE else "ENDED")

    @property
    def timeouts(self) -> int:
        return sum(word in OUT_OF_TIME for word in self.ends)

    @property
    def where(self) -> str:
        return f" on {', '.join(self.state.nodes)}" if self.state.nodes else ""

    def told(self, what: str) -> str:
        """What happened, with the engine's word and reason behind it."""
        words = [w for w in dict.fromkeys([self.state.word, self.state.reason]) if w and w != what]
        return f"{what} ({', '.join(words)})" if words else what


@dataclass(frozen=True)
class Row:
    """One row of the table: which ends it is about, and what they mean."""

    name: str
    fits: Callable[[JobEnd], bool]
    verdict: Callable[[JobEnd], Verdict]


TABLE = (  # the first row that fits decides
    Row(
        "cancelled",
        lambda e: e.word.startswith("CANCELLED"),
        lambda e: Verdict(Course.STOP, e.told("its job was cancelled")),
    ),
    Row(
        "its parent was not there",
        lambda e: e.said is CellStatus.BLOCKED,
        lambda _: Verdict(Course.AGAIN, "what it rests on was not there yet"),
    ),
    Row(
        "another run has it",
        lambda e: e.said is CellStatus.ELSEWHERE,
        lambda _: Verdict(Course.LATER, "another run has it"),
    ),
    Row(
        "too little time for a checkpoint",
        lambda e: e.timeouts >= TIMEOUTS,
        lambda e: Verdict(
            Course.FAIL,
            f"{e.timeouts} jobs ended at their time limit (TIMEOUT) and its checkpoint did not "
            "move on; give the profile more `time`, or --checkpoint-every less",
            CellStatus.TIMEOUT,
        ),
    ),
    Row(
        "no progress, whatever the jobs say",
        lambda e: len(e.ends) >= ENDS,
        lambda e: Verdict(
            Course.FAIL,
            f"{len(e.ends)} jobs ended without progress: {', '.join(dict.fromkeys(e.ends))}"
            + (f"; of the last: {e.state.reason}" if e.state.reason else ""),
        ),
    ),
    Row(
        "stopped in time",
        lambda e: e.said is CellStatus.INTERRUPTED or e.word in OUT_OF_TIME,
        lambda e: Verdict(Course.AGAIN, e.told("its job was stopped")),
    ),
    Row(
        "lost, or never begun",
        lambda e: e.word in LOST or not e.began,
        lambda e: Verdict(Course.AGAIN, e.told("its job was lost")),
    ),
    Row(
        "out of memory",
        lambda e: e.word == "OUT_OF_MEMORY",
        lambda e: Verdict(
            Course.FAIL,
            f"out of memory of its job (OUT_OF_MEMORY{e.where}); give the profile more `mem`",
            CellStatus.OUT_OF_MEMORY,
        ),
    ),
    Row(
        "ended without it",
        lambda e: e.word in WITHOUT_IT,
        lambda e: Verdict(Course.AGAIN, e.told("its job ended without it")),
    ),
    Row(
        "died, and may try again",
        lambda e: e.tries < e.retries,
        lambda e: Verdict(
            Course.RETRY,
            f"its job died{e.where}: {e.told(e.word)}; "
            f"try {e.tries + 2} of {e.retries + 1} follows",
        ),
    ),
    Row(
        "died",
        lambda _: True,
        lambda e: Verdict(Course.FAIL, f"its job died{e.where}: {e.told(e.word)}"),
    ),
)


def judge(
    history: History,
    state: JobState,
    *,
    began: bool,
    moved: bool,
    said: CellStatus | None,
    retries: int = 0,
) -> Verdict:
    """Say what becomes of a cell without a record, and keep in its history what counts later."""
    if state.phase not in {Phase.ENDED, Phase.GONE}:
        return Verdict(Course.WAIT)
    end = JobEnd(state, began, moved, said, [], history.tries, retries)
    counts = not moved and said not in {CellStatus.BLOCKED, CellStatus.ELSEWHERE}
    history.ends = [*history.ends, end.word] if counts else [] if moved else history.ends
    end = JobEnd(state, began, moved, said, history.ends, history.tries, retries)
    verdict = next(row.verdict(end) for row in TABLE if row.fits(end))
    history.tries += verdict.course is Course.RETRY
    return verdict
