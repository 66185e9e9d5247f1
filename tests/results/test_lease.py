"""Who works on a cell: one at a time, the dead are found, and no clock is trusted."""

import errno
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.base.files import write_file
from bench.errors import EnvironmentProblem
from bench.planning.planner import plan
from bench.results import lease, owner, store
from bench.results.lease import Lease, Leases, holder
from bench.results.lease_files import LeaseFolder
from bench.results.owner import Owner, alive, myself
from bench.spec.cell import Cell


class Clock:
    """A clock that moves when told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def cell(tiny: Path) -> Cell:
    return plan(tiny).cells[0]


def foreign() -> Owner:
    return myself().model_copy(update={"host": "far", "place": "another boot", "pid": 7})


def lease_path(root: Path, cell: Cell, n: int = 1) -> Path:
    return LeaseFolder(store.cell_path(root, cell)).file(n)


def write(root: Path, cell: Cell, owner: Owner, n: int = 1, beat: int = 1, at: str = "") -> Path:
    text = Lease(owner=owner, beat=beat, at=at).model_dump_json()
    return write_file(lease_path(root, cell, n), text)


def test_a_cell_has_one_owner(cell: Cell, tmp_path: Path) -> None:
    """The second run is told who has it, and has it when the first lets go."""
    first, second = Leases(tmp_path, myself()), Leases(tmp_path, myself())

    assert first.take(cell).ours
    assert first.take(cell).ours
    answer = second.take(cell)
    assert (answer.ours, answer.other) == (False, first.owner)
    assert holder(store.cell_path(tmp_path, cell)) == str(first.owner)
    second.release(cell)
    assert not second.take(cell).ours
    first.release(cell)
    assert second.take(cell).ours
    assert second.take(cell).other is None


def test_a_folder_that_goes_while_it_is_made_is_made_again(
    cell: Cell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another's last lease took it along; a file in its place is told."""
    folder, make, seen = lease_path(tmp_path, cell).parent, os.mkdir, [False]

    def late(path: Path, *mode: int) -> None:
        if Path(path) == folder and not seen[0]:
            seen[0] = True
            raise FileExistsError(errno.EEXIST, "File exists", path)
        make(path, *mode)

    monkeypatch.setattr(os, "mkdir", late)
    leases = Leases(tmp_path, myself())
    assert leases.take(cell).ours
    assert seen[0]
    leases.release(cell)
    write_file(folder, "")
    with pytest.raises(EnvironmentProblem, match=f"{re.escape(str(folder))}.*: File exists"):
        leases.take(cell)


@pytest.mark.linux
def test_a_killed_owner_is_followed(cell: Cell, tmp_path: Path) -> None:
    """A process that is gone holds nothing; who takes over knows whose it was."""
    script = f"""
import os, signal
from pathlib import Path
from bench.spec.cell import Cell
from bench.results.lease import Leases
from bench.results.owner import myself
leases = Leases(Path({str(tmp_path)!r}), myself())
assert leases.take(Cell.model_validate_json({cell.model_dump_json()!r})).ours
os.kill(os.getpid(), signal.SIGKILL)
"""
    process = subprocess.Popen([sys.executable, "-c", script])
    process.wait()
    answer = Leases(tmp_path, myself()).take(cell)

    assert answer.ours
    assert answer.other is not None
    assert answer.other.pid == process.pid


@pytest.mark.linux
def test_a_number_used_again_is_another_process(cell: Cell, tmp_path: Path) -> None:
    """A living process with the owner's number but another beginning is not the owner."""
    write(tmp_path, cell, myself().model_copy(update={"began": "1"}))

    assert alive(myself()) is True
    assert alive(myself().model_copy(update={"began": "1"})) is False
    assert Leases(tmp_path, myself()).take(cell).ours


def test_nobody_can_tell_of_another_machine() -> None:
    """Nor of another container, or of one that has our host's name: of two, or booted again."""
    me = myself()
    boot, space = me.place.split(" ", 1)

    assert alive(me.model_copy(update={"place": f"another {space}"})) is None
    assert alive(me.model_copy(update={"place": f"{boot} pid:[7]"})) is None
    assert alive(me.model_copy(update={"place": f"another {space}", "host": "far"})) is None
    assert alive(me.model_copy(update={"place": ""})) is None


