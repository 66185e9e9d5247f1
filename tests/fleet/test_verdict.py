"""What the end of a job means for a cell that has no record."""

import pytest

from bench.fleet.engine import JobState, Phase
from bench.fleet.verdict import ENDS, Course, History, Verdict, judge
from bench.spec.cell_status import CellStatus

INTERRUPTED, BLOCKED = CellStatus.INTERRUPTED, CellStatus.BLOCKED


def end(
    history: History,
    word: str,
    reason: str = "",
    *,
    began: bool = True,
    moved: bool = False,
    said: CellStatus | None = None,
    retries: int = 0,
) -> Verdict:
    phase = Phase.GONE if word == "GONE" else Phase.ENDED
    state = JobState(phase, "" if word == "GONE" else word, reason, ("n1",))
    return judge(history, state, began=began, moved=moved, said=said, retries=retries)


@pytest.mark.parametrize("word", ["NODE_FAIL", "BOOT_FAIL", "PREEMPTED", "GONE", "COMPLETED"])
def test_what_is_not_the_cells_fault_is_no_try(word: str) -> None:
    """A lost node, a preemption, a forgotten job: the cell goes on, and no try is counted."""
    history = History()

    assert end(history, word).course is Course.AGAIN
    assert history.tries == 0


@pytest.mark.parametrize("phase", [Phase.QUEUED, Phase.RUNNING, Phase.UNKNOWN])
def test_no_verdict_without_an_end(phase: Phase) -> None:
    """A job that waits or runs, and an engine that does not answer, decide nothing."""
    history = History()
    verdict = judge(history, JobState(phase), began=True, moved=False, said=None)

    assert verdict.course is Course.WAIT
    assert history == History()


def test_two_timeouts_without_a_checkpoint_are_a_failure() -> None:
    """A time limit is no failure while checkpoints move on; twice without is, with advice."""
    history = History()

    assert end(history, "TIMEOUT", moved=True).course is Course.AGAIN
    assert end(history, "TIMEOUT").course is Course.AGAIN
    assert end(history, "TIMEOUT", moved=True).course is Course.AGAIN
    assert end(history, "TIMEOUT").course is Course.AGAIN
    last = end(history, "TIMEOUT")
    assert (last.course, last.status) == (Course.FAIL, CellStatus.TIMEOUT)
    assert "`time`" in last.reason
    assert "--checkpoint-every" in last.reason


def test_memory_is_named() -> None:
    """OUT_OF_MEMORY is the cell's end, whatever --retries says, and names the key to raise."""
    verdict = end(History(), "OUT_OF_MEMORY", retries=3)

    assert (verdict.course, verdict.status) == (Course.FAIL, CellStatus.OUT_OF_MEMORY)
    assert "OUT_OF_MEMORY on n1" in verdict.reason
    assert "`mem`" in verdict.reason


def test_what_had_not_begun_goes_on() -> None:
    """Cells of a job that died before it came to them are not to blame, out of memory or not."""
    for word in ("OUT_OF_MEMORY", "FAILED"):
        assert end(History(), word, began=False).course is Course.AGAIN


def test_a_job_that_dies_costs_a_try() -> None:
    """--retries counts jobs that died in the midst of the cell."""
    history = History()
    first = end(history, "FAILED", "signal 11", retries=1)
    second = end(history, "FAILED", "signal 11", retries=1)

    assert (first.course, second.course) == (Course.RETRY, Course.FAIL)
    assert first.reason == ("its job died on n1: FAILED (signal 11); try 2 of 2 follows")


def test_cancelled_is_interrupted() -> None:
    """A job that a person cancelled is not submitted again, though it left a checkpoint."""
    for said in (None, INTERRUPTED):
        assert end(History(), "CANCELLED by 0", moved=True, said=said).course is Course.STOP


def test_a_job_that_was_told_to_stop_goes_on() -> None:
    """A job that left a checkpoint and exit code 75 has not failed."""
    assert end(History(), "FAILED", "75:0", moved=True, said=INTERRUPTED).course is Course.AGAIN


def test_a_cell_whose_parent_was_not_there_waits() -> None:
    """A job that came before a parent's weights decides nothing, however often it does."""
    history = History()

    for _ in range(2 * ENDS):
        assert end(history, "FAILED", "1:0", said=BLOCKED).course is Course.AGAIN


def test_nothing_goes_on_for_ever() -> None:
    """After so many jobs without progress a cell has failed, whatever they ended of."""
    history = History()
    ends = [end(history, "FAILED", "python: not found", began=False) for _ in range(ENDS)]

    assert [e.course for e in ends] == [Course.AGAIN] * (ENDS - 1) + [Course.FAIL]
    assert ends[-1].reason.endswith("without progress: FAILED; of the last: python: not found")


def test_what_another_run_trains_is_looked_at_later() -> None:
    """A job that left because others have its cells is no failure, however often that is so."""
    history = History()
    ends = [end(history, "COMPLETED", said=CellStatus.ELSEWHERE) for _ in range(2 * ENDS)]

    assert {verdict.course for verdict in ends} == {Course.LATER}
    assert history == History()
