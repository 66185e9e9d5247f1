"""What goes to nodes that see no results folder and comes back: all of it, and nothing else."""

import os
from collections.abc import Iterable
from pathlib import Path

import pytest
from samples import WEIGHTS, cell, record

from bench.base.files import write_file
from bench.errors import EnvironmentProblem, UsageError
from bench.execution import journal
from bench.fleet import job_ends
from bench.fleet.batch import Batch, load_batch
from bench.fleet.ray import transfer
from bench.fleet.ray.ray_messages import Sent
from bench.fleet.ray.ray_node import Outgoing
from bench.fleet.ray.transfers import Transfers
from bench.results import lease, store
from bench.results.record import EngineJob, Record
from bench.spec.cell import Cell
from bench.train.weights import digest

CELL = cell()
PARENT = cell(weights=None, activations=None)
CHILD = cell(start={"cell": PARENT.model_dump()})


def make_batch(root: Path, *cells: Cell, **more: object) -> Batch:
    """A batch of cells of the results folder `root`."""
    named = cells or (CELL,)
    entries = journal.entries(named, {each.id: each.name for each in named})
    fields: dict[str, object] = {"data": root, "checkpoint_s": 60, "submission": "1"}
    return Batch(root=root, suite="s", cells=[*named], entries=entries, **(fields | more))  # type: ignore[arg-type]


def checkpoints(root: Path, *names: str, of: Cell = CELL) -> Path:
    """Write checkpoints that only their names tell apart; returns the folder that holds them."""
    folder = store.cell_path(root, of) / "checkpoints"
    for name in names:
        write_file(folder / name / "progress.json", name)
    return folder


def measured(root: Path, of: Cell = CELL, **more: object) -> Record:
    """Write a record, and the weights that it tells of."""
    store.save_weights(store.weights_path(root, of, "last"), WEIGHTS)
    store.save_record(root, record(of, weights_digest=digest(WEIGHTS), **more))
    found = store.find_record(root, of)
    assert found
    return found


def failure(of: Cell = CELL) -> Record:
    return record(of, status="failed", reason="why", curves={}, best_epoch=None)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def bring(here: Path, there: Path, of: Cell = CELL, before: Iterable[Record] = ()) -> list[str]:
    """Pack the cell in the results folder `there`, and land it in `here`."""
    seals = {old.cell.id: old.seal for old in before}
    batch = make_batch(there, of, before=seals)
    return Transfers(here).land(batch, transfer.pack_results(batch.cells, there))


def test_a_result_lands_whole(tmp_path: Path) -> None:
    """Record, weights and log are those of the node, byte for byte; checkpoints here are gone."""
    here, there = tmp_path / "here", tmp_path / "there"
    checkpoints(here, "000001-00000000")
    measured(there)
    write_file(store.cell_path(there, CELL) / "log.txt", "a line\n")

    assert bring(here, there) == []
    ours, theirs = (store.cell_path(root, CELL) for root in (here, there))
    assert names(ours) == names(theirs) == ["last.safetensors", "log.txt", "record.json"]
    for name in names(ours):
        assert (ours / name).read_bytes() == (theirs / name).read_bytes()
    assert sorted(set(names(here)) - {".lock"}) == ["cells"]


def test_a_newer_checkpoint_takes_an_older_ones_place(tmp_path: Path) -> None:
    """The two newest are kept; one that is older than ours stays behind, and so does a half one."""
    here, there = tmp_path / "here", tmp_path / "there"
    folder = checkpoints(here, "000001-00000000", "000002-00000000")
    checkpoints(there, "000003-00000004", ".part")
    assert bring(here, there) == []
    assert names(folder) == ["000002-00000000", "000003-00000004"]

    other = tmp_path / "other"
    checkpoints(other, "000001-00000000", "000003-00000004")
    assert bring(here, other) == []
    assert names(folder) == ["000002-00000000", "000003-00000004"]


def test_a_failure_leaves_its_checkpoints(tmp_path: Path) -> None:
    """They come with its record, for the next try to go on from."""
    here, there = tmp_path / "here", tmp_path / "there"
    folder = checkpoints(here, "000001-00000000")
    checkpoints(there, "000002-00000000")
    store.save_record(there, failure())

    assert bring(here, there) == []
    found = store.find_record(here, CELL)
    assert found
    assert found.reason == "why"
    assert names(folder) == ["000001-00000000", "000002-00000000"]


def test_what_was_measured_meanwhile_stays(tmp_path: Path) -> None:
    """It is said; but a record that was to be measured again goes to the attic."""
    here, there = tmp_path / "here", tmp_path / "there"
    old = measured(here)
    measured(there, images_per_s=7.0)

    assert bring(here, there) == [f"{CELL.slug}: it was measured here meanwhile"]
    assert store.find_record(here, CELL) == old
    assert bring(here, there, before=[old]) == []
    assert store.find_record(here, CELL) == store.find_record(there, CELL)
    (kept,) = names(here / "attic")
    assert store.read_record(here / "attic" / kept / "record.json") == old


