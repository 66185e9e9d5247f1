"""
How much CPU time a compiled training costs until its first step has ended, and a step after that.

`python tests/benchmarks/cold_start.py [ESTIMATOR:WIDTH ...]` takes steps of ResNet-20 of that
width, batch 128, random 32x32 images, one thread, each time in a process of its own. Three share an
empty folder of compiled code: the first finds nothing there (cold), the second everything (warm),
and so does the third, to whose compiler nothing is said that has it begin sooner (before). With
`--before` two more do without, in a folder of theirs. CPU seconds are of the process and of the
compilers that it calls, from the call that compiles to the end of the first backward pass; a
step's is the median of ten. No test asserts a time.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from bench.nn import compiler, compiler_hooks
from bench.results.provenance import cpu_name
from bench.speed.survey.networks import IMAGE, build_network

CASES = ("ste:8", "reste:8", "ste:16", "reste:16")
BATCH, STEPS = 128, 10
SOONER = "tensorify_python_scalars"  # the hook that has a step traced once


def main() -> None:
    """Measure each case in processes of its own, and print a line for each."""
    words = argparse.ArgumentParser()
    words.add_argument("cases", nargs="*", default=CASES)
    words.add_argument("--before", action="store_true")
    words.add_argument("--alone", choices=("now", "before"))
    given = words.parse_args()
    torch.set_num_threads(1)
    if given.alone:
        if given.alone == "before":
            leave_out()
        sys.stdout.write(measure(*given.cases[0].split(":")))
        return
    say(f"{cpu_name()}, torch {torch.__version__}; CPU seconds to the first step, and wall")
    for case in given.cases:
        for before in (False, True)[: 1 + given.before]:
            with tempfile.TemporaryDirectory() as folder:
                asked = ("before",) * 2 if before else ("now", "now", "before")
                for told, found in zip(asked, ("cold", "warm", "warm"), strict=False):
                    say(f"{case:9} {found} {told:6} {process(case, told, folder)}")


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def process(case: str, told: str, folder: str) -> str:
    """What a process says that compiles into `folder`."""
    command = [sys.executable, __file__, case, "--alone", told]
    shared = os.environ | {"TORCHINDUCTOR_CACHE_DIR": folder}
    done = subprocess.run(command, env=shared, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout


def leave_out() -> None:
    """Have the compiler begin as late as it did."""
    compiler.keep_derived_steps = lambda: None
    compiler_hooks.HOOKS = tuple(x for x in compiler_hooks.HOOKS if x.name != SOONER)


def measure(name: str, width: str) -> str:
    """The times of one process."""
    built = build_network("resnet20", {"width": int(width)}, name, torch.device("cpu"))
    net = built.net.train().to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    labels = torch.randint(10, (BATCH,))
    images = torch.randn(BATCH, *IMAGE).contiguous(memory_format=torch.channels_last)

    def loss(images: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(net(images), labels)

    began, (own, others) = time.perf_counter(), cpu_s()
    step = compiler.compile_step(loss, torch.device("cpu"))
    one = partial(take_step, net, step, images, labels)
    one()
    then, wall = cpu_s(), time.perf_counter() - began
    later = statistics.median(one() for _ in range(STEPS))
    own, others = then[0] - own, then[1] - others
    return f"{own:5.1f} + {others:4.1f} compilers', wall {wall:5.0f}; step {1000 * later:.0f} ms"


def take_step(net: torch.nn.Module, step: compiler.Callable[..., Tensor], *batch: Tensor) -> float:
    """CPU seconds of one forward and backward pass."""
    began = time.process_time()
    net.zero_grad()
    step(*batch).backward()
    return time.process_time() - began


def cpu_s() -> tuple[float, float]:
    """User and system time of this process so far, and of those that it waited for."""
    now = os.times()
    return now.user + now.system, now.children_user + now.children_system


if __name__ == "__main__":
    main()
