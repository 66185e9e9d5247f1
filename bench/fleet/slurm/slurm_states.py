"""
How jobs of Slurm are: asked of `squeue`, and of accounting for what that has forgotten.

One call for all jobs, with options that older versions know. Slurm forgets a job some minutes
after its end (MinJobAge); `scontrol show job` forgets it then, too.
"""

import os
import re
import subprocess
from collections.abc import Iterable, Iterator

from bench.errors import EnvironmentProblem
from bench.fleet.engine import JobState, Phase

ANSWER_S = 20.0  # for a command of Slurm, which itself waits where no controller answers
COLUMNS = {"jobarrayid": 40, "state": 24, "restartcnt": 10, "exit_code": 12, "nodelist": 80}
WAITING = {"PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "SPECIAL_EXIT",
           "RESV_DEL_HOLD"}  # fmt: skip
ENDED = {"BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "LAUNCH_FAILED", "NODE_FAIL",
         "OUT_OF_MEMORY", "PREEMPTED", "RECONFIG_FAIL", "REVOKED", "TIMEOUT"}  # fmt: skip


def call(*words: str) -> str:
    """
    What a command of Slurm prints.

    Raises:
        EnvironmentProblem: it is not there, fails, or does not answer; in Slurm's words.
    """
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=ANSWER_S, check=False)
    except OSError as error:
        message = f"cannot call `{words[0]}`: {error.strerror or error}"
        raise EnvironmentProblem(message) from None
    except subprocess.TimeoutExpired:
        message = f"Slurm does not answer: `{words[0]}` took over {ANSWER_S:.0f} s"
        raise EnvironmentProblem(message) from None
    if done.returncode:
        said = plain(done.stderr) or f"`{words[0]}` ended with {done.returncode}"
        raise EnvironmentProblem(f"Slurm: {said}")
    return done.stdout


def plain(stderr: str) -> str:
    """What Slurm says in an error, in one line and without `sbatch: error:`."""
    lines = [line.partition("error: ")[2] or line for line in stderr.splitlines() if line.strip()]
    return "; ".join(dict.fromkeys(line.strip().removesuffix(".") for line in lines))


def ask(jobs: Iterable[str]) -> dict[str, JobState]:
    """How each of these jobs is: UNKNOWN where nobody answers, GONE where nobody knows it."""
    jobs = list(jobs)
    if not jobs:
        return {}
    try:
        found = _queue("-u", str(os.getuid()))
        if missing := [job for job in jobs if job not in found]:
            found |= _queue_of_others(missing)
    except EnvironmentProblem as problem:
        return dict.fromkeys(jobs, JobState(Phase.UNKNOWN, reason=str(problem)))
    if missing := [job for job in jobs if job not in found]:
        found |= {job: tries[-1] for job, tries in history(missing).items()}
    gone = JobState(Phase.GONE, reason="Slurm does not know it, or no more")
    return {job: found.get(job, gone) for job in jobs}


def history(jobs: Iterable[str]) -> dict[str, list[JobState]]:
    """
    Every try at each of these jobs that accounting knows, oldest first; empty where there is none.

    A job that was put back into the queue has a line for each time that it ran.
    """
    jobs = set(jobs)
    fields = "JobID,State,ExitCode,NodeList"
    try:
        text = call("sacct", "-n", "-X", "-P", "-D", "-j", ",".join(_arrays(jobs)), "-o", fields)
    except EnvironmentProblem:
        return {}
    found: dict[str, list[JobState]] = {}
    for line in text.splitlines():
        job, word, code, nodes = (line.split("|") + [""] * 3)[:4]
        if job in jobs:
            tries = found.setdefault(job, [])
            nodes = "" if nodes == "None assigned" else nodes
            tries.append(_state(word, code, nodes, restarts=len(tries)))
    return found


def _queue_of_others(jobs: list[str]) -> dict[str, JobState]:
    """Those of these jobs that another user submitted from the same folder."""
    try:
        return _queue("-j", ",".join(_arrays(jobs)))
    except EnvironmentProblem as problem:
        if "Invalid job id" in str(problem):  # said where none of them is known
            return {}
        raise


def _arrays(jobs: Iterable[str]) -> list[str]:
    """The numbers by which Slurm's commands ask for jobs, tasks of an array together."""
    return sorted({job.partition("_")[0] for job in jobs})


def _queue(*which: str) -> dict[str, JobState]:
    """The jobs that the controller knows, a task of an array each for itself."""
    columns = "".join(f"{name}:{width}," for name, width in COLUMNS.items()) + "reason:200"
    text = call("squeue", "-h", "-r", "-t", "all", *which, "-O", columns)
    found: dict[str, JobState] = {}
    for line in text.splitlines():
        words: list[str] = []
        rest = line
        for width in COLUMNS.values():
            words.append(rest[:width].strip())
            rest = rest[width:]
        job, word, restarts, code, nodes = words
        found[job] = _state(word, code, nodes, rest.strip(), int(restarts or 0))
    return found


def _state(word: str, code: str, nodes: str, reason: str = "", restarts: int = 0) -> JobState:
    """One job; `code` is its exit status, and `:` and a signal in accounting's answer."""
    word, _, who = word.partition(" ")  # CANCELLED by 1000
    word = word.rstrip("+")
    phase = Phase.QUEUED if word in WAITING else Phase.RUNNING
    if word in ENDED:
        phase = Phase.ENDED
        reason = who or (_exit(code) if word == "FAILED" else "")
    reason = "" if reason in {"None", "(null)"} else reason
    return JobState(phase, word, reason, expand(nodes), restarts)


def _exit(code: str) -> str:
    """How a process ended: by accounting as `status:signal`, by squeue as wait(2) tells it."""
    status, divided, number = code.partition(":")
    if not divided and status.isdigit():
        status, number = str(int(status) >> 8), str(int(status) & 127)
    if number.isdigit() and int(number):
        return f"signal {number}"
    return "" if status in {"", "0"} else f"exit {status}"


def expand(nodes: str) -> tuple[str, ...]:
    """The nodes of a list as Slurm writes it: n[1-2,07],m is n1, n2, n07 and m."""
    found: list[str] = []
    for one in re.findall(r"(?:[^,\[\]]|\[[^\]]*\])+", nodes):
        names = [""]
        for text, inside in re.findall(r"([^\[\]]+)|\[([^\]]*)\]", one):
            ends = [text] if text else list(_numbers(inside))
            names = [name + end for name in names for end in ends]
        found += names
    return tuple(found)


def _numbers(ranges: str) -> Iterator[str]:
    for part in ranges.split(","):
        low, _, high = part.partition("-")
        if not (low.isdigit() and high.isdigit()):
            yield part
            continue
        yield from (f"{n:0{len(low)}}" for n in range(int(low), int(high) + 1))
