"""Jobs that came with a results folder: nobody follows or ends them but who submitted them."""

import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bench.base.files import write_file
from bench.errors import EnvironmentProblem, UsageError
from bench.execution import journal
from bench.fleet import own_mark
from bench.fleet.batch import Batch, load_batch, save_batch
from bench.fleet.plugin_copies import copy_plugins
from bench.fleet.profile import Profile
from bench.fleet.slurm.slurm_engine import COMMANDS
from bench.fleet.submission import Claim, Outcome, Submission, Wave, claim_cells, submissions
from bench.planning import planner
from bench.registry import add_folders
from bench.results.lease import myself

Ask = Callable[..., tuple[int, str, str]]


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand-ins for Slurm's commands; returns the file in which they say how they were called."""
    called, folder = tmp_path / "called", tmp_path / "commands"
    for name in COMMANDS:
        text = f'#!/bin/sh\necho {name} "$@" >>{called}\n'
        write_file(folder / name, text).chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    called.touch()
    return called


def lay(root: Path, suite: Path, job: str = "7", **changes: Any) -> Claim:
    """A submission of the suite's cells as a stranger's folder has it; nothing of it is marked."""
    plan, owner, now = planner.plan(suite), myself(), datetime.now(UTC)
    entries = journal.entries(plan.cells, {cell.id: cell.slug for cell in plan.cells})
    setup = ["touch harm"]
    given: dict[str, Any] = {
        "number": 1, "suite": plan.suite, "command": ["bench"], "owner": owner, "at": now,
        "profile": Profile.model_validate({"name": "p", "engine": "slurm", "setup": setup}),
        "cells": entries, "batches": {"b": [cell.id for cell in plan.cells]},
    }  # fmt: skip
    claim = Claim.model_validate(given | changes)
    jobs = root / "jobs"
    write_file(jobs / "1.json", claim.model_dump_json())
    wave = Wave(owner=owner, at=now, batches=["b"])
    write_file(jobs / "1" / "waves" / "1.json", wave.model_dump_json())
    write_file(jobs / "1" / "waves" / "1.jobs", json.dumps({"jobs": {"b": job}}))
    return claim


def test_a_strangers_jobs_are_not_ended(tiny: Path, tmp_path: Path, slurm: Path, ask: Ask) -> None:
    """`cancel` says in the folder that cells are not wanted, and asks nothing of Slurm."""
    root = tmp_path / "results"
    lay(root, tiny)

    code, out, _ = ask("cancel", "tiny", "--results", root)

    assert (code, "this user did not submit its jobs" in out) == (0, True), out
    assert slurm.read_text(encoding="utf-8") == ""
    assert (root / "jobs" / "1" / "cancelled.jsonl").is_file()


@pytest.mark.parametrize(("job", "told"), [("7", "scancel 7\n"), ("--me", ""), ("7 8", "")])
def test_who_trusts_a_stranger_ends_jobs_by_number(
    tiny: Path, tmp_path: Path, slurm: Path, ask: Ask, job: str, told: str
) -> None:
    """What is no number of a job is no option of scancel either."""
    lay(tmp_path / "results", tiny, job)

    code, out, err = ask("cancel", "tiny", "--trust-jobs", "--results", tmp_path / "results")

    assert (code, slurm.read_text(encoding="utf-8")) == (0, told), out + err


def test_a_strangers_jobs_are_not_attached_to(
    tiny: Path, tmp_path: Path, slurm: Path, ask: Ask
) -> None:
    """A run whose cells a stranger claims submits none of their batches, and says what to do."""
    lay(tmp_path / "results", tiny)

    code, _, err = ask("run", tiny, "--on", "slurm", "--results", tmp_path / "results")

    assert (code, err.count("\n"), "--trust-jobs" in err) == (5, 1, True), err
    assert "sbatch" not in slurm.read_text(encoding="utf-8")


def test_what_was_changed_in_own_jobs_is_not_believed(tiny: Path, tmp_path: Path) -> None:
    """A claim of this user's that came back with other words, or other jobs, is nobody's."""
    claim = lay(tmp_path / "other", tiny)
    cells: dict[str, str | None] = {cell.id: None for cell in claim.cells}

    def make(number: int, _: Iterable[str]) -> Claim:
        return claim.model_copy(update={"number": number})

    def read() -> Submission:
        (found,) = submissions(root)
        return found

    root = tmp_path / "results"
    _, made = claim_cells(root, cells, make, lambda _: None)
    assert made is not None
    assert made.submit(["b"], lambda: Outcome(jobs={"b": "7"}), lambda _: None, ()) == ""
    assert (read().own, read().jobs) == (True, {"b": "7"})

    outcome, path = root / "jobs" / "1" / "waves" / "1.jobs", root / "jobs" / "1.json"
    write_file(outcome, outcome.read_text(encoding="utf-8").replace('"7"', '"8"'))
    assert (read().own, read().jobs) == (True, {})
    write_file(path, path.read_text(encoding="utf-8").replace("touch harm", "touch other"))
    assert not read().own


def test_a_user_without_a_key_owns_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without a folder to keep a key in there is no mark, and no empty mark is right."""
    monkeypatch.setenv("XDG_DATA_HOME", str(write_file(tmp_path / "file", "")))
    outcome = own_mark.mark_own(Outcome(), "a")

    assert (outcome.mark, own_mark.is_own(outcome, "a")) == ("", False)


def test_links_lead_no_file_out_of_the_folder(tiny: Path, tmp_path: Path, ask: Ask) -> None:
    """Neither a submission's folder nor what is in it is written through a link."""
    root, outside = tmp_path / "results", tmp_path / "outside"
    lay(root, tiny)
    outside.mkdir()
    for name in ("cancelled.jsonl", "closed"):
        (root / "jobs" / "1" / name).symlink_to(outside / name)
    code, _, err = ask("cancel", "tiny", "--results", root)
    assert (code, "cancelled.jsonl" in err, [*outside.iterdir()]) == (5, True, []), err


def test_a_batch_is_what_it_is_called(tmp_path: Path) -> None:
    """A batch that was changed is refused before anything of it is run."""
    batch = Batch(root=tmp_path, suite="s", cells=[], entries=[], data=tmp_path, checkpoint_s=1.0)
    path = save_batch(batch, tmp_path)
    assert load_batch(path) == batch

    write_file(path, batch.model_copy(update={"plugins": [tmp_path]}).model_dump_json() + "\n")
    with pytest.raises(UsageError, match="not the one of that name"):
        load_batch(path)


def test_a_copy_of_plugins_is_what_it_is_called(tmp_path: Path) -> None:
    """A copy that lies there already and says something else is refused."""
    root, folder = tmp_path / "results", tmp_path / "mine"
    write_file(folder / "own.py", "x = 1")
    add_folders([folder])
    (copy,) = copy_plugins(root)
    assert copy_plugins(root) == [copy]

    write_file(root / copy / "own.py", "x = 2")
    with pytest.raises(EnvironmentProblem, match="remove it"):
        copy_plugins(root)
