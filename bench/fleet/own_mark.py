"""
The mark by which this user knows what their own runs submitted.

A results folder may come from anybody, with jobs that claim to be this user's. What is submitted by
a claim runs its profile's lines of shell, and its jobs are ended by their ids. So a claim, and what
an engine made of its batches, bear a keyed digest, whose key lies in the user's data folder and in
no results folder. That holds on all machines that share the user's home.
"""

import hashlib
import hmac
import secrets
from contextlib import suppress
from typing import TypeVar

from bench.base.files import create_file, read_small
from bench.base.user_folders import data_folder
from bench.base.validation import Frozen
from bench.errors import EnvironmentProblem

LONGEST = 1000  # bytes of a key's file
SHORTEST = 64


class Marked(Frozen):
    """What says whose it is; `mark` is empty where the user has no place for a key."""

    mark: str = ""


M = TypeVar("M", bound=Marked)


def mark_own(said: M, place: str) -> M:
    """The same with this user's mark, which holds at that place alone."""
    whole = type(said).model_validate_json(said.model_dump_json())  # every field is one that is set
    return whole.model_copy(update={"mark": _digest(whole, place, _make_key())})


def is_own(said: Marked, place: str) -> bool:
    """Does it bear the mark that this user would give it there?"""
    key = _read_key()
    return bool(key) and hmac.compare_digest(said.mark, _digest(said, place, key))


def _digest(said: Marked, place: str, key: bytes) -> str:
    """Of all that it says; empty without a key."""
    text = said.model_dump_json(exclude={"mark"}, exclude_unset=True)
    return hmac.new(key, f"{place}\n{text}".encode(), hashlib.sha256).hexdigest() if key else ""


def _read_key() -> bytes:
    """The key; empty if there is none."""
    with suppress(OSError, RuntimeError):  # a user without a home
        key = read_small(data_folder() / "jobs" / "key", LONGEST)
        return key if len(key) >= SHORTEST else b""
    return b""


def _make_key() -> bytes:
    """The key, made where there is none yet and where that can be."""
    with suppress(OSError, RuntimeError, EnvironmentProblem):  # a full disk, a user without a home
        folder = data_folder() / "jobs"
        if not _read_key():
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o700)
            create_file(folder / "key", secrets.token_hex(32))
    return _read_key()
