"""Records and plans on disk: whole or not at all, found by cell, damage told apart."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from samples import cell, record

from bench.base.files import append_text, write_file
from bench.errors import EnvironmentProblem, UsageError
from bench.results import cell_folders, store
from bench.results.cell_folders import match_slugs
from bench.results.record import Record
from bench.spec.cell import CORE, Binarization, DataRef, Recipe, Ref
from bench.spec.plan import Plan, Row


def unsealed(found: Record | None) -> Record | None:
    """A record as it was before `store.save_record` sealed it."""
    return found and found.model_copy(update={"seal": ""})


def test_top5_of_a_record() -> None:
    """The last epoch's, and the best epoch's, which is chosen on top-1; old records have none."""
    curves = {"train_loss": [2.0, 1.0], "test_acc": [0.6, 0.5], "test_top5": [0.8, 0.9]}
    known = record(curves=curves | {"lr": [0.1, 0.05]})

    assert (known.last_top5, known.best_top5) == (0.9, 0.8)
    assert (record().last_top5, record().best_top5) == (None, None)
    lost = record(curves=curves, status="diverged")
    assert (lost.last_top5, lost.best_top5) == (None, None)


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"core": CORE + 1},
        {"weights": None, "activations": None},
        {"activations": None},
        {"weights": Ref(name="ste", version=2, params={"clip": 1.0})},
        {"weights": Ref(name="ste", params={"clip": 1.5})},
        {"backbone": Ref(name="resnet20", params={"width": 16})},
        {"data": DataRef(name="digits", fingerprint="1" * 16)},
        {"binarization": Binarization(sign0=1)},
        {"recipe": Recipe(epochs=3)},
        {"weights": Ref(name="ste", params={"clip": 1.0}, source="0" * 16)},
        {"numerics": {"bench/data.py": "0" * 16}},
    ],
)
def test_the_id_covers_the_cell(change: dict[str, object]) -> None:
    """Two cells that differ anywhere have different ids."""
    assert cell(**change).id != cell().id


def test_the_id_is_for_ever() -> None:
    """These ids never change: others would orphan every record, those without digests, too."""
    ref = Ref(name="ste", params={"clip": 1.0}, source="0123456789abcdef")

    assert cell().id == "7266184cccb3"
    assert cell(weights=ref, numerics={"bench/data.py": "0" * 16}).id == "c38781863d27"


def test_a_slug_is_a_file_name() -> None:
    """A cell's folder is readable, ends in its id, and cannot leave the results folder."""
    slug = cell(weights=Ref(name="../../x y")).slug

    assert cell().slug == f"ste-resnet20-w1a1-s0__{cell().id}"
    assert "/" not in slug
    assert slug.endswith(cell(weights=Ref(name="../../x y")).id)


@pytest.mark.parametrize("name", ["none-x", "full-precision-x", "full precision-x", "real-x"])
def test_full_precision_is_found_by_the_names_that_it_has(name: str) -> None:
    """In tables, suites and folders."""
    assert match_slugs(name, ["real-x-s0__0", "ste-x-s0__1"]) == ["real-x-s0__0"]


def test_a_record_comes_back_as_it_was(tmp_path: Path) -> None:
    """What is saved is found by its cell, equal in every field, infinities included."""
    clipped = cell(weights=Ref(name="ste", params={"clip": "Infinity"}))
    saved = record(clipped)
    store.save_record(tmp_path, saved)

    assert unsealed(store.find_record(tmp_path, clipped)) == saved
    assert store.find_record(tmp_path, cell()) is None
    assert unsealed(cell_folders.find_record(tmp_path, clipped.id)) == saved


def test_a_seal_shows_every_edit(tmp_path: Path) -> None:
    """A record is as it was written, or was edited since; layout is no edit, old ones have none."""
    path = store.save_record(
        tmp_path, record(cell(weights=Ref(name="ste", params={"clip": "Infinity"})))
    )
    text = path.read_text(encoding="utf-8")

    def told(content: str) -> bool | None:
        return store.seal_holds(Record.model_validate_json(content))

    assert told(text) is True
    assert told(json.dumps(json.loads(text), indent=3, sort_keys=True)) is True
    for old, new in (("0.6,0.5", "0.6,0.51"), ('"Infinity"', '"1"'), ('"ok"', '"failed"')):
        assert told(text.replace(old, new, 1)) is False
    without = {k: v for k, v in json.loads(text).items() if k not in {"seal", "earlier"}}
    assert told(json.dumps(without)) is None
    later = json.loads(text) | {"seal": store._seal(Record.model_validate(without))}  # pyright: ignore[reportPrivateUsage]
    del later["earlier"]
    assert told(json.dumps(later)) is True


