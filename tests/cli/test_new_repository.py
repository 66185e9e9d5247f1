"""`bench new results-repository`: its workflows are run as they are, on good and bad results."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from bench.results import archive, store, submission

Ask = Callable[..., tuple[int, str, str]]
ROOT = Path(__file__).parent.parent.parent
BENCH = f'#!/bin/sh\nexec env PYTHONPATH="{ROOT}" "{sys.executable}" -m bench "$@"\n'
PROGRAMS = {  # in the place of those that ask a network
    "bench": BENCH,
    "pip": '#!/bin/sh\necho "$@" >> "$SAID/pip"\n',
    "gh": """#!/bin/sh
case "$1 $2" in
  "run download") mkdir -p said; cp "$SAID/comment.md" said/ ;;
  "pr list") echo 7 ;;
  *) echo "$@" >> "$SAID/gh"; cat "$5" >> "$SAID/gh" ;;
esac
""",
}


@pytest.fixture
def repository(tmp_path: Path, ask: Ask) -> Path:
    """A clone of a repository as the command writes it, in which commits can be made."""
    code, out, err = ask("new", "results-repository", tmp_path / "clone")
    assert (code, err) == (0, "")
    assert out.count("wrote ") == 6
    (tmp_path / "bin").mkdir()
    for name, text in PROGRAMS.items():
        (tmp_path / "bin" / name).write_text(text, encoding="utf-8")
        (tmp_path / "bin" / name).chmod(0o755)
    clone = tmp_path / "clone"
    git(clone, "init", "-q", "-b", "main")
    commit(clone)
    git(tmp_path, "clone", "-q", "--bare", "clone", "origin.git")
    git(clone, "remote", "add", "origin", str(tmp_path / "origin.git"))
    git(clone, "fetch", "-q", "origin")
    git(clone, "checkout", "-q", "-b", "theirs")
    return clone


def git(folder: Path, *words: str) -> None:
    who = ("-c", "user.name=a", "-c", "user.email=a@b")
    subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)


def commit(folder: Path) -> None:
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "m")


def run_steps(clone: Path, workflow: str) -> tuple[int, str]:
    """Run a workflow's steps in order as its service does; the first code that is not 0, output."""
    said = yaml.safe_load((clone / ".github" / "workflows" / workflow).read_text("utf-8"))
    home = clone.parent
    given = {"BASE": "main", "SAMPLE": "2", "SHA": "0" * 40, "RUN": "1"}
    ours = {"PATH": f"{home / 'bin'}:{os.environ['PATH']}", "SAID": str(home),
            "GITHUB_STEP_SUMMARY": str(home / "summary.md")}  # fmt: skip
    (job,) = said["jobs"].values()
    shell = said.get("defaults", {}).get("run", {}).get("shell")
    strict = {"bash": ["--noprofile", "--norc", "-eo", "pipefail"], None: ["-e"]}[shell]
    failed, text = 0, ""
    for step in (step for step in job["steps"] if "run" in step):
        assert "${{" not in step["run"]  # what a stranger chooses is no part of a script
        if failed and step.get("if") != "always()":
            continue
        done = subprocess.run(
            ["bash", *strict, "-c", step["run"]],
            cwd=clone, env={**os.environ, **given, **ours},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        failed, text = failed or done.returncode, text + done.stdout + done.stderr
    return failed, text


def submitted(measured: Path, clone: Path, name: str = "mine.tar.gz") -> Path:
    """A submission in its place, committed."""
    path = clone / "submissions" / name
    submission.write(submission.gather(measured, []).chosen, path)
    commit(clone)
    return path


def test_scripts_hold_nothing_that_a_stranger_chooses() -> None:
    """Expressions stand in `env` alone; only what posts the comment may write, and checks out
    nothing.
    """
    for path in (ROOT / "bench" / "cli" / "repository").glob("*.yml"):
        said: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        steps = [step for job in said["jobs"].values() for step in job["steps"]]
        assert not any("${{" in step.get("run", "") for step in steps)
        writes = said["permissions"].get("pull-requests") == "write"
        assert writes == (path.name == "comment.yml")
        assert not writes or not any("uses" in step for step in steps)


def test_nothing_is_replaced(tmp_path: Path, ask: Ask) -> None:
    """A file that is there is one error, and nothing is written."""
    (tmp_path / "README.md").write_text("mine", encoding="utf-8")
    code, _, err = ask("new", "results-repository", tmp_path)

    assert code == 2
    assert "README.md` is there already" in err
    assert [path.name for path in tmp_path.iterdir()] == ["README.md"]


@pytest.mark.slow
def test_a_submission_is_checked_commented_and_published(repository: Path, measured: Path) -> None:
    """All steps of the three workflows, in order: what is as recorded passes and is published."""
    submitted(measured, repository)
    code, text = run_steps(repository, "check.yml")
    assert code == 0, text
    shutil.copy(repository / "comment.md", repository.parent)
    assert run_steps(repository, "comment.yml")[0] == 0
    comment = (repository.parent / "gh").read_text(encoding="utf-8")
    assert comment.startswith("pr comment 7 --body-file said/comment.md\nAll is as recorded.")
    assert "    2 cells, 1 plan: 3 as recorded; measured again: 2, drawn by --seed" in comment
    assert "    with: 3 new\n" in comment
    assert (repository / "preview" / "index.html").is_file()
    code, text = run_steps(repository, "publish.yml")

    assert code == 0, text
    assert "tiny" in (repository / "public" / "index.html").read_text(encoding="utf-8")
    assert (repository / "public" / "suites" / "tiny.html").is_file()


@pytest.mark.slow
def test_lies_and_other_changes_are_told(repository: Path, measured: Path, tmp_path: Path) -> None:
    """An edited number is in the comment and fails; so does whatever is more than an archive."""
    root = Path(shutil.copytree(measured, tmp_path / "lie"))
    (path,) = (root / "cells").glob("ste-*/record.json")
    store.save_record(root, store.read_record(path).model_copy(update={
        "curves": {"train_loss": [0.1], "test_acc": [0.99], "lr": [0.1]}, "best_epoch": 0,
    }))  # fmt: skip
    files = [p for kind in ("cells", "suites") for p in (root / kind).rglob("*") if p.is_file()]
    members = [(p.relative_to(root).as_posix(), p) for p in files]
    archive.write_archive(repository / "submissions" / "lie.tar.gz", members)
    commit(repository)
    code, _ = run_steps(repository, "check.yml")
    comment = (repository / "comment.md").read_text(encoding="utf-8")
    commit(repository)
    other = run_steps(repository, "check.yml")

    assert code == 1
    assert comment.startswith("This cannot be taken as it is.")
    assert "the record says 99.00 %" in comment
    assert other[0] == 1
    assert "adds archives to submissions/, with plain names, and changes nothing" in other[1]
