"""What strangers send is data: it names no code, no file of the reader, no words for a shell."""

import csv
import gzip
import io
import json
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from samples import board_of_four

from bench.base.files import write_file
from bench.execution import cell_run
from bench.execution.job import Job
from bench.leaderboard.tables import render
from bench.planning import planner
from bench.registry import REGISTRIES
from bench.results import cell_folders, plan_owner, store

Ask = Callable[..., tuple[int, str, str]]
MINE = '''"""Mine."""

from bench.plugin import Surrogate


class Mine(Surrogate):
    def value(self, z, _, /):
        return z * 0.5
'''
HARM = '''"""Mine."""
from pathlib import Path

Path("harm").touch()  # Estimator
'''


@pytest.fixture
def theirs(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Results of a stranger: of a suite with a plugin of its own, in a folder called as ours."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "stranger"))
    home = tmp_path / "work"
    write_file(home / "mine.py", MINE)
    text = tiny.read_text(encoding="utf-8").replace("[ste, reste]", "[mine]")
    suite = write_file(home / "tiny.yaml", text.replace("baseline: ste", "plugins: [.]"))
    plan, root = planner.plan(suite), tmp_path / "theirs"
    store.save_plan(root, plan)
    cell_run.run(Job(plan.cells[0], root, "cpu", 1, 1, False, tmp_path, (), (), 60.0))
    assert plan_owner.is_own(plan)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "reader"))
    assert not plan_owner.is_own(plan)
    forget()
    return root


def forget() -> None:
    for registry in REGISTRIES:
        registry.folders.clear()


@pytest.mark.slow
def test_results_choose_no_code(
    theirs: Path, tmp_path: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Merged or read where they are, they run no file of the folder that their plan names."""
    work = tmp_path / "work"
    write_file(work / "mine.py", HARM)
    monkeypatch.chdir(work)
    assert ask("export", "-o", tmp_path / "a.tar.gz", "--results", theirs)[0] == 0
    assert ask("merge", tmp_path / "a.tar.gz", "--into", tmp_path / "ours")[0] == 0
    for root in (theirs, tmp_path / "ours"):
        for words in (
            ("verify",), ("eval", "mine-"), ("leaderboard", "tiny"), ("trace", "tiny"), ("gc",),
            ("report", "tiny", "-o", tmp_path / "r.html"),
        ):  # fmt: skip
            code, out, err = ask(*words, "--results", root)
            assert code in {0, 2}, (words, out, err)
            assert not (work / "harm").exists(), words


def test_a_record_runs_only_the_file_that_trained_it(
    theirs: Path, tmp_path: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`./estimators` is always looked at: a file there of the recorded name has to be that file."""
    reader = tmp_path / "reader-folder"
    write_file(reader / "estimators" / "mine.py", HARM)
    monkeypatch.chdir(reader)
    code, _, err = ask("eval", "mine-", "--results", theirs)
    assert (code, "is not the `mine` that" in err, "--plugins" in err) == (2, True, True), err
    assert not (reader / "harm").exists()

    write_file(reader / "estimators" / "mine.py", MINE)
    assert ask("eval", "mine-", "--results", theirs)[0] == 0


def test_own_plugins_are_still_found(theirs: Path, ask: Ask) -> None:
    """Once this user keeps the plan itself, its plugins are where it says."""
    store.save_plan(theirs, store.find_plan(theirs, "tiny"))
    code, out, err = ask("eval", "mine-", "--results", theirs)
    assert (code, "as recorded" in out) == (0, True), out + err


@pytest.mark.slow
def test_a_page_prints_no_file_of_the_reader(measured: Path, tmp_path: Path, ask: Ask) -> None:
    """A plan that calls a file of the reader's its suite does not get it into the page."""
    root = tmp_path / "results"
    shutil.copytree(measured, root)
    secret = write_file(tmp_path / "notes.yaml", "# the reader's own words\nname: [a, b]\n")
    path = root / "suites" / "tiny" / "plan.json"
    plan = json.loads(path.read_bytes()) | {"source": str(secret)}
    path.write_text(json.dumps(plan), encoding="utf-8")
    page = tmp_path / "page.html"

    assert ask("report", "tiny", "-o", page, "--results", root)[0] == 0
    assert "own words" not in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["cells", "jobs"])