@pytest.mark.parametrize("content", ["", "{", "[]", '{"schema_version": 9}', "\x00\xff"])
def test_a_damaged_record_is_no_record(tmp_path: Path, content: str) -> None:
    """A truncated or foreign record does not count as measured, and its name says damaged."""
    path = store.save_record(tmp_path, record())
    path.write_text(content, encoding="utf-8")

    assert store.find_record(tmp_path, cell()) is None
    with pytest.raises(UsageError, match="is damaged"):
        cell_folders.find_record(tmp_path, cell().id)


def test_a_pipe_is_no_record(tmp_path: Path) -> None:
    """Nobody waits for what it may say."""
    home = store.cell_path(tmp_path, cell())
    home.mkdir(parents=True)
    os.mkfifo(home / "record.json")

    with pytest.raises(UsageError, match="is no record: it is no file"):
        store.read_record(home / "record.json")
    assert store.find_record(tmp_path, cell()) is None


def test_a_changed_record_is_no_record(tmp_path: Path) -> None:
    """An edit by hand breaks the seal: nobody uses the record, and it is set aside, never over."""
    path = store.save_record(tmp_path, record())
    text = path.read_text(encoding="utf-8").replace("0.6,0.5", "0.6,0.999", 1)
    for name in ("record.json.damaged", "record.json.damaged-2"):
        path.write_text(text, encoding="utf-8")
        assert store.find_record(tmp_path, cell()) is None
        with pytest.raises(UsageError, match="its record was changed after it was written"):
            cell_folders.find_record(tmp_path, cell().id)
        assert store.set_record_aside(tmp_path, cell()) == path.with_name(name)
    store.save_record(tmp_path, record())
    assert store.set_record_aside(tmp_path, cell()) is None
    assert path.with_name("record.json.damaged").read_text(encoding="utf-8") == text


def test_a_disk_that_does_not_answer_makes_no_record_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A record that cannot be read now is an error, and stays where it is."""
    path = store.save_record(tmp_path, record())

    def fail(_: Path) -> bytes:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", fail)
        for ask in (store.find_record, store.set_record_aside):
            with pytest.raises(EnvironmentProblem, match=r"cannot read `.*json`: Input/output"):
                ask(tmp_path, cell())
        with pytest.raises(EnvironmentProblem, match="Input/output"):
            cell_folders.read_folders(tmp_path)
    assert [*path.parent.iterdir()] == [path]


def test_a_folder_named_by_an_older_version_is_read(tmp_path: Path) -> None:
    """Its id is not the cell's, its name is: the record is the cell's all the same."""
    home = store.save_record(tmp_path, record()).parent
    home.rename(home.with_name(f"{cell().name}__0123456789ab"))

    assert unsealed(cell_folders.find_record(tmp_path, "0123456789ab")) == record()


def test_a_file_is_on_disk_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder is synced after the rename; one that cannot be is no error, a failing disk is."""
    fsync, told = os.fsync, list[bool]()

    def note(handle: int) -> None:
        folder = Path(f"/proc/self/fd/{handle}").readlink() == tmp_path
        told.append(folder and (tmp_path / "x").exists())
        if folder and wrong:
            raise OSError(wrong, os.strerror(wrong))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", note)
    wrong = 0
    write_file(tmp_path / "x", "")
    assert told == [False, True]
    wrong = errno.EINVAL
    write_file(tmp_path / "x", "")
    wrong = errno.EIO
    with pytest.raises(EnvironmentProblem, match="Input/output"):
        write_file(tmp_path / "x", "")


def test_a_record_of_another_cell_is_no_record(tmp_path: Path) -> None:
    """A record that was copied into the wrong folder does not count."""
    wrong = store.cell_path(tmp_path, cell()) / "record.json"
    write_file(wrong, record(cell(seed=5)).model_dump_json())

    assert store.find_record(tmp_path, cell()) is None


