"""The whole of it: spread over two processes, counted, and told."""

import resource
import sys
import tempfile
import time
import warnings
from collections import Counter
from concurrent.futures import TimeoutError
from multiprocessing import get_context
from pathlib import Path
from random import Random

from pebble import ProcessPool

from fuzz.box import SECONDS, Box, judge
from fuzz.targets import TARGETS

CHUNK = 50  # inputs of a task
MEMORY = 3 * 2**30  # that an input may take
SHOWN = 20


def prepare() -> None:
    """A process whose memory is bounded: what takes too much raises MemoryError."""
    sys.dont_write_bytecode = True
    warnings.simplefilter("ignore")
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + MEMORY, size + MEMORY))


_boxes: list[Box] = []


def chunk(name: str, numbers: list[int]) -> tuple[int, list[tuple[int, str]]]:
    """How many of these inputs were read, not refused, and what went wrong with which."""
    if not _boxes:
        _boxes.append(Box(Path(tempfile.mkdtemp(prefix="fuzz-"))))
    read, wrong = 0, list[tuple[int, str]]()
    for number in numbers:
        refusal, problem = judge(TARGETS[name][0], _boxes[0], Random(f"{name}:{number}"))
        read += not refusal and not problem
        if problem:
            wrong.append((number, problem))
    return read, wrong


def main(words: list[str]) -> int:
    """Throw, count and print; the exit code is 1 if anything went wrong."""
    if words and ":" in words[0]:
        prepare()
        name, _, number = words[0].partition(":")
        box = Box(Path(tempfile.mkdtemp(prefix="fuzz-")))
        for told in judge(TARGETS[name][0], box, Random(words[0])):
            print(told)  # noqa: T201
        return 0
    asked = {w.partition("=")[0]: int(w.partition("=")[2] or TARGETS[w][1]) for w in words}
    asked = asked or {name: many for name, (_, many) in TARGETS.items()}
    started, wrong, counts = time.monotonic(), Counter[str](), list[str]()
    context = get_context("spawn")
    with ProcessPool(max_workers=2, initializer=prepare, context=context) as pool:
        for name, many in asked.items():
            tasks = [list(range(i, min(i + CHUNK, many))) for i in range(0, many, CHUNK)]
            futures = [
                pool.schedule(chunk, args=(name, t), timeout=6 * CHUNK * SECONDS) for t in tasks
            ]
            read = 0
            for task, future in zip(tasks, futures, strict=True):
                try:
                    fine, bad = future.result()
                except (Exception, TimeoutError) as error:  # it died: a segfault, a kill
                    fine, bad = 0, [(task[0], f"a process of {task} ended: {error!r}")]
                read += fine
                for number, problem in bad:
                    wrong[name] += 1
                    if wrong[name] <= SHOWN:
                        print(f"{name}:{number}: {problem}", file=sys.stderr)  # noqa: T201
            counts.append(f"{many:,} {name} ({read:,} read)")
            print(f"{counts[-1]}, {time.monotonic() - started:.0f} s", flush=True)  # noqa: T201
    found = ", ".join(f"{n} wrong of {name}" for name, n in wrong.items())
    print(f"{', '.join(counts)}: {found or 'no traceback, no hang, no write outside'}")  # noqa: T201
    return int(bool(wrong))
