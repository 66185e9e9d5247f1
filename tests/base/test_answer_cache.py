"""Answers kept between calls: given while what they were made from is as it was, and never else."""

import hashlib
import importlib
import json
import os
import pwd
import sys
import types
from pathlib import Path

import pytest

from bench.base import answer_cache, file_states
from bench.base.answer_cache import Question, keep, recall, remembered
from bench.base.file_states import file_digest, file_state, folder_states
from bench.errors import UsageError

ASKED = Question(("list", "things"), ("a", "b"))


@pytest.fixture(autouse=True)
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """All files are older than this process, so that what they say is what it imported."""
    monkeypatch.setattr(answer_cache, "STARTED", answer_cache.STARTED + 1e6)
    found = answer_cache._imported  # pyright: ignore[reportPrivateUsage]

    def there() -> list[str]:  # files of other tests' modules may be gone
        return [path for path in found() if Path(path).exists()]

    monkeypatch.setattr(answer_cache, "_imported", there)


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

    assert recall(ASKED, str) is None
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
    assert recall(ASKED, str) is None


def test_other_inputs_have_no_answer() -> None:
    """One input that differs makes another question, whose answer takes the place of the first."""
    keep(ASKED, "old")
    other = Question(ASKED.words, ("a", "c"))

    assert recall(other, str) is None
    keep(other, "new")
    assert (recall(other, str), recall(ASKED, str)) == ("new", None)


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
        assert recall(ASKED, str) is None
        keep(ASKED, "new")
        assert recall(ASKED, str) == "new"


def test_a_change_of_what_was_imported_ends_an_answer(module: Path) -> None:
    """A module beside a plugin, which no input names, is part of what an answer was made from."""
    keep(ASKED, "old")
    assert recall(ASKED, str) == "old"
    module.write_text("x = 2\n")
    assert recall(ASKED, str) is None
    module.unlink()
    assert recall(ASKED, str) is None


def test_another_environment_has_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A distribution that is installed, or installed again, may have changed every answer."""
    site = tmp_path / "site-packages"
    info = site / "strange-1.0.dist-info"
    info.mkdir(parents=True)
    keep(ASKED, "old")
    monkeypatch.syspath_prepend(site)
    assert recall(ASKED, str) is None
    keep(ASKED, "new")
    os.utime(info, (1, 1))
    assert recall(ASKED, str) is None
    importlib.invalidate_caches()


def test_a_plain_module_that_appears_ends_an_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that an import would find now, and did not find then."""
    monkeypatch.syspath_prepend(tmp_path)
    keep(ASKED, "old")
    (tmp_path / "optional.py").touch()

    assert recall(ASKED, str) is None


