"""Results joined: whole or not at all, nothing of ours lost, nothing written outside."""

import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from samples import cell, record

from bench.base.files import write_file
from bench.errors import EnvironmentProblem, UsageError
from bench.results import lease, merge, store
from bench.results.merge import MergeResult, Prefer
from bench.results.record import Record

Ask = Callable[..., tuple[int, str, str]]
OTHER = {"train_loss": [2.0, 1.0], "test_acc": [0.6, 0.7], "lr": [0.1, 0.05]}


def folder(root: Path, *records: Record) -> Path:
    (root / "cells").mkdir(parents=True, exist_ok=True)
    for one in records:
        path = store.save_record(root, one)
        path.with_name("log.txt").write_text(f"{root.name}\n", encoding="utf-8")
    return root


def join(a: Path, b: Path, prefer: Prefer | None = None, *, dry: bool = False) -> list[MergeResult]:
    return list(merge.merge_into(a, b, prefer, dry=dry))


def files(root: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(root)): p.read_bytes()
        for p in root.rglob("*")
        if p.is_file() and p.parent.name != "receipts"  # records hold theirs
    }


def test_archives_and_folders_land_alike(measured: Path, ask: Ask, tmp_path: Path) -> None:
    """A folder, its archive, and an archive without weights followed by one with them."""
    for name, options in (("all", ()), ("bare", ("--no-weights",))):
        path = tmp_path / f"{name}.tar.gz"
        assert ask("export", "-o", path, "--results", measured, *options)[0] == 0
    for number, sources in enumerate((["all"], ["bare", "all"], [])):
        root = tmp_path / str(number)
        paths = [tmp_path / f"{name}.tar.gz" for name in sources] or [measured]
        code, out, err = ask("merge", *paths, "--into", root)
        assert (code, err) == (0, ""), out + err
        assert files(root) == files(measured)
        assert {p.name for p in root.iterdir()} == {"cells", "suites"}
        code, out, _ = ask("merge", *paths[-1:], "--into", root)
        assert (code, out.splitlines()) == (0, [f"{root}: 3 equal"])


def test_dry_run_changes_nothing(measured: Path, ask: Ask, tmp_path: Path) -> None:
    """It says what would happen, and does not even make the folder."""
    root = tmp_path / "results"
    code, out, _ = ask("merge", measured, "--into", root, "--dry-run")

    assert ask("merge", measured, "--results", root, "--dry-run")[1] == out
    assert code == 0
    assert "3 new; nothing was changed" in out
    assert not root.exists()


def test_a_measurement_replaces_a_failure(tmp_path: Path) -> None:
    """Not the other way round; what gives way is in the attic, log and all."""
    failed = record(status="failed", reason="OSError: x", curves={})
    ours = folder(tmp_path / "ours", failed)
    theirs = folder(tmp_path / "theirs", record())
    kept = files(ours / "cells")
    (step,) = join(theirs, ours)
    assert (step.kind, step.settled) == ("replaced", True)
    assert store.find_record(ours, cell()) == store.find_record(theirs, cell())
    (attic,) = (ours / "attic").iterdir()
    assert attic.name.startswith(f"{cell().slug}@")
    assert files(attic) == {Path(name).name: content for name, content in kept.items()}

    (step,) = join(folder(tmp_path / "failed", failed), ours)
    assert (step.kind, step.settled) == ("kept", True)
    assert store.find_record(ours, cell()) == store.find_record(theirs, cell())


@pytest.mark.parametrize("dry", [True, False])
def test_what_a_run_has_is_not_replaced(tmp_path: Path, dry: bool) -> None:
    """A failure that a run tries again keeps its folder, whoever has measured it elsewhere."""
    ours = folder(tmp_path / "ours", record(status="failed", reason="OSError: x", curves={}))
    theirs = folder(tmp_path / "theirs", record())
    write_file(store.cell_path(ours, cell()) / "lease.json", "{}")
    before = files(ours)
    (step,) = join(theirs, ours, "theirs", dry=dry)

    assert (step.kind, "has this cell; wait" in step.text) == ("refused", True)
    assert files(ours) == before