def test_what_is_not_as_it_says_stays_behind(tmp_path: Path) -> None:
    """Weights of other digests, cells that nobody asked for, records of others; it is all said."""
    here, there = tmp_path / "here", tmp_path / "there"
    measured(there)
    store.save_weights(store.weights_path(there, CELL, "last"), {"w": WEIGHTS["w"] + 1})
    (problem,) = bring(here, there)
    assert "is not what was recorded" in problem
    assert names(store.cell_path(here, CELL)) == ["record.json"]

    batch = make_batch(there, cell(seed=1))
    content = transfer.pack_results([CELL], there)
    assert Transfers(here).land(batch, content) == [f"{CELL.slug}: nobody asked for it"]
    store.cell_path(there, CELL).rename(store.cell_path(there, PARENT))
    assert bring(here, there, PARENT) == [f"{PARENT.slug}: its record is that of `{CELL.slug}`"]
    with pytest.raises(UsageError, match="cut short, damaged, or no gzipped file"):
        Transfers(here).land(batch, content[: len(content) // 2])


def test_a_cell_is_leased_while_a_node_has_it(tmp_path: Path) -> None:
    """Another run does not get it, nor is it sent where another has it; what is over is not."""
    root = tmp_path / "here"
    mine, batch = Transfers(root), make_batch(root)
    sent, others = mine.send(batch)
    assert sent
    assert others == ""
    other = Transfers(root)
    sent, others = other.send(batch)
    assert sent is None
    assert others == f"{CELL.slug}: {mine.owner} has it"
    (problem,) = other.land(batch, _packed(tmp_path / "late", batch))
    assert problem.startswith(f"{CELL.slug}: {mine.owner} has this cell")
    assert mine.land(batch, _packed(tmp_path / "there", batch)) == []
    mine.release(batch.cells)

    assert not lease.held(root)
    assert other.send(batch) == (None, "")
    assert not lease.held(root)


def _packed(there: Path, batch: Batch) -> bytes:
    measured(there)
    return transfer.pack_results(batch.cells, there)


def test_a_node_is_given_what_its_cells_need(tmp_path: Path) -> None:
    """Checkpoints and logs, parents with their weights, local plugins, how jobs ended before."""
    root, node = tmp_path / "here", tmp_path / "node"
    measured(root, PARENT)
    checkpoints(root, "000001-00000000", of=CHILD)
    write_file(store.cell_path(root, CHILD) / "log.txt", "so far\n")
    store.save_record(root, failure(CHILD))
    write_file(tmp_path / "estimators" / "mine.py", "x = 1\n")
    write_file(tmp_path / "estimators" / "__pycache__" / "mine.pyc", b"")
    job_ends.note_end(root, "1", EngineJob(engine="ray", job="7", end="NODE_FAIL"))
    batch = make_batch(root, CHILD, plugins=[tmp_path / "estimators"])
    node.mkdir()

    there = load_batch(transfer.unpack(transfer.pack(batch, root), node))
    assert there.cells == batch.cells
    assert there.root.is_relative_to(node)
    assert names(store.cell_path(there.root, CHILD)) == ["checkpoints", "log.txt"]
    assert names(store.cell_path(there.root, PARENT)) == ["last.safetensors", "record.json"]
    assert store.find_record(there.root, PARENT) == store.find_record(root, PARENT)
    (plugins,) = there.plugins
    assert plugins.is_relative_to(node)
    assert names(plugins) == ["mine.py"]
    ends = [job_ends.ends_path(each, "1").read_bytes() for each in (root, there.root)]
    assert ends[0] == ends[1]


def test_plugins_that_are_too_large_do_not_travel(tmp_path: Path) -> None:
    """It is said which folder, before anything is sent."""
    folder = tmp_path / "estimators"
    folder.mkdir()
    os.truncate(os.open(folder / "data.bin", os.O_CREAT | os.O_WRONLY), transfer.PLUGIN_BYTES + 1)
    with pytest.raises(EnvironmentProblem, match="holds more than 64 MiB"):
        transfer.pack(make_batch(tmp_path, plugins=[folder]), tmp_path)


def test_a_cell_is_sent_when_it_is_done(tmp_path: Path) -> None:
    """A batch that dies later loses nothing of it; what was sent is not sent again."""
    here, there = tmp_path / "here", tmp_path / "there"
    batch = make_batch(there, CELL, cell(seed=1))
    outgoing, transfers = Outgoing(batch), Transfers(here)
    assert list(outgoing.news()) == []
    checkpoints(there, "000001-00000000")
    (sent,) = outgoing.news()
    assert isinstance(sent, Sent)
    assert transfers.land(batch, sent.cells) == []
    assert list(outgoing.news()) == []
    measured(there)
    (sent,) = outgoing.news()
    assert isinstance(sent, Sent)
    assert transfers.land(batch, sent.cells) == []
    assert store.find_record(here, CELL) == store.find_record(there, CELL)
    assert list(outgoing.news()) == []

    write_file(store.cell_path(there, batch.cells[1]) / "log.txt", "so far\n")
    assert transfers.land(batch, outgoing.results()) == []
    assert names(store.cell_path(here, batch.cells[1])) == ["log.txt"]


def test_journals_come_home(tmp_path: Path) -> None:
    """Their first line names the folder here; a name that leads elsewhere is nobody's journal."""
    there, here = tmp_path / "there", tmp_path / "here"
    batch = make_batch(there)
    with journal.JournalWriter(there, "s", batch.entries, ["run"], submission="1") as writer:
        pass
    name = writer.path.relative_to(there).as_posix()
    lines = writer.path.read_bytes().splitlines(keepends=True)
    transfers = Transfers(here)
    for line in lines:
        transfers.write_journal(name, line)
    for evil in ("../events/a.jsonl", "events/../../a.jsonl", "jobs/../events/a.jsonl", "a.jsonl"):
        transfers.write_journal(evil, b"x")

    (read,) = journal.journals(here, "1")
    list(read.read())
    assert read.header
    assert (read.header.root, read.over) == (str(here), "done")
    assert list(tmp_path.rglob("a.jsonl")) == []
