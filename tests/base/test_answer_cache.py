"""Answers kept between calls: given while what they were made from is as it was, and never else."""

import importlib
import os
import sys
import types
from pathlib import Path

import pytest

from bench.base import answer_cache
from bench.base.answer_cache import Question, keep, recall, remembered
from bench.errors import UsageError

ASKED = Question(("list", "things"), ("a", "b"))


@pytest.fixture(autouse=True)
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """All files are older than this process, so that what they say is what it imported."""
    monkeypatch.setattr(answer_cache, "STARTED", answer_cache.STARTED + 1e6)


@pytest.fixture
def harness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A harness of one file in place of ours."""
    home = tmp_path / "bench"
    home.mkdir()
    (home / "core.py").write_text("x = 1\n")
    monkeypatch.setattr(answer_cache, "HARNESS", home)
    return home


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a module that is imported and belongs to no distribution."""
    path = tmp_path / "helper.py"
    path.write_text("x = 1\n")
    known = types.ModuleType("helper")
    known.__file__ = str(path)
    monkeypatch.setitem(sys.modules, "helper", known)
    return path


def as_another_process() -> None:
    """Forget what is computed once a process."""
    answer_cache._harness.cache_clear()  # pyright: ignore[reportPrivateUsage]
    answer_cache._harness_files.cache_clear()  # pyright: ignore[reportPrivateUsage]


@pytest.fixture(autouse=True)
def _anew(harness: Path) -> None:  # pyright: ignore[reportUnusedFunction]
    as_another_process()


def test_an_answer_is_given_again() -> None:
    """What is kept is given for the same question, and computed once."""
    calls: list[int] = []

    def make() -> str:
        calls.append(1)
        return "an answer"

    assert recall(ASKED) is None
    assert [remembered(ASKED, make) for _ in range(3)] == ["an answer"] * 3
    assert len(calls) == 1


def test_what_is_raised_is_not_kept() -> None:
    """An error is an error each time."""

    def make() -> str:
        message = "no such thing"
        raise UsageError(message)

    for _ in range(2):
        with pytest.raises(UsageError, match="no such thing"):
            remembered(ASKED, make)
    assert recall(ASKED) is None


def test_other_inputs_have_no_answer() -> None:
    """One input that differs makes another question, whose answer takes the place of the first."""
    keep(ASKED, "old")
    other = Question(ASKED.words, ("a", "c"))

    assert recall(other) is None
    keep(other, "new")
    assert (recall(other), recall(ASKED)) == ("new", None)


def test_a_change_of_the_harness_ends_an_answer(harness: Path) -> None:
    """A file of the harness that changes, comes or goes: what was made by it is not given."""
    keep(ASKED, "old")
    for change in (
        lambda: (harness / "core.py").write_text("x = 2\n"),
        lambda: (harness / "more.json").write_text("{}"),
        lambda: (harness / "core.py").unlink(),
    ):
        change()
        as_another_process()
        assert recall(ASKED) is None
        keep(ASKED, "new")
        assert recall(ASKED) == "new"


def test_a_change_of_what_was_imported_ends_an_answer(module: Path) -> None:
    """A module beside a plugin, which no input names, is part of what an answer was made from."""
    keep(ASKED, "old")
    assert recall(ASKED) == "old"
    module.write_text("x = 2\n")
    assert recall(ASKED) is None
    module.unlink()
    assert recall(ASKED) is None


def test_another_environment_has_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A distribution that is installed, or installed again, may have changed every answer."""
    site = tmp_path / "site-packages"
    info = site / "strange-1.0.dist-info"
    info.mkdir(parents=True)
    keep(ASKED, "old")
    monkeypatch.syspath_prepend(site)
    assert recall(ASKED) is None
    keep(ASKED, "new")
    os.utime(info, (1, 1))
    assert recall(ASKED) is None
    importlib.invalidate_caches()


def test_a_plain_module_that_appears_ends_an_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that an import would find now, and did not find then."""
    monkeypatch.syspath_prepend(tmp_path)
    keep(ASKED, "old")
    (tmp_path / "optional.py").touch()

    assert recall(ASKED) is None


def test_code_that_changed_meanwhile_makes_no_answer(
    module: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file written after this process began may not be what it imported; nothing is kept."""
    monkeypatch.setattr(answer_cache, "STARTED", module.stat().st_mtime)
    keep(ASKED, "of which code?")

    assert recall(ASKED) is None


@pytest.mark.parametrize("damage", [b"", b"{", b"\xff\xfe", b"00\n{}", b"[]\n[]"])
def test_a_damaged_answer_is_none(damage: bytes) -> None:
    """Whatever stands in the file, it is computed again."""
    keep(ASKED, "old")
    (path,) = answer_cache.folder().iterdir()
    path.write_bytes(damage)

    assert recall(ASKED) is None
    assert remembered(ASKED, lambda: "new") == "new"
    assert recall(ASKED) == "new"


def test_an_answer_that_was_changed_is_none() -> None:
    """One letter that is not as it was written is damage, too."""
    keep(ASKED, "right")
    (path,) = answer_cache.folder().iterdir()
    path.write_bytes(path.read_bytes().replace(b"right", b"wrong"))

    assert recall(ASKED) is None


def test_a_cache_that_cannot_be_written_is_only_slow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that is none: answers are made each time, and nothing is said."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "file"))

    assert remembered(ASKED, lambda: "made") == "made"
    assert remembered(ASKED, lambda: "made again") == "made again"


def test_old_answers_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder does not grow for ever: the oldest half goes."""
    monkeypatch.setattr(answer_cache, "MOST", 4)
    questions = [Question(("list", str(i)), ()) for i in range(5)]
    for age, question in enumerate(questions):
        keep(question, "kept")
        for path in answer_cache.folder().iterdir():
            os.utime(path, (path.stat().st_mtime - 10, path.stat().st_mtime - 10))
        assert recall(question) == "kept", age

    assert [recall(question) for question in questions] == [None, None, "kept", "kept", "kept"]