def test_what_a_run_ended_meanwhile_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the decision and the move the cell was measured here: that is left alone."""
    ours = folder(tmp_path / "ours", record(status="failed", reason="OSError: x", curves={}))
    theirs = folder(tmp_path / "theirs", record())
    idle = lease.idle

    def late(root: Path, home: Path) -> AbstractContextManager[None]:
        if home.parent.name == "cells":
            store.save_record(root, record(curves=OTHER))
        return idle(root, home)

    monkeypatch.setattr(lease, "idle", late)
    (step,) = join(theirs, ours)

    assert step.kind == "conflict"
    assert not (ours / "attic").exists()


def test_conflicts_are_left_alone(tmp_path: Path, ask: Ask) -> None:
    """Two outcomes of one cell: both provenances are said, and nothing is changed, exit code 3."""
    ours = folder(tmp_path / "ours", record())
    theirs = folder(tmp_path / "theirs", record(curves=OTHER))
    before = files(ours)
    code, out, _ = ask("merge", theirs, "--into", ours)

    assert code == 3
    assert "test_acc from epoch 2 0.5 / 0.7" in out
    assert "ours 50.00 % (h, cpu, 1 thread, torch 2, commit c" in out
    assert "theirs 70.00 % (h, cpu" in out
    assert "; nothing was changed: --prefer ours or --prefer theirs" in out
    assert files(ours) == before


def test_conflicts_are_settled_by_word(tmp_path: Path) -> None:
    """--prefer ours keeps, --prefer theirs replaces; the attic has what gave way, every time."""
    ours = folder(tmp_path / "ours", record())
    theirs = folder(tmp_path / "theirs", record(curves=OTHER))
    before = files(ours)
    (step,) = join(theirs, ours, "ours")
    assert (step.kind, step.settled) == ("kept", True)
    assert files(ours) == before
    (step,) = join(theirs, ours, "theirs", dry=True)
    assert files(ours) == before
    for turn in range(1, 4):
        (step,) = join(theirs if turn % 2 else tmp_path / "copy", ours, "theirs")
        assert (step.kind, step.settled) == ("replaced", True)
        if turn == 1:
            folder(tmp_path / "copy", record())
        assert len(list((ours / "attic").iterdir())) == turn
    assert store.find_record(ours, cell()) == store.find_record(theirs, cell())


@pytest.mark.parametrize("content", ["", "{", "\x00"])
def test_a_damaged_record_gives_way_and_none_lands(tmp_path: Path, content: str) -> None:
    """Ours goes to the attic for a sound one of theirs; theirs is refused, and the rest lands."""
    ours = folder(tmp_path / "ours", record())
    theirs = folder(tmp_path / "theirs", record(), record(cell(seed=1)))
    (ours / "cells" / cell().slug / "record.json").write_text(content, encoding="utf-8")
    (theirs / "cells" / cell(seed=1).slug / "record.json").write_text(content, encoding="utf-8")
    steps = {step.name: step for step in join(theirs, ours)}

    assert steps[cell().slug].kind == "replaced"
    assert steps[cell(seed=1).slug].kind == "refused"
    assert "is damaged" in steps[cell(seed=1).slug].text
    assert store.find_record(ours, cell())
    assert not (ours / "cells" / cell(seed=1).slug).exists()


def test_a_record_in_another_cells_folder_is_refused(tmp_path: Path) -> None:
    """The id is computed again; a folder's name proves nothing."""
    theirs = folder(tmp_path / "theirs", record())
    (theirs / "cells" / cell().slug).rename(theirs / "cells" / cell(seed=1).slug)
    (step,) = join(theirs, tmp_path / "ours")

    assert step.kind == "refused"
    assert step.text == f"its record is that of `{cell().slug}`"
    (home,) = (theirs / "cells").iterdir()
    home.rename(home.with_name(f"{cell().name}__0123456789ab"))
    (step,) = join(theirs, tmp_path / "ours")
    assert step.text == f"its record is that of `{cell().slug}`"


def test_unfinished_cells(tmp_path: Path) -> None:
    """Checkpoints land where there is nothing; what a run has is left to it."""
    theirs = folder(tmp_path / "theirs")
    home = theirs / "cells" / cell().slug
    (home / "checkpoints" / "1-5").mkdir(parents=True)
    (home / "checkpoints" / "1-5" / "state.pt").write_bytes(b"x")
    ours = tmp_path / "ours"
    (step,) = join(theirs, ours)
    assert step.kind == "new"
    assert files(ours) == {f"cells/{cell().slug}/checkpoints/1-5/state.pt": b"x"}
    (step,) = join(theirs, ours)
    assert step.kind == "kept"
    store.save_record(theirs, record())
    (ours / "cells" / cell().slug / "lease.json").write_text("{}", encoding="utf-8")
    (step,) = join(theirs, ours)
    assert (step.kind, "has this cell; wait" in step.text) == ("refused", True)
    (ours / "cells" / cell().slug / "lease.json").unlink()
    (step,) = join(theirs, ours)
    assert step.kind == "replaced"
    assert store.find_record(ours, cell())


