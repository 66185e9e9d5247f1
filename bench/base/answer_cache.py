"""
Answers that need not be computed again, kept in the user's cache folder or `$BENCH_CACHE`.

What a plugin or a suite means takes seconds to find out, because torch is imported for it, and is
the same until something changes that it was made from. An answer is kept with a digest of all of
that: the inputs that its question names, the harness, the installed distributions, and every other
file of Python code that was imported when it was made. It is given only while all are as they were.
A cache that is damaged, has no place or cannot be written makes a command slow, never wrong.

The seal of an answer guards against damage and not against an enemy: whoever can write the user's
own cache folder can have any answer printed, as they could change any program of that user.
Code that is written while a process runs makes no answer; this is seen by the times of its files,
so a file server's clock must not be more than `file_states.SETTLED_S` behind this machine's.
"""

import hashlib
import json
import os
import platform
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from bench.base.file_states import file_digest, is_newer
from bench.base.files import write_file
from bench.base.user_folders import cache_folder
from bench.errors import EnvironmentProblem

HARNESS = Path(__file__).parent.parent
STARTED = time.time()  # what changed since may not be what this process imported
MAX_ANSWERS = 500
MAX_BYTES = 64 * 2**20  # of an answer
INSTALLED = ("/site-packages/", "/dist-packages/")  # whose code versions stand for
DESCRIBES = (".dist-info", ".egg-info", ".egg-link", ".pth")  # entries that say what is installed


T = TypeVar("T")


@dataclass(frozen=True)
class Question:
    """
    What is asked, for which one answer is kept, and what that depends on besides code.

    Attributes:
        words: what is asked; a later answer to the same words takes the place of this one.
        inputs: what it depends on. None: that cannot be compared, and no answer is kept.
    """

    words: tuple[str, ...]
    inputs: tuple[str, ...] | None


def folder() -> Path:
    """
    Give `$BENCH_CACHE`, else `signbench` in the user's cache folder.

    Raises:
        RuntimeError: the user has no home folder.
    """
    return Path(os.environ.get("BENCH_CACHE") or cache_folder()) / "answers"


def remembered(question: Question, make: Callable[[], str]) -> str:
    """The kept answer, or else what `make` returns, which is kept; what `make` raises is not."""
    answer = recall(question, str)
    if answer is None:
        answer = make()
        keep(question, answer)
    return answer


def recall(question: Question, read: Callable[[str], T]) -> T | None:
    """Give the answer that is kept, as `read` reads it; None: there is none that still holds."""
    if question.inputs is None:
        return None
    try:
        seal, _, content = _read(_path(question)).partition("\n")
        if seal != _digest(content.encode()):
            return None
        kept: dict[str, Any] = json.loads(content)
        holds = kept["made_from"] == _made_from(question) and kept["code"] == _digests(kept["code"])
        return read(kept["answer"]) if holds else None
    except Exception:  # whatever stands there, or stands in the way
        return None


def keep(question: Question, answer: str) -> None:
    """Keep an answer that this process made, unless code changed while it runs, or it cannot."""
    if question.inputs is None:
        return
    imported = [path for path in _imported() if not _is_installed(path)]
    with suppress(OSError, EnvironmentProblem, ValueError, RuntimeError):
        if any(is_newer(path, STARTED) for path in (*_harness_files(), *imported)):
            return
        kept = {"made_from": _made_from(question), "code": _digests(imported), "answer": answer}
        content = json.dumps(kept)
        write_file(_path(question), f"{_digest(content.encode())}\n{content}")
        _prune()


def _read(path: Path) -> str:
    """
    Read a file of an answer.

    Raises:
        OSError: it is absent, no file (of which a read might never end), or too large.
        ValueError: it is no text.
    """
    if not path.is_file() or path.stat().st_size > MAX_BYTES:
        message = f"no answer in `{path}`"
        raise OSError(message)
    return path.read_text(encoding="utf-8")


def _prune() -> None:
    """Remove the oldest half of the answers once they are too many."""
    paths = [*folder().glob("*.json")]
    if len(paths) > MAX_ANSWERS:
        for path in sorted(paths, key=lambda path: path.stat().st_mtime)[: MAX_ANSWERS // 2]:
            path.unlink(missing_ok=True)


def _path(question: Question) -> Path:
    """Give the file of an answer; each Python has its own, and so has `python -m bench`."""
    name = _digest(json.dumps([*question.words, *_python()]).encode())
    return folder() / f"{question.words[0]}-{name[:32]}.json"


def _made_from(question: Question) -> str:
    said = [*question.words, *(question.inputs or ()), _harness(), *_environment()]
    return _digest(json.dumps(said).encode())


def _digests(paths: list[str] | dict[str, str]) -> dict[str, str]:
    return {path: file_digest(path) for path in paths}


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@cache
def _harness() -> str:
    """The digest of every file of the harness."""
    return _digest(json.dumps(_digests(_harness_files())).encode())


@cache
def _harness_files() -> list[str]:
    return sorted(
        f"{home}/{name}"
        for home, _, names in os.walk(HARNESS)
        for name in names
        if "__pycache__" not in home
    )


def _python() -> list[str]:
    """The Python, and where it looks for modules."""
    return [sys.version, platform.machine(), *sys.path]


def _environment() -> list[str]:
    """The Python, where it looks for modules, and what is installed there, and when."""
    installed = (line for home in sys.path for line in sorted(_entries(home or ".")))
    return [*_python(), *installed]


def _entries(home: str) -> Iterator[str]:
    """The modules that are files of a folder, and its distributions with the time of each."""
    with suppress(OSError), os.scandir(home) as entries:
        for entry in entries:
            if entry.name.endswith(DESCRIBES):
                yield f"{entry.name} {entry.stat().st_mtime_ns}"
            elif entry.name.endswith(".py"):
                yield entry.name


def _imported() -> Iterator[str]:
    """The files of the modules that this process has imported."""
    for module in [*sys.modules.values()]:
        path = getattr(module, "__dict__", {}).get("__file__")
        if isinstance(path, str) and not path.startswith(f"{HARNESS}/"):
            yield path


def _is_installed(path: str) -> bool:
    """Is it a file of Python itself, or of a distribution?"""
    return any(part in path for part in INSTALLED) or path.startswith(_library())


@cache
def _library() -> tuple[str, ...]:
    """Where Python's own files lie."""
    return sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")
