"""Facts about this machine and this checkout, for the record."""

import functools
import importlib.metadata
import platform
import shlex
import subprocess
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from bench.base.redaction import words_without_secrets
from bench.base.text import printable
from bench.results.record import EngineJob, Provenance

PACKAGES = ("signbench", "torch", "torchvision", "numpy")


def make_provenance(
    started: datetime,
    device: str,
    compiled: bool,
    argv: list[str],
    *,
    cells_at_once: int | None = None,
    energy_j: float | None = None,
    job: EngineJob | None = None,
) -> Provenance:
    """Describe a run on `device` that began at `started` (UTC) and ends now."""
    import torch  # the rest is read where there is none, too

    commit, dirty = describe_checkout()
    on_gpu = device.startswith("cuda")
    return Provenance(
        commit=commit,
        dirty=dirty,
        versions={"python": platform.python_version()}
        | {p: installed_version(p) for p in PACKAGES},
        device=torch.cuda.get_device_name(device) if on_gpu else cpu_name(),
        threads=torch.get_num_threads(),
        compiled=compiled,
        host=platform.node(),
        command=printable(shlex.join(["bench", *words_without_secrets(argv)])),
        started=started.isoformat(timespec="seconds"),
        wall_s=round((datetime.now(UTC) - started).total_seconds(), 3),
        cells_at_once=cells_at_once,
        energy_j=energy_j,
        job=job,
    )


def name_ends(processes: Iterable[Provenance], ended: Iterable[EngineJob]) -> list[Provenance]:
    """The processes, each with how its job ended where `ended` says so."""
    words = {(job.engine, job.job, job.restarts): job.end for job in ended}
    found: list[Provenance] = []
    for process in processes:
        job = process.job
        if job and (end := words.get((job.engine, job.job, job.restarts))):
            process = process.model_copy(update={"job": job.model_copy(update={"end": end})})
        found.append(process)
    return found


@functools.cache
def installed_version(package: str) -> str:
    """The installed version of a distribution, or nothing."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


@functools.cache
def describe_checkout() -> tuple[str, bool]:
    """Commit and dirty flag of the checkout that holds this file; "" where there is none."""
    if not _git("ls-files", Path(__file__).name):
        return "", False  # installed, perhaps below somebody else's repository
    packages = [f":/{name}" for name in ("bench", "estimators", "backbones", "suites")]
    return _git("rev-parse", "HEAD"), bool(_git("status", "--porcelain", "--", *packages))


@functools.cache
def cpu_name() -> str:
    """The processor's model name."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or "cpu")


def _git(*args: str) -> str:
    try:
        done = subprocess.run(
            ["git", *args], cwd=Path(__file__).parent, capture_output=True, text=True, check=False
        )
    except OSError:  # no git on this machine
        return ""
    return done.stdout.strip()