def test_without_proc_a_process_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system tells no more, a number that a process of this host has is alive."""
    monkeypatch.setattr(owner, "_place", lambda: "")
    me = myself()
    process = subprocess.Popen(["true"])
    process.wait()

    assert alive(me) is True
    assert alive(me.model_copy(update={"pid": process.pid})) is False
    assert alive(me.model_copy(update={"host": "far"})) is None


def test_a_folder_is_moved_only_while_nobody_has_it(cell: Cell, tmp_path: Path) -> None:
    """In the meantime nobody takes it; one that has it is named; its owner may."""
    leases, home = Leases(tmp_path, myself()), store.cell_path(tmp_path, cell)
    assert leases.take(cell).ours
    for where in (home, None):
        with (
            pytest.raises(lease.Held, match=rf"process {os.getpid()} has this cell; wait"),
            lease.idle(tmp_path, where),
        ):
            pass
    with lease.idle(tmp_path, home, leases.owner):
        pass
    leases.release(cell)
    with lease.idle(tmp_path, home):
        answer = Leases(tmp_path, myself()).take(cell)
        assert (answer.ours, answer.brief) == (False, True)
    assert not (tmp_path / "leases").exists()
    assert leases.take(cell).ours


def test_one_lease_that_cannot_be_written_stops_no_other(tiny: Path, tmp_path: Path) -> None:
    """A beat shows life for every cell that it can."""
    clock = Clock()
    leases = Leases(tmp_path, myself(), clock)
    bad, good = plan(tiny).cells
    for one in (bad, good):
        leases.take(one)
    lease_path(tmp_path, bad).unlink()
    lease_path(tmp_path, bad).mkdir()
    clock.now = 11

    assert leases.beat() == []
    path = lease_path(tmp_path, good)
    assert json.loads(path.read_text(encoding="utf-8"))["beat"] == 1


@pytest.mark.linux
def test_a_process_that_nobody_buried_is_dead() -> None:
    """A zombie owns nothing."""
    process = subprocess.Popen(["true"])
    deadline = time.monotonic() + 30
    while owner._began(process.pid):  # pyright: ignore[reportPrivateUsage]
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert Path(f"/proc/{process.pid}").exists()
    process.wait()


def test_an_owner_elsewhere_lives_as_long_as_it_beats(cell: Cell, tmp_path: Path) -> None:
    """Of another machine only the counter counts: unchanged for a minute of ours, it is dead."""
    clock = Clock()
    leases = Leases(tmp_path, myself(), clock)
    write(tmp_path, cell, foreign(), beat=1)
    assert not leases.take(cell).ours
    clock.now = 59
    assert not leases.take(cell).ours
    write(tmp_path, cell, foreign(), beat=2)
    clock.now = 61
    assert not leases.take(cell).ours
    clock.now = 120
    assert not leases.take(cell).ours
    clock.now = 122
    answer = leases.take(cell)

    assert answer.ours
    assert answer.other == foreign().model_copy(update={"run": answer.other.run})  # type: ignore[union-attr]


@pytest.mark.parametrize("at", ["1970-01-01T00:00:00+00:00", "2999-01-01T00:00:00+00:00", "never"])
def test_what_an_owner_calls_the_time_is_ignored(cell: Cell, tmp_path: Path, at: str) -> None:
    """Clocks that disagree, or jump, make no owner dead and none immortal."""
    clock = Clock()
    leases = Leases(tmp_path, myself(), clock)
    write(tmp_path, cell, foreign(), at=at)

    assert not leases.take(cell).ours
    clock.now = 61
    assert leases.take(cell).ours


def test_a_lease_that_cannot_be_read_may_be_somebodys(cell: Cell, tmp_path: Path) -> None:
    """Damaged, it is waited for like one of another machine."""
    clock = Clock()
    leases = Leases(tmp_path, myself(), clock)
    write_file(lease_path(tmp_path, cell), b"\xff{")

    answer = leases.take(cell)
    assert (answer.ours, answer.other) == (False, None)
    clock.now = 61
    assert leases.take(cell).ours


def test_a_beat_shows_life_and_finds_losses(cell: Cell, tmp_path: Path) -> None:
    """Every ten seconds the counter rises; what another run took over is ours no more."""
    clock = Clock()
    leases = Leases(tmp_path, myself(), clock)
    leases.take(cell)
    path = lease_path(tmp_path, cell)
    clock.now = 9
    assert leases.beat() == []
    assert json.loads(path.read_text(encoding="utf-8"))["beat"] == 0
    clock.now = 11
    assert leases.beat() == []
    assert json.loads(path.read_text(encoding="utf-8"))["beat"] == 1
    other = foreign()
    write(tmp_path, cell, other, n=2)
    clock.now = 22

    assert leases.beat() == [cell]
    leases.release_all()
    assert holder(store.cell_path(tmp_path, cell)) == str(other)


def test_a_job_that_is_put_back_has_its_cell_at_once(
    cell: Cell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of Slurm, under its number, on whatever node; not for another job, nor for a second step."""
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    write(tmp_path, cell, foreign())
    for number, restarts, ours in (("17", "0", False), ("18", "1", False), ("17", "1", True)):
        monkeypatch.setenv("SLURM_JOB_ID", number)
        monkeypatch.setenv("SLURM_RESTART_COUNT", restarts)
        assert Leases(tmp_path, myself()).take(cell).ours is ours


def test_a_lease_of_an_earlier_version_is_heeded(cell: Cell, tmp_path: Path) -> None:
    """While its owner lives nobody else has the cell; then it is followed, and goes."""
    clock, home = Clock(), store.cell_path(tmp_path, cell)
    leases = Leases(tmp_path, myself(), clock)
    write(tmp_path, cell, foreign(), n=0)
    assert not leases.take(cell).ours
    clock.now = 61
    assert leases.take(cell).ours
    (home / "record.json").touch()
    leases.release(cell)

    assert [path.name for path in home.iterdir()] == ["record.json"]
    assert not (tmp_path / "leases").exists()


def test_a_cell_without_a_record_keeps_its_count(cell: Cell, tmp_path: Path) -> None:
    """So that a listing that is late never leads to a number that was used."""
    home = store.cell_path(tmp_path, cell)
    home.mkdir(parents=True)
    for n in (1, 2, 3):
        leases = Leases(tmp_path, myself())
        assert leases.take(cell).ours
        leases.release(cell)
        assert (LeaseFolder(home).top()[0], holder(home)) == (n, "")


def test_what_follows_a_number_that_was_begun_anew_is_given_up(
    cell: Cell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between our look and our link the cell was recorded, and another run has it anew."""
    write(tmp_path, cell, myself().model_copy(update={"began": "1"}))
    claim = LeaseFolder.claim

    def late(self: LeaseFolder, n: int, content: str) -> bool:
        write(tmp_path, cell, foreign())
        return claim(self, n, content)

    monkeypatch.setattr(LeaseFolder, "claim", late)

    assert not Leases(tmp_path, myself()).take(cell).ours
    assert holder(store.cell_path(tmp_path, cell)) == str(foreign())
