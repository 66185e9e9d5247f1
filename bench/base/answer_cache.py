"""
Answers that need not be computed again, kept in the user's cache folder or `$BENCH_CACHE`.

What a plugin or a suite means takes seconds to find out, because torch is imported for it, and is
the same until something changes that it was made from. An answer is kept with a digest of all of
that: the inputs that its question names, the harness, the installed distributions, and every other
file of Python code that was imported when it was made. It is given only while all are as they were.
A cache that is damaged or cannot be written makes a command slow, never wrong.
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
from typing import Any

from platformdirs import user_cache_path

from bench.base.files import write_file
from bench.errors import EnvironmentProblem

HARNESS = Path(__file__).parent.parent
STARTED = time.time()  # what changed since may not be what this process imported
MOST = 500  # answers that are kept
SETTLED_S = 2.0  # clocks of file systems tick slowly
INSTALLED = ("/site-packages/", "/dist-packages/")  # whose code versions stand for
DESCRIBES = (".dist-info", ".egg-info", ".egg-link", ".pth")  # entries that say what is installed


@dataclass(frozen=True)
class Question:
    """What is asked, for which one answer is kept, and what that depends on besides code."""

    words: tuple[str, ...]
    inputs: tuple[str, ...]


def folder() -> Path:
    """`$BENCH_CACHE`, else `signbench` in the user's cache folder."""
    return Path(os.environ.get("BENCH_CACHE") or user_cache_path("signbench")) / "answers"


def remembered(question: Question, make: Callable[[], str]) -> str:
    """The kept answer, or else what `make` returns, which is kept; what `make` raises is not."""
    answer = recall(question)
    if answer is None:
        answer = make()
        keep(question, answer)
    return answer


def recall(question: Question) -> str | None:
    """The answer that is kept, or None where there is none that still holds."""
    try:
        seal, _, content = _path(question).read_text(encoding="utf-8").partition("\n")
        if seal != _digest(content.encode()):
            return None
        kept: dict[str, Any] = json.loads(content)
        holds = kept["made_from"] == _made_from(question) and kept["code"] == _digests(kept["code"])
        return str(kept["answer"]) if holds else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def keep(question: Question, answer: str) -> None:
    """Keep an answer that this process made, unless code changed while it runs, or it cannot."""
    imported = [path for path in _imported() if not _is_installed(path)]
    with suppress(OSError, EnvironmentProblem, ValueError):
        if any(_is_young(path) for path in (*_harness_files(), *imported)):
            return
        kept = {"made_from": _made_from(question), "code": _digests(imported), "answer": answer}
        content = json.dumps(kept)
        write_file(_path(question), f"{_digest(content.encode())}\n{content}")
        _prune()


def _prune() -> None:
    """Remove the oldest half of the answers once they are too many."""
    paths = [*folder().glob("*.json")]
    if len(paths) > MOST:
        for path in sorted(paths, key=lambda path: path.stat().st_mtime)[: MOST // 2]:
            path.unlink(missing_ok=True)


def file_digest(path: str | Path) -> str:
    """Of a file's bytes; empty where it cannot be read."""
    try:
        return _digest(Path(path).read_bytes())
    except OSError:
        return ""


def _path(question: Question) -> Path:
    name = _digest(json.dumps(question.words).encode())
    return folder() / f"{question.words[0]}-{name[:32]}.json"


def _made_from(question: Question) -> str:
    said = [*question.words, *question.inputs, _harness(), *_environment()]
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


def _environment() -> list[str]:
    """The Python, where it looks for modules, and what is installed there, and when."""
    installed = (line for home in sys.path for line in sorted(_entries(home or ".")))
    return [sys.version, platform.machine(), *sys.path, *installed]


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
    return any(part in path for part in INSTALLED) or path.startswith(
        (sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"))
    )


def _is_young(path: str) -> bool:
    """May it be another than the one that was imported? One that is gone is as well."""
    try:
        return os.stat(path).st_mtime > STARTED - SETTLED_S  # noqa: PTH116 - of hundreds
    except OSError:
        return True
