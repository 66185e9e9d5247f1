"""A sandbox: what one input may do is watched, and whatever else it does is a finding."""

import os
import shutil
import signal
import sys
import traceback
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

from platformdirs import user_cache_path, user_data_path

from bench.errors import BenchError

SECONDS = 20  # of a core for one input, and six times that on the clock: machines are shared
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CHANGES = {
    *("os.mkdir", "os.remove", "os.rmdir", "os.rename", "os.link", "os.symlink", "os.truncate"),
    *("os.chmod", "os.chown", "os.utime", "os.mkfifo", "os.mknod"),
}
STARTS = {
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.spawn",
    "subprocess.Popen",
    "socket.connect",
}


class Hang(BaseException):
    """An input took too long; no `except Exception` may hide it."""


class Box:
    """
    A home with a results folder in which an input may write, and surroundings where it must not.

        home/inside/            the working directory: suites, plugins, data
        home/inside/results/    the only place to write
        home/outside/           to be left alone, and `results/link` leads there
    """

    def __init__(self, home: Path) -> None:
        self.home = home.resolve()
        self.inside, self.outside = self.home / "inside", self.home / "outside"
        self.results = self.inside / "results"
        for folder in (self.inside, self.outside, self.results):
            folder.mkdir(parents=True, exist_ok=True)
        (self.outside / "precious.txt").write_text("x")
        self.known: dict[str, Any] = {}  # what targets prepare once
        self.wrong: list[str] = []

    def put(self, name: str, content: bytes | str) -> Path:
        """An input of that name, if the system allows the name; else of another."""
        path = self.inside / name
        try:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        except (OSError, ValueError):
            return self.put("x.yaml", content)
        return path

    def clear(self) -> None:
        """Forget what the last input left behind."""
        for path in self.inside.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
        self.results.mkdir()

    def refuses(self, path: object, within: int = -1) -> bool:
        """May `path` not be written? If it is relative, it may be so to an open folder."""
        if isinstance(path, int) or path in HARMLESS:
            return False
        name = Path(os.fsdecode(path))  # type: ignore[arg-type]
        if within >= 0:
            name = Path(f"/proc/self/fd/{within}") / name
        real = name.parent.resolve() / name.name
        cache = Path(os.environ.get("BENCH_CACHE") or user_cache_path("signbench"))
        own = (self.results, user_data_path("signbench"), cache)  # what this user ran, and answers
        return not any(real == folder or real.is_relative_to(folder) for folder in own)

    def surroundings(self) -> list[tuple[str, float]]:
        """Everything outside the results, and when it was changed."""
        found = (p for folder in (self.home, self.outside) for p in folder.iterdir())
        return sorted((str(p), p.lstat().st_mtime_ns if p.is_file() else 0) for p in found)


HARMLESS = {"/dev/null", os.devnull, "/proc/self/clear_refs"}  # the last forgets a peak of memory
_box: Box | None = None


def _hook(event: str, args: tuple[Any, ...]) -> None:
    box = _box
    if box is None:
        return
    if event == "open":
        writes = isinstance(args[2], int) and args[2] & WRITES
        if writes and box.refuses(args[0]):
            box.wrong.append(f"opened to write: {args[0]!r}")
    elif event in CHANGES:
        targets = args[:2] if event == "os.rename" else args[1:2] if event in LINKS else args[:1]
        within = args[-1] if event in RELATIVE else -1
        box.wrong += [f"{event}: {path!r}" for path in targets if box.refuses(path, within)]
    elif event in STARTS:
        box.wrong.append(f"{event}: {args[:2]!r}")


LINKS = {"os.link", "os.symlink"}
RELATIVE = {"os.remove", "os.rmdir"}  # events whose last argument is an open folder, or -1
_hooked: list[bool] = []


@contextmanager
def watched(box: Box) -> Generator[None, None, None]:
    """Note every write outside the results, every process started, and time that runs out."""
    global _box
    if not _hooked:
        _hooked.append(True)
        sys.addaudithook(_hook)

    def late(*_: object) -> None:
        raise Hang

    clocks = {signal.SIGALRM: signal.ITIMER_REAL, signal.SIGPROF: signal.ITIMER_PROF}
    before = {number: signal.signal(number, late) for number in clocks}
    signal.setitimer(signal.ITIMER_REAL, 6 * SECONDS)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    box.wrong, _box = [], box
    try:
        yield
    finally:
        _box = None
        for number, clock in clocks.items():
            signal.setitimer(clock, 0)
            signal.signal(number, before[number])


Read = Callable[[], None]  # of an input
Target = Callable[[Box, Random], Read]  # makes an input


def judge(target: Target, box: Box, rng: Random) -> tuple[str, str]:
    """With what an input was refused, and what is wrong with how it was treated; "" if nothing."""
    box.clear()
    read = target(box, rng)
    before, problem, refusal = box.surroundings(), "", ""
    here = Path.cwd()
    os.chdir(box.inside)
    try:
        with watched(box):
            read()
    except BenchError as error:
        refusal = str(error).strip()
        problem = "" if refusal else "an error without a message"
    except Hang:
        problem = f"no end after {SECONDS} s: {_place()}"
    except BaseException:
        problem = traceback.format_exc()
    finally:
        os.chdir(here)
    if box.wrong:
        problem += "\n".join(["", "outside the results:", *box.wrong])
    if not problem and box.surroundings() != before:
        problem = "something outside the results changed"
    return refusal, problem


def _place() -> str:
    return traceback.format_exc(limit=-4)


def misplace(box: Box, rng: Random, path: Path) -> None:
    """In place of a file or a folder something that is none, or leads out of the results."""
    kept = box.inside / f"kept{len([*box.inside.iterdir()])}"
    path.rename(kept) if path.exists() else kept.write_text("{}", encoding="utf-8")
    goals = [kept, box.outside, box.outside / "precious.txt", "/dev/zero", "/nowhere", path.name]
    match rng.randrange(5):
        case 0:
            os.mkfifo(path)
        case 1:
            path.mkdir()
        case _:
            path.symlink_to(rng.choice(goals))
