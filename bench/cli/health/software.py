"""
`bench doctor`: is this machine fit to run a suite, and does it compute the same thing twice?

Each check yields findings and none stops another: what cannot be imported is named, and the rest
goes on. That is why torch is imported only within functions.
"""

import importlib
import importlib.metadata
import os
import platform
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from bench.base import machine
from bench.base.text import count
from bench.errors import BenchError, DataError

State: TypeAlias = Literal["ok", "warn", "fail"]
NETWORKS = re.compile(r"nfs|cifs|smb|sshfs|lustre|gpfs|beegfs|ceph|glusterfs|9p|afs")
GIB = 2**30
SPACE = 1 * GIB  # what a suite of small networks takes with room to spare
MEMORY = 2 * GIB  # of one cell's process, torch loaded and a small data set in it
SKEW_S = 2.0  # between this machine's clock and the one of its files


@dataclass(frozen=True)
class Finding:
    """One line: what was looked at, what was found, and what to do unless it is fine."""

    state: State
    what: str
    found: str
    advice: str = ""


Findings: TypeAlias = Iterator[Finding]


@dataclass(frozen=True)
class Question:
    """Which machine is meant: as `bench run` would use it."""

    results: Path
    data: Path | None
    devices: tuple[str, ...]  # empty: all that there are
    threads: int


def examine(question: Question) -> Findings:
    """Every finding, as it is made. A check that itself breaks is a finding, too."""
    for check in CHECKS:
        try:
            yield from check(question)
        except Exception as error:  # a sick machine may raise anything anywhere
            what = check.__name__.strip("_")
            said = " ".join(f"{type(error).__name__}: {error}".split())
            yield Finding("fail", what, f"could not be looked at: {said}")


def _python(_: Question) -> Findings:
    yield Finding("ok", "python", f"{platform.python_version()}, {sys.executable}")


def _packages(_: Question) -> Findings:
    """What pyproject asks for, against what is installed."""
    try:
        wanted = importlib.metadata.requires("signbench") or []
    except importlib.metadata.PackageNotFoundError:
        yield Finding(
            "warn", "packages", "signbench is not installed, so its needs are not known",
            "`pip install -e .`",
        )  # fmt: skip
        return
    lacking: list[str] = []
    for name, least in re.findall(r"^([\w.-]+)(?:>=([\w.]+))?", "\n".join(wanted), re.MULTILINE):
        try:
            here = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            lacking.append(f"{name} is not installed")
            continue
        if least and _numbers(here) < _numbers(least):
            lacking.append(f"{name} {here}, {least} or newer is needed")
    if lacking:
        yield Finding("fail", "packages", "; ".join(lacking), "`pip install -e .`")
    else:
        yield Finding("ok", "packages", f"{len(wanted)} as pyproject.toml asks for them")


def _torch(_: Question) -> Findings:
    """Torch and torchvision, which must come from one place."""
    torch, problem = _imported("torch")
    if problem:
        advice = "install torch and torchvision together: `pip install torch torchvision`"
        yield Finding("fail", "torch", problem, advice)
        return
    yield Finding("ok", "torch", str(torch.__version__))
    vision, problem = _imported("torchvision")
    if not problem:
        yield Finding("ok", "torchvision", str(vision.__version__))
        return
    advice = "`pip install torchvision`"
    if "torchvision::" in problem:
        problem = f"does not fit torch {torch.__version__}: {problem}"
        advice = (
            "a CPU-only torch stands beside a registry torchvision, or the other way round: "
            "`pip install --force-reinstall torch torchvision`, both in one command"
        )
    yield Finding("fail", "torchvision", problem, advice)


def _gpu(_: Question) -> Findings:
    torch, problem = _imported("torch")
    if problem:
        return
    from bench.train.determinism import driver

    if not torch.cuda.is_available():
        there = driver()
        if there:
            built = torch.version.cuda or "no CUDA"
            yield Finding(
                "warn", "GPU", f"driver {there} is loaded, torch ({built}) sees no GPU",
                "check CUDA_VISIBLE_DEVICES, and that the driver is new enough for this torch",
            )  # fmt: skip
        else:
            yield Finding("ok", "GPU", "none; cells run on the CPU")
        return
    for index in range(torch.cuda.device_count()):
        yield _one_gpu(torch, index, driver())


