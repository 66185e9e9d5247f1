"""Facts about this machine and this checkout, for the record."""

import functools
import importlib.metadata
import os
import platform
import shlex
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.base.files import real_path
from bench.base.python_files import is_installed
from bench.base.redaction import words_without_secrets
from bench.base.text import printable
from bench.registry import BACKBONES, DATA, ESTIMATORS, Registry
from bench.results.record import EngineJob, PluginOrigin, Provenance
from bench.spec.cell import Cell, DataRef, Ref

PACKAGES = ("signbench", "torch", "torchvision", "numpy")


def make_provenance(
    started: datetime,
    device: str,
    compiled: bool,
    argv: list[str],
    *,
    cells_at_once: int | None = None,
    energy_j: float | None = None,
    ranks: Iterable[str] = (),
    job: EngineJob | None = None,
    plugins: dict[str, PluginOrigin] | None = None,
) -> Provenance:
    """Describe a run on `device` that began at `started` (UTC) and ends now."""
    import torch  # the rest is read where there is none, too

    commit, dirty = describe_checkout()
    return Provenance(
        commit=commit,
        dirty=dirty,
        versions={"python": platform.python_version()}
        | {p: installed_version(p) for p in PACKAGES},
        device=device_name(device),
        threads=torch.get_num_threads(),
        compiled=compiled,
        host=platform.node(),
        command=printable(shlex.join(["bench", *words_without_secrets(argv)])),
        started=started.isoformat(timespec="seconds"),
        wall_s=round((datetime.now(UTC) - started).total_seconds(), 3),
        cells_at_once=cells_at_once,
        energy_j=energy_j,
        ranks=list(ranks),
        job=job,
        plugins=plugins or {},
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


def device_name(device: str) -> str:
    """The model name of a GPU, or of the processor."""
    import torch  # the rest is read where there is none, too

    if device.startswith("cuda"):
        return torch.cuda.get_device_name(device)
    return f"{cpu_name()}, its GPU by Metal" if device == "mps" else cpu_name()


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


def describe_plugins(cell: Cell) -> dict[str, PluginOrigin]:
    """Say of each plugin of a cell that is not shipped where its code comes from."""
    refs: tuple[tuple[Registry[Any], Ref | DataRef | None], ...] = (
        (ESTIMATORS, cell.weights),
        (ESTIMATORS, cell.activations),
        (BACKBONES, cell.backbone),
        (DATA, cell.data),
    )
    found: dict[str, PluginOrigin] = {}
    for registry, ref in refs:
        origin = registry.origins().get(ref.name) if ref else None
        file = registry.file(ref.name) if ref else None
        if ref and origin and not origin.shipped:
            beside = registry.files_beside(ref.name).values()
            paths = tuple(real_path(path) for path in (file, *beside)) if file else ()
            commit, dirty = _describe_repository(paths) if paths else ("", False)
            found[ref.name] = PluginOrigin(
                distribution=origin.distribution, commit=commit, dirty=dirty
            )
    return found


@functools.cache
def _describe_repository(paths: tuple[Path, ...]) -> tuple[str, bool]:
    """Commit of the repository that the first of these files lies in; is one of them not in it?"""
    folder = paths[0].parent
    if is_installed(paths[0]):
        return "", False
    home = _git("rev-parse", "--show-toplevel", folder=folder)
    commit = _git("rev-parse", "--verify", "--quiet", "HEAD", folder=folder) if home else ""
    own = [str(path) for path in paths if home and path.is_relative_to(home)]
    return commit, bool(own and _git("status", "--porcelain", "--", *own, folder=folder))


@functools.cache
def cpu_name() -> str:
    """The processor's model name."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or "cpu")


def _git(*args: str, folder: Path | None = None) -> str:
    """What git says of a folder; nothing where there is no git, or no repository."""
    try:
        done = _call_git(args, folder, os.environ)
        if "safe.directory" in done.stderr:  # it is another user's, as a container's volumes are
            with tempfile.NamedTemporaryFile("w", suffix=".gitconfig") as file:
                file.write("[safe]\n\tdirectory = *\n")
                file.flush()
                done = _call_git(args, folder, {**os.environ, "GIT_CONFIG_GLOBAL": file.name})
    except OSError:
        return ""
    return done.stdout.strip()


def _call_git(
    args: Iterable[str], folder: Path | None, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    quiet = ("-c", "core.fsmonitor=false")  # a command that a repository names is not run
    return subprocess.run(
        ["git", *quiet, *args],
        cwd=folder or Path(__file__).parent,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