def test_nothing_is_moved_through_a_link(tmp_path: Path, ask: Ask, name: str) -> None:
    """A folder whose `cells` are a link to other results does not have `gc` take those away."""
    root, other = tmp_path / "theirs", tmp_path / "own"
    kept = write_file(other / "try-12345678" / "record.json", "{}")
    (root / "suites").mkdir(parents=True)
    (root / name).symlink_to(other)

    code, _, err = ask("gc", "--move", "--results", root)

    assert (code, "remove the link" in err, kept.is_file()) == (5, True, True), err


def test_no_name_is_offered_that_a_shell_would_run(
    tmp_path: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of suites and cells with odd names only plain words are completed."""
    for name in ("$(touch harm)", "a;b", "`x`", "a b", "-rf", "plain-1.0"):
        write_file(tmp_path / "results" / "suites" / name / "plan.json", "{}")
        (tmp_path / "results" / "cells" / name).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    for command in ("power", "logs"):
        monkeypatch.setenv("_BENCH_COMPLETE", "complete_zsh")
        monkeypatch.setenv("_TYPER_COMPLETE_ARGS", f"bench {command} ")
        _, out, err = ask()
        assert "plain-1.0" in out
        assert not any(odd in out for odd in ("touch", ";", "`", "rf")), out + err


def packed(path: Path, name: str, content: bytes) -> Path:
    """An archive of one entry, in the form of `bench export`."""
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        info = tarfile.TarInfo(name)
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))
    path.write_bytes(gzip.compress(held.getvalue(), mtime=0))
    return path


def test_small_archives_stay_small(tmp_path: Path, ask: Ask) -> None:
    """One that unpacks to a hundred times its size and more is refused, and leaves nothing."""
    bomb = packed(tmp_path / "a.tar.gz", "cells/a/last.safetensors", bytes(2**27))
    code, _, err = ask("merge", bomb, "--into", tmp_path / "r")
    assert (code, "unpacks to more than 100 times its size" in err) == (2, True), err
    assert not any((tmp_path / "r").iterdir())


@pytest.mark.parametrize("content", [b"[" + b"1," * 1_000_001, b'{"a": "' + b" " * 2**25 + b'"}'])
def test_records_that_are_too_long_are_not_read(tmp_path: Path, content: bytes) -> None:
    """Values and bytes are counted before anything is made of them."""
    path = tmp_path / "cells" / "a__0123456789ab" / "record.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    assert "more than" in cell_folders.read_folder(path.parent).problem


def test_csv_holds_no_formula() -> None:
    """A label that a spreadsheet would compute has an apostrophe; numbers are as they were."""
    label = "=HYPERLINK(0)"
    board = board_of_four({"ste": {0: 0.5, 1: 0.4}, label: {0: 0.4, 1: 0.5}})
    cells = [cell for row in csv.reader(io.StringIO(render.text(board, "csv"))) for cell in row]
    assert f"'{label}" in cells
    assert not any(cell.startswith(("=", "+", "@")) for cell in cells)


def test_records_keep_no_password(measured: Path, tmp_path: Path) -> None:
    """The command line of a record is without what it should not tell."""
    plan = store.find_plan(measured, "tiny")
    argv = ("run", "tiny", "--token", "hush", "https://ann:hush@host/x")
    cell_run.run(Job(plan.cells[0], tmp_path, "cpu", 1, 1, False, tmp_path, (), argv, 60.0))
    text = (store.cell_path(tmp_path, plan.cells[0]) / "record.json").read_text(encoding="utf-8")
    assert "hush" not in text