def _one_gpu(torch: Any, index: int, driver: str) -> Finding:
    """A GPU: can this torch use it, and is it free?"""
    what, has = f"cuda:{index}", torch.cuda.get_device_properties(index)
    free, total = torch.cuda.mem_get_info(index)
    text = (
        f"{has.name}, compute {has.major}.{has.minor}, driver {driver or 'unknown'}, "
        f"CUDA {torch.version.cuda}, {free / GIB:.1f} of {total / GIB:.1f} GiB free"
    )
    built = [int(n) for arch in torch.cuda.get_arch_list() for n in re.findall(r"\d+", arch)[:1]]
    if built and 10 * has.major + has.minor < min(built):
        advice = "this torch has no kernels for so old a GPU; use --device cpu or an older torch"
        return Finding("fail", what, text, advice)
    if total - free > max(GIB, total / 10):
        advice = "others use it: `nvidia-smi` says who; images/s will not be yours alone"
        return Finding("warn", what, text, advice)
    return Finding("ok", what, text)


def _cpu(question: Question) -> Findings:
    """Cores that this process may use, and who else does."""
    cores, load = machine.cores(), os.getloadavg()[0]
    text = (
        f"{cores} of {os.cpu_count()} cores, load {load:.1f}, "
        f"{count(question.threads, 'thread')} a cell"
    )
    if question.threads > cores:
        yield Finding("warn", "CPU", text, f"--threads {cores} at most, or threads wait in turn")
    elif load > cores:
        yield Finding("warn", "CPU", text, "others use it: images/s will not be yours alone")
    else:
        yield Finding("ok", "CPU", text)
    names = ("OMP_PROC_BIND", "OMP_PLACES", "GOMP_CPU_AFFINITY", "KMP_AFFINITY")
    if pinned := [f"{name}={os.environ[name]}" for name in names if os.environ.get(name)]:
        advice = "every worker would be bound to the same cores; unset it"
        yield Finding("warn", "OpenMP", " ".join(pinned), advice)


def _memory(_: Question) -> Findings:
    free = machine.memory()
    text = f"{free / GIB:.1f} GiB available"
    if free < MEMORY:
        yield Finding("warn", "memory", text, "a cell takes 1 to 2 GiB: lower -j, or end others")
    else:
        yield Finding("ok", "memory", text)


def _disk(question: Question) -> Findings:
    """Space at the results, and what crash safety rests on: fsync, rename, locks."""
    home = machine.existing(question.results)
    kind, free = machine.file_system(home), shutil.disk_usage(home).free
    text = f"{home}: {kind}, {free / GIB:.1f} GiB free"
    try:
        missing = machine.trial(home)
    except OSError as error:
        why = f"`{home}` cannot be written: {error.strerror or error}"
        yield Finding("fail", "disk", why, "give another --results")
        return
    if missing:
        yield Finding("fail", "disk", f"{text}; {missing}", "give --results on a local disk")
    elif NETWORKS.search(kind):
        advice = "a network file system: locks and clocks of two machines may disagree there"
        yield Finding("warn", "disk", text, advice)
    elif free < SPACE:
        yield Finding("warn", "disk", text, "a suite may need more: make room")
    else:
        yield Finding("ok", "disk", f"{text}; written, synced, renamed and locked a file")


def _clock(question: Question) -> Findings:
    """Of this machine, of the disk, and against the files that are already there."""
    now, oldest = time.time(), Path(__file__).stat().st_mtime
    text = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now))
    if now < oldest - SKEW_S:
        advice = "set the clock: times of records and the age of locks would be wrong"
        yield Finding("warn", "clock", f"{text}, before signbench was installed", advice)
        return
    home = machine.existing(question.results)
    try:
        with tempfile.NamedTemporaryFile(dir=home, prefix=machine.MARK) as file:
            skew = os.fstat(file.fileno()).st_mtime - time.time()
    except OSError:  # told by the disk
        skew = 0.0
    if abs(skew) > SKEW_S:
        advice = "the file server's clock is another; set both by NTP"
        yield Finding("warn", "clock", f"{text}; files are {skew:+.0f} s off", advice)
    else:
        yield Finding("ok", "clock", text)


