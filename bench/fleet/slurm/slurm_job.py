"""What a task of an array of Slurm runs, and what it knows of itself."""

import os
import signal
import sys
import time
import traceback
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from bench.base import signals
from bench.base.console import Terminal, print_text
from bench.base.user_folders import local_folder
from bench.errors import BenchError, EnvironmentProblem
from bench.execution.job import OtherNode
from bench.fleet.allocation import Allocation
from bench.fleet.engine import Phase
from bench.fleet.slurm import slurm_states


def run(batch: str) -> None:
    """
    Train a batch and end this process; submitit calls it, and must not take the end for a result.

    A job that returned would be "completed" for submitit, and what it raises is pickled.
    """
    signals.listen(requeue=True)
    signal.signal(signal.SIGCONT, signal.SIG_DFL)  # of which submitit would tell
    keep_compiled_here()
    code = 1
    out = Terminal(emoji=False, width=200)
    try:
        from bench.fleet.work import run_job

        path = Path(batch)
        os.chdir(path.parent)  # no `./estimators` but those that the batch names
        code = run_job(path, find_allocation(), out)
    except signals.Stopped as stopped:  # before the batch began
        print_text(out, str(stopped))
        warned = stopped.number in signals.WARNINGS
        code = signals.REQUEUE if warned and requeue(own_job()) else 128 + stopped.number
    except BenchError as error:
        print_text(out, f"error: {error}")
        code = error.exit_code
    except Exception:  # whatever it is, the job's log says it
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def find_allocation(environ: Mapping[str, str] = os.environ) -> Allocation:
    """The job that this process is."""
    job, restarts = own_job(environ), int(environ.get("SLURM_RESTART_COUNT", "0"))
    tries = slurm_states.history([job]).get(job, []) if restarts else []
    return Allocation(
        engine="slurm",
        job=job,
        node=environ.get("SLURMD_NODENAME", ""),
        restarts=restarts,
        ends_at=_ends_at(job),
        requeue=partial(requeue, job),
        earlier_ends={s.restarts: s.word for s in tries[:restarts] if s.phase is Phase.ENDED},
        others=find_other_nodes(environ),
    )


def find_other_nodes(environ: Mapping[str, str] = os.environ) -> tuple[OtherNode, ...]:
    """
    The job's nodes beside this one, which is the first.

    On each `srun` starts a step that shares with this one what the job has there. It is told how
    many cores those are, which newer versions do not read from the job.
    """
    here, cores = environ.get("SLURMD_NODENAME", ""), environ.get("SLURM_CPUS_PER_TASK", "1")
    names = slurm_states.expand(environ.get("SLURM_JOB_NODELIST", ""))
    step = (
        "srun", "--overlap", "--nodes=1", "--ntasks=1", "--ntasks-per-node=1",
        f"--cpus-per-task={cores}", "--mpi=none", "--job-name=signbench",
    )  # fmt: skip
    return tuple(
        OtherNode(name, (*step, f"--nodelist={name}"), "$SLURM_LAUNCH_NODE_IPADDR")
        for name in names
        if name != here
    )


def own_job(environ: Mapping[str, str] = os.environ) -> str:
    """This job as `submit` named it; a task of an array alone, never all of the array."""
    array, task = environ.get("SLURM_ARRAY_JOB_ID"), environ.get("SLURM_ARRAY_TASK_ID")
    return f"{array}_{task}" if array and task else environ["SLURM_JOB_ID"]


def requeue(job: str) -> bool:
    """
    Put a job back into the queue; Slurm ends what it runs.

    Never on SIGTERM, which is scancel's, the time limit's, or that of a requeue of Slurm's own: a
    cancelled job would come back.
    """
    signals.ignore()
    try:
        slurm_states.call("scontrol", "requeue", job)
    except EnvironmentProblem as problem:
        sys.stderr.write(f"not put back into the queue: {problem}\n")
        return False
    return True


def keep_compiled_here() -> None:
    """Keep compiled steps on this node: a home that nodes share is slow, and locked by all."""
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(local_folder() / "compiled"))


def _ends_at(job: str) -> float | None:
    """When Slurm ends the job, in seconds since the epoch; None: never, or nobody knows."""
    try:
        left_s = seconds(slurm_states.call("squeue", "-h", "-j", job, "-o", "%L").strip())
    except EnvironmentProblem:
        return None
    return None if left_s is None else time.time() + left_s


def seconds(text: str) -> float | None:
    """A length of time as Slurm writes it, days-hours:minutes:seconds; None: without end."""
    days, _, clock = text.rpartition("-")
    parts = clock.split(":")
    if not all(part.isdigit() for part in [*parts, days or "0"]):
        return None
    total = 0
    for part in parts:
        total = 60 * total + int(part)
    return total + 86400 * int(days or 0)
