"""Can torch use a GPU here, are cores and memory enough, and does somebody else use them?"""

import os
import re
from typing import Any

from bench.base import machine
from bench.base.text import count
from bench.cli.health.finding import Finding, Findings, Setup, import_or_explain

GIB = 2**30
CELL_MEMORY = 2 * GIB  # of one cell's process, torch loaded and a small data set in it
PINNING = ("OMP_PROC_BIND", "OMP_PLACES", "GOMP_CPU_AFFINITY", "KMP_AFFINITY")


def check_gpu(_: Setup) -> Findings:
    """Look at each GPU; without one, say whether a driver has one that torch does not see."""
    torch, problem = import_or_explain("torch")
    if problem:
        return
    from bench.train.determinism import driver_version

    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            yield examine_gpu(torch, index, driver_version())
        return
    if torch.backends.mps.is_available():
        yield Finding(
            "ok", "GPU", "by Metal; --device mps trains on it, without float64 and in other bits"
        )
        return
    loaded = driver_version()
    if loaded:
        built = torch.version.cuda or "no CUDA"
        yield Finding(
            "warn", "GPU", f"driver {loaded} is loaded, torch ({built}) sees no GPU",
            "check CUDA_VISIBLE_DEVICES, and that the driver is new enough for this torch",
        )  # fmt: skip
    else:
        yield Finding("ok", "GPU", "none; cells run on the CPU")


def examine_gpu(torch: Any, index: int, driver: str) -> Finding:
    """Can this torch use GPU `index`, and is it free?"""
    what, properties = f"cuda:{index}", torch.cuda.get_device_properties(index)
    free, total = torch.cuda.mem_get_info(index)
    compute = properties.major, properties.minor
    text = (
        f"{properties.name}, compute {compute[0]}.{compute[1]}, driver {driver or 'unknown'}, "
        f"CUDA {torch.version.cuda}, {free / GIB:.1f} of {total / GIB:.1f} GiB free"
    )
    built = [int(n) for arch in torch.cuda.get_arch_list() for n in re.findall(r"\d+", arch)[:1]]
    if built and 10 * compute[0] + compute[1] < min(built):
        advice = "this torch has no kernels for so old a GPU; use --device cpu or an older torch"
        return Finding("fail", what, text, advice)
    if total - free > max(GIB, total / 10):
        advice = "others use it: `nvidia-smi` says who; images/s will not be yours alone"
        return Finding("warn", what, text, advice)
    return Finding("ok", what, text)


def check_cpu(setup: Setup) -> Findings:
    """Count the cores that this process may use, who else loads them, and what pins threads."""
    cores, load = machine.cores(), os.getloadavg()[0]
    text = (
        f"{cores} of {os.cpu_count()} cores, load {load:.1f}, "
        f"{count(setup.threads, 'thread')} a cell"
    )
    if setup.threads > cores:
        yield Finding("warn", "CPU", text, f"--threads {cores} at most, or threads wait in turn")
    elif load > cores:
        yield Finding("warn", "CPU", text, "others use it: images/s will not be yours alone")
    else:
        yield Finding("ok", "CPU", text)
    if pinned := [f"{name}={os.environ[name]}" for name in PINNING if os.environ.get(name)]:
        advice = "every worker would be bound to the same cores; unset it"
        yield Finding("warn", "OpenMP", " ".join(pinned), advice)


def check_memory(_: Setup) -> Findings:
    """Compare the memory that is free with what one cell takes."""
    free = machine.memory()
    text = f"{free / GIB:.1f} GiB available"
    if free < CELL_MEMORY:
        yield Finding("warn", "memory", text, "a cell takes 1 to 2 GiB: lower -j, or end others")
    else:
        yield Finding("ok", "memory", text)