def test_an_ambiguous_name_lists_what_it_names(tmp_path: Path) -> None:
    """A name that fits several cells, or none, is an error that lists them."""
    for seed in (0, 1):
        store.save_record(tmp_path, record(cell(seed=seed)))

    with pytest.raises(UsageError, match=r"`ste` names 2 cells of.*ste-resnet20-w1a1-s0__"):
        cell_folders.find_record(tmp_path, "ste")
    with pytest.raises(UsageError, match=r"no cell of `.*` is called `nothing`"):
        cell_folders.find_record(tmp_path, "nothing")


def test_nothing_is_written_outside(tmp_path: Path) -> None:
    """A link out of the results folder and a name with slashes or dots are refused by name."""
    root, outside = tmp_path / "results", tmp_path / "outside"
    outside.mkdir()
    home = store.cell_path(root, cell())
    home.parent.mkdir(parents=True)
    home.symlink_to(outside)
    (root / "suites").mkdir()
    (root / "suites" / "away").symlink_to(outside)

    with pytest.raises(EnvironmentProblem, match=r"leads out of the results folder, to `.*outside"):
        store.save_record(root, record())
    with pytest.raises(EnvironmentProblem, match="leads out"):
        store.find_record(root, cell())
    for name in ("away", "../../x", "..", "", "/etc", "a/b"):
        with pytest.raises(EnvironmentProblem, match="leads out of the results folder"):
            store.suite_path(root, name)
    assert list(outside.iterdir()) == []


def test_a_log_is_no_link(tmp_path: Path) -> None:
    """Text is never added to what a link in a cell's folder leads to."""
    (tmp_path / "secret").write_text("mine", encoding="utf-8")
    (tmp_path / "log.txt").symlink_to(tmp_path / "secret")

    with pytest.raises(EnvironmentProblem, match=r"cannot write `.*log\.txt`"):
        append_text(tmp_path / "log.txt", "more")
    assert (tmp_path / "secret").read_text(encoding="utf-8") == "mine"


def test_a_results_folder_may_be_a_link(tmp_path: Path) -> None:
    """Only what leads out of it is refused, not the way to it."""
    (tmp_path / "disk").mkdir()
    (tmp_path / "results").symlink_to(tmp_path / "disk")
    store.save_record(tmp_path / "results", record())

    assert store.find_record(tmp_path / "disk", cell()) is not None


def test_a_plan_that_names_another_suite_is_refused(tmp_path: Path) -> None:
    """A plan.json whose suite would lead elsewhere is not read as this suite's."""
    row = Row(
        label="ste", backbone="resnet20", wa="1/1", schedule="default", net="resnet20",
        data="digits", classes=10, roles={}, cells=[record().cell],
    )  # fmt: skip
    plan = Plan(suite="../../x", source="s", source_digest="0", baseline=None, rows=[row])
    write_file(store.suite_path(tmp_path, "mine") / "plan.json", plan.model_dump_json())

    with pytest.raises(UsageError, match=r"is the plan of `\.\./\.\./x`; `bench run` makes it"):
        store.find_plan(tmp_path, "mine")


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """A file where a folder should be: one error that names the path, and no debris."""
    (tmp_path / "cells").write_text("in the way", encoding="utf-8")

    with pytest.raises(EnvironmentProblem, match=r"cannot write `.*record\.json`"):
        store.save_record(tmp_path, record())
    assert [p.name for p in tmp_path.iterdir()] == ["cells"]


def test_a_full_disk_leaves_the_old_record(tmp_path: Path) -> None:
    """Without room for the new record the old one stays whole."""
    store.save_record(tmp_path, record())
    script = f"""
import resource, signal
from pathlib import Path
from bench.base.files import write_file
from bench.errors import EnvironmentProblem
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64))
try:
    write_file(Path({str(store.cell_path(tmp_path, cell()) / "record.json")!r}), "x" * 10_000)
except EnvironmentProblem as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert "cannot write" in done.stdout
    assert unsealed(store.find_record(tmp_path, cell())) == record()
    assert len(list(store.cell_path(tmp_path, cell()).iterdir())) == 1


def test_records_are_strict_json(tmp_path: Path) -> None:
    """No NaN and no Infinity stands on disk as a number."""
    text = store.save_record(tmp_path, record()).read_text(encoding="utf-8")

    json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} in a record"))
    with pytest.raises(ValueError, match="finite"):
        record(images_per_s=float("nan"))