@pytest.mark.parametrize("link", ["cells", "suites", "attic"])
def test_nothing_is_written_through_a_link(tmp_path: Path, link: str) -> None:
    """A link where results would go is refused, and so is one where a cell would."""
    theirs = folder(tmp_path / "theirs", record())
    outside = tmp_path / "outside"
    outside.mkdir()
    ours = folder(tmp_path / "ours")
    shutil.rmtree(ours / "cells")
    (ours / link).symlink_to(outside)
    with pytest.raises(UsageError, match=f"{link}` is a link"):
        join(theirs, ours)
    (ours / link).unlink()
    (ours / "cells").mkdir(exist_ok=True)
    (ours / "cells" / cell().slug).symlink_to(outside)
    (step,) = join(theirs, ours)

    assert step.kind == "refused"
    assert not list(outside.iterdir())


def test_links_in_a_source_do_not_travel(tmp_path: Path) -> None:
    """A folder that is lent to us cannot make us read other files."""
    theirs = folder(tmp_path / "theirs", record())
    secret = tmp_path / "secret"
    secret.write_text("secret", encoding="utf-8")
    (theirs / "cells" / cell().slug / "best.safetensors").symlink_to(secret)
    join(theirs, tmp_path / "ours")

    assert b"secret" not in files(tmp_path / "ours").values()


def test_suites(measured: Path, tmp_path: Path) -> None:
    """An equal plan is equal wherever its file lies; another is a conflict, and never lost."""
    ours = tmp_path / "ours"
    shutil.copytree(measured, ours)
    plan = store.find_plan(ours, "tiny")
    store.save_plan(
        ours, plan.model_copy(update={"source": "/elsewhere/tiny.yaml", "plugins": ["/x"]})
    )
    assert {step.kind for step in join(measured, ours)} == {"equal"}
    store.save_plan(ours, plan.model_copy(update={"baseline": None}))
    kinds = {prefer: join(measured, ours, prefer)[-1].kind for prefer in (None, "ours", "theirs")}

    assert kinds == {None: "conflict", "ours": "kept", "theirs": "replaced"}
    assert store.find_plan(ours, "tiny") == plan
    (attic,) = (ours / "attic").iterdir()
    assert '"baseline":null' in (attic / "plan.json").read_text(encoding="utf-8")


def test_a_damaged_plan_is_refused(measured: Path, tmp_path: Path) -> None:
    """Theirs stays behind, with what is wrong with it; a sound one of theirs replaces ours."""
    ours, theirs = (Path(shutil.copytree(measured, tmp_path / name)) for name in "ab")
    write_file(theirs / "suites" / "tiny" / "plan.json", "{")
    step = join(theirs, ours)[-1]
    assert (step.kind, step.name) == ("refused", "suites/tiny")
    assert step.text.startswith("its plan is damaged, or of another version")
    assert join(ours, theirs)[-1].kind == "replaced"
    (theirs / "suites" / "tiny").rename(theirs / "suites" / "other")
    assert join(theirs, ours)[-1].text.startswith("its plan is the plan of `tiny`")


def test_a_disk_that_fails_leaves_no_half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error on the way: one line, no half cell, no debris; a second try completes it."""
    theirs = folder(tmp_path / "theirs", record(), record(cell(seed=1)))
    ours = tmp_path / "ours"
    written: list[int] = []

    def fsync(handle: int) -> None:
        written.append(handle)
        if len(written) > 2:
            raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("bench.results.merge.os.fsync", fsync)
        with pytest.raises(EnvironmentProblem, match="No space left on device"):
            join(theirs, ours)
    assert [p.name for p in ours.iterdir()] == ["cells"]
    assert len(list((ours / "cells").iterdir())) == 1
    assert {step.kind for step in join(theirs, ours)} == {"equal", "new"}
    assert files(ours) == files(theirs)


def test_what_is_no_source(tmp_path: Path, ask: Ask) -> None:
    """Neither a file nor a folder of results."""
    for source, message in ((tmp_path / "gone", "expected an archive"), (tmp_path, "no folder")):
        code, _, err = ask("merge", source, "--into", tmp_path / "ours")
        assert (code, message in err) == (2, True)