def _data(question: Question) -> Findings:
    """The data sets that are there; a damaged one, not a missing one, is a failure."""
    if _imported("torch")[1]:
        yield Finding("warn", "data", "not looked at without torch")
        return
    from bench.cli import catalogue
    from bench.data.sources import SOURCES

    if question.data and not question.data.is_dir():
        advice = "name another --data or BENCH_DATA, or make the folder"
        yield Finding("fail", "data", f"no folder `{question.data}`", advice)
        return
    there: list[str] = []
    absent: list[str] = []
    for name in SOURCES:
        try:
            catalogue.summary(name, question.data)
            there.append(name)
        except DataError as error:
            if not str(error).startswith("no `"):
                yield Finding("fail", f"data {name}", str(error))
            else:
                absent.append(name)
        except ImportError as error:
            yield Finding("warn", f"data {name}", f"not looked at: {error}")
    text = f"{', '.join(there) or 'none'}; not here: {', '.join(absent) or 'none'}"
    advice = "" if there else "`bench data prepare NAME`, or --data FOLDER"
    yield Finding("ok" if there else "warn", "data", text, advice)


def _plugins(_: Question) -> Findings:
    if _imported("torch")[1]:
        yield Finding("warn", "plugins", "not looked at without torch")
        return
    from bench.registry import BACKBONES, ESTIMATORS

    counts: list[str] = []
    for registry in (ESTIMATORS, BACKBONES):
        broken = 0
        for name in registry.names():
            try:
                registry.load(name)
            except BenchError as error:
                broken += 1
                yield Finding("warn", f"plugin {name}", str(error), "suites without it still run")
        counts.append(f"{len(registry.names()) - broken} {registry.package}")
    yield Finding("ok", "plugins", " and ".join(counts))


def _checkout(_: Question) -> Findings:
    from bench.results.provenance import checkout

    commit, dirty = checkout()
    if dirty:
        advice = "commit before a run that counts: records name the commit and say dirty"
        yield Finding("warn", "checkout", f"{commit[:12]} with uncommitted changes", advice)
    else:
        yield Finding("ok", "checkout", commit[:12] or "none; signbench is installed")


def _determinism(question: Question) -> Findings:
    """Two short trainings on each device, and what other environments computed."""
    torch, problem = _imported("torch")
    if problem:
        yield Finding("warn", "determinism", "not looked at without torch")
        return
    from bench.results.record_diff import first_step
    from bench.train import determinism

    cuda = [f"cuda:{i}" for i in range(torch.cuda.device_count())]
    kept = list(determinism.kept(question.results))
    for device in question.devices or ("cpu", *cuda):
        if device != "cpu" and device not in {"cuda", *cuda}:
            yield Finding("fail", device, "no such device here", "ask for cpu, or leave --device")
            continue
        made = determinism.make(device, question.threads)
        yield _agreement(device, made.first_difference, len(made.steps))
        for other in kept:
            step = first_step(made.steps, other.steps)
            yield from _compared(device, other.environment, made.environment, step)


def _agreement(device: str, step: int | None, steps: int) -> Finding:
    if step is None:
        return Finding("ok", device, f"two trainings of {count(steps, 'step')} agree to the bit")
    advice = (
        "its records will say so, and a resumed run is not what it would have been: try "
        "--threads 1, unset what tunes kernels, and test the machine's memory"
    )
    return Finding("fail", device, f"two equal trainings differ first at step {step}", advice)


def _compared(device: str, theirs: str, ours: str, step: int | None) -> Findings:
    """Against one receipt that the results folder keeps."""
    if theirs == ours and step is not None:
        text = f"this environment computed other bits before, from step {step} on"
        advice = "something changed that versions do not tell: libraries, firmware, memory"
        yield Finding("fail", device, text, advice)
    elif theirs != ours:
        how = "the same bits" if step is None else f"other bits from step {step} on"
        yield Finding("ok", device, f"another environment computed {how}: {theirs}")


CHECKS: tuple[Callable[[Question], Findings], ...] = (
    *(_python, _packages, _torch, _gpu, _cpu, _memory, _disk, _clock),
    *(_checkout, _plugins, _data, _determinism),
)


def _imported(name: str) -> tuple[Any, str]:
    """A module, or why it cannot be imported, in one line."""
    try:
        return importlib.import_module(name), ""
    except Exception as error:  # a broken build raises nearly anything
        first = next(iter(str(error).strip().splitlines()), "")
        return None, f"{type(error).__name__}: {first}"


def _numbers(text: str) -> tuple[int, ...]:
    """2.11.0+cpu is (2, 11, 0)."""
    return tuple(int(n) for n in re.findall(r"\d+", text.partition("+")[0]))