def test_code_that_changed_meanwhile_makes_no_answer(
    module: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file written after this process began may not be what it imported; nothing is kept."""
    monkeypatch.setattr(answer_cache, "STARTED", module.stat().st_mtime)
    keep(ASKED, "of which code?")

    assert recall(ASKED, str) is None


@pytest.mark.parametrize("damage", [b"", b"{", b"\xff\xfe", b"00\n{}", b"[]\n[]"])
def test_a_damaged_answer_is_none(damage: bytes) -> None:
    """Whatever stands in the file, it is computed again."""
    keep(ASKED, "old")
    (path,) = answer_cache.folder().iterdir()
    path.write_bytes(damage)

    assert recall(ASKED, str) is None
    assert remembered(ASKED, lambda: "new") == "new"
    assert recall(ASKED, str) == "new"


def test_an_answer_that_was_changed_is_none() -> None:
    """One letter that is not as it was written is damage, too."""
    keep(ASKED, "right")
    (path,) = answer_cache.folder().iterdir()
    path.write_bytes(path.read_bytes().replace(b"right", b"wrong"))

    assert recall(ASKED, str) is None


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
    monkeypatch.setattr(answer_cache, "MAX_ANSWERS", 4)
    questions = [Question(("list", str(i)), ()) for i in range(5)]
    for age, question in enumerate(questions):
        keep(question, "kept")
        for path in answer_cache.folder().iterdir():
            os.utime(path, (path.stat().st_mtime - 10, path.stat().st_mtime - 10))
        assert recall(question, str) == "kept", age

    assert [recall(question, str) for question in questions] == [None, None, "kept", "kept", "kept"]


def seal(content: str) -> str:
    """A file of an answer whose seal is right, whatever is in it."""
    return f"{hashlib.sha256(content.encode()).hexdigest()}\n{content}"


@pytest.mark.parametrize("content", ["[" * 100_000, '{"made_from": 1}', "7", "9" * 5000])
def test_an_answer_of_another_shape_is_none(content: str) -> None:
    """What is sealed and is no answer of ours is made again."""
    keep(ASKED, "old")
    (path,) = answer_cache.folder().iterdir()
    path.write_text(seal(content))

    assert remembered(ASKED, lambda: "new") == "new"
    assert recall(ASKED, str) == "new"


def test_an_answer_that_cannot_be_read_is_none() -> None:
    """Whatever its reader raises: there is no answer."""
    keep(ASKED, "no number")

    assert recall(ASKED, str) == "no number"
    assert recall(ASKED, int) is None


def test_what_is_no_file_is_no_answer() -> None:
    """A pipe, a device or a folder in an answer's place is not read, which might never end."""
    keep(ASKED, "old")
    (path,) = answer_cache.folder().iterdir()
    for place in (os.mkfifo, lambda path: path.symlink_to("/dev/zero"), lambda path: path.mkdir()):
        path.unlink()
        place(path)
        assert recall(ASKED, str) is None
        if path.is_dir():
            path.rmdir()
            path.touch()


def test_an_answer_may_name_no_pipe_as_code(tmp_path: Path) -> None:
    """What an answer says that it was made from is read only where it is a file."""
    keep(ASKED, "old")
    (path,) = answer_cache.folder().iterdir()
    kept = json.loads(path.read_text().partition("\n")[2])
    os.mkfifo(tmp_path / "pipe")
    kept["code"] = {str(tmp_path / "pipe"): "0", "/dev/zero": "0"}
    path.write_text(seal(json.dumps(kept)))

    assert recall(ASKED, str) is None
    assert file_digest(tmp_path / "pipe") == ""


def test_a_large_file_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """No more is read than an answer can have."""
    keep(ASKED, "old")
    monkeypatch.setattr(answer_cache, "MAX_BYTES", 10)

    assert recall(ASKED, str) is None


def test_a_user_without_a_home_has_no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """No `HOME` and no entry of the user's: every answer is made, and nothing is said."""

    def unknown(_: int) -> None:
        raise KeyError

    for name in ("BENCH_CACHE", "HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    with pytest.raises(RuntimeError):
        answer_cache.folder()

    assert remembered(ASKED, lambda: "made") == "made"
    assert remembered(ASKED, lambda: "made again") == "made again"


def test_each_search_path_has_its_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """`bench` and `python -m bench`, whose search paths differ, keep answers beside another."""
    keep(ASKED, "of bench")
    with monkeypatch.context() as patch:
        patch.setattr(sys, "path", ["/elsewhere", *sys.path])
        assert recall(ASKED, str) is None
        keep(ASKED, "of python -m bench")

    assert recall(ASKED, str) == "of bench"


def test_what_cannot_be_compared_is_not_kept() -> None:
    """A question whose inputs have no state is asked each time."""
    question = Question(ASKED.words, None)
    keep(question, "old")

    assert recall(question, str) is None
    assert not answer_cache.folder().exists()


def test_a_state_sees_a_change_that_keeps_size_and_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is replaced, and one whose time is set back, are others than before."""
    monkeypatch.setattr(file_states, "SETTLED_S", -1e6)
    path, other = tmp_path / "data", tmp_path / "other"
    for file in (path, other):
        file.write_text("a")
        os.utime(file, (1, 1))
    states = [file_state(path)]
    other.replace(path)
    states.append(file_state(path))
    path.write_text("b")
    os.utime(path, (1, 1))
    states.append(file_state(path))

    assert None not in states
    assert len({*states}) == 3


def test_a_folder_of_too_many_files_has_no_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files are looked at each time, so there may be only so many; compiled ones do not count."""
    monkeypatch.setattr(file_states, "SETTLED_S", -1e6)
    monkeypatch.setattr(file_states, "MAX_FILES", 4)
    folder = tmp_path / "plugs"
    (folder / "__pycache__").mkdir(parents=True)
    for name in ("a", "b", "__pycache__/c"):
        (folder / name).touch()
    states = folder_states(folder)
    (folder / "loop").symlink_to(folder)

    assert states is not None
    assert [line.split()[0] for line in states] == [str(folder / "a"), str(folder / "b")]
    assert folder_states(folder) is None
