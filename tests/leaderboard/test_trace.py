"""From a printed number to the files and the command that made it."""

import io
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from statistics import fmean

import pandas as pd
import pytest

from bench.leaderboard.cell_trace import CellTrace
from bench.leaderboard.columns.selection import column
from bench.leaderboard.ranking import rank
from bench.leaderboard.trace import RowTrace, trace_target
from bench.results import cell_folders, store
from bench.results.cell_state import CellStates
from bench.spec.cell_status import CellStatus

Ask = Callable[..., tuple[int, str, str]]


def rows(target: str, words: list[str], root: Path) -> list[RowTrace]:
    found = trace_target(target, words, root)
    assert isinstance(found, list)
    return found


def test_every_number_is_the_mean_of_its_column(measured: Path) -> None:
    """What a row prints is the mean of the values that its trail names, in files that are there."""
    plan = store.find_plan(measured, "tiny")
    board = rank(plan, CellStates(measured, plan.possible).records(stale=False))
    found = {row.row.label: row for row in rows("tiny", [], measured)}

    assert set(found) == {"ste", "reste"}
    for line in board.sections[0].measured:
        row = found[line.label]
        for name in ("acc", "best", "difference", "e", "s", "images_per_s"):
            values = [s.values[name] for s in row.seeds if name in s.values]
            assert column(name).number(line) == (fmean(values) if values else None), name
        for seed, trail in zip(row.seeds, row.cells, strict=True):
            record = json.loads(Path(trail.record).read_text(encoding="utf-8"))
            assert seed.cell == trail.id
            assert record["curves"]["test_acc"][-1] == seed.values["acc"]
            assert record["provenance"]["command"] == "bench run tiny.yaml"
            assert trail.processes[-1]["command"] == "bench run tiny.yaml"
    assert [s.values["acc"] for s in found["reste"].baseline] == [
        s.values["acc"] for s in found["ste"].seeds
    ]


def test_a_cell_leads_to_all_its_files(measured: Path, tmp_path: Path) -> None:
    """Every file of a cell's folder is named, and the journals and rows that mention the cell."""
    root = tmp_path / "results"
    shutil.copytree(measured, root)
    (home,) = (root / "cells").glob("ste-*")
    cell_id = home.name[-12:]
    (home / "checkpoints" / "1-2").mkdir(parents=True)
    (home / "checkpoints" / "1-2" / "state.pt").write_bytes(b"x")
    (home / "notes.txt").write_text("mine", encoding="utf-8")
    (root / "events").mkdir()
    journal = root / "events" / "a.jsonl"
    journal.write_text(f'{{"cell": "{cell_id}"}}\n{{}}\n{{"cell": "{cell_id}"}}\n', "utf-8")
    (root / "events" / "b.jsonl").write_text("{}\n", encoding="utf-8")
    os.mkfifo(root / "events" / "c.jsonl")
    found = trace_target(cell_id, [], root)

    assert isinstance(found, CellTrace)
    named = {found.record, found.log, *found.weights, *found.checkpoints, *found.others}
    assert named == {str(path) for path in home.rglob("*") if path.is_file()}
    assert found.checkpoints == [str(home / "checkpoints" / "1-2" / "state.pt")]
    assert found.others == [str(home / "notes.txt")]
    assert found.journals == {str(journal): 2}
    assert found.rows == ["tiny ste resnet20 1/1"]
    record = cell_folders.find_record(root, "ste-")
    assert found.weights[str(home / "last.safetensors")] == record.weights_digest


def test_a_lost_seed_says_why(measured: Path, tmp_path: Path) -> None:
    """A row whose cell failed, and one whose cell is gone, are traced with what there is."""
    root = tmp_path / "results"
    shutil.copytree(measured, root)
    record = cell_folders.find_record(root, "reste-")
    failed = record.model_copy(
        update={"status": CellStatus.FAILED, "reason": "OSError: x", "curves": {}}
    )
    store.save_record(root, failed)
    shutil.rmtree(next((root / "cells").glob("ste-*")))
    (ste,) = rows("tiny", ["ste"], root)
    (reste,) = rows("tiny", ["reste", "1/1"], root)

    assert (ste.seeds[0].state, ste.cells[0].state) == ("no record", "no record")
    assert (ste.row.seeds.missing, ste.cells[0].record) == (1, "")
    assert reste.seeds[0].values == {}
    assert reste.cells[0].state == "failed: OSError: x"
    assert reste.row.seeds.lost == {"failed: OSError: x": 1}


@pytest.fixture
def stale(measured: Path, tmp_path: Path) -> tuple[Path, str]:
    """A folder in which the record of ste is of other code, and that record's id."""
    root = Path(shutil.copytree(measured, tmp_path / "results"))
    record = cell_folders.find_record(root, "ste-")
    numerics = record.cell.numerics | {"bench/trainer.py": "0" * 16}
    old = record.cell.model_copy(update={"numerics": numerics})
    store.cell_path(root, record.cell).rename(store.cell_path(root, old))
    store.save_record(root, record.model_copy(update={"cell": old}))
    return root, old.id


def test_stale_rows_are_marked(stale: tuple[Path, str], ask: Ask) -> None:
    """Used or not, they say why, and name the id that is on disk, in trace, table and CSV."""
    root, old = stale
    why = "1 of 1 seed, bench/trainer.py changed"
    _, out, _ = ask("trace", "tiny", "ste", "--results", root, "--allow-stale")
    assert "tiny: ste (stale), resnet20" in out
    assert f"{old} (stale)" in out
    assert f"stale: {why}" in out
    _, out, _ = ask("trace", "tiny", "ste", "--results", root)
    assert f"stale, not used without --allow-stale: {why}" in out
    assert f"{old}  stale: bench/trainer.py changed" in out
    assert "missing" not in out
    for words, told in (((), "0,1,bench/trainer"), (("--allow-stale",), "1,0,bench/trainer")):
        board = ask("leaderboard", "tiny", "--results", root, "--format", "md", *words)[1]
        csv = ask("leaderboard", "tiny", "--results", root, "--format", "csv", *words)[1]
        frame = pd.read_csv(io.StringIO(csv)).set_index("label")
        row = frame.loc["ste", ["stale", "unused", "stale_reasons", "missing", "cells"]]
        assert ",".join(map(str, row)) == f"{told}.py changed,0,{old}"
        (line,) = [line for line in board.splitlines() if "| ste " in line]
        assert ("ste (stale)" in line, "| stale |" in line) == (bool(words), not words)


def test_a_damaged_record_is_named(measured: Path, ask: Ask, tmp_path: Path) -> None:
    """Cut short or edited, the file is named with what is wrong and what to do."""
    root = Path(shutil.copytree(measured, tmp_path / "results"))
    (path,) = (root / "cells").glob("ste-*/record.json")
    text = path.read_text(encoding="utf-8")
    hint = "`bench run` measures its cell again and keeps the file"
    for content, why in ((text[:99], "is damaged: "), (text.replace("0.1", "0.2"), "was changed")):
        path.write_text(content, encoding="utf-8")
        _, out, _ = ask("leaderboard", "tiny", "--results", root, "--format", "md")
        assert any(f"`{path}`" in line and why in line and hint in line for line in md(out))
        _, _, err = ask("leaderboard", "tiny", "--results", root, "--format", "csv")
        assert f"note: `{path}` {why}" in err
        _, out, _ = ask("trace", "tiny", "ste", "--results", root)
        assert f"`{path}` {why}" in out


def md(text: str) -> list[str]:
    """Lines of Markdown without its escapes."""
    return text.replace("\\", "").splitlines()


def test_trace_prints(measured: Path, ask: Ask, tmp_path: Path) -> None:
    """Numbers and trail for people, everything as JSON, and nothing that commands a terminal."""
    code, out, err = ask("trace", "tiny.yaml", "reste", "resnet20", "--results", measured)
    assert (code, err) == (0, "")
    acc = f"{100 * (cell_folders.find_record(measured, 'reste-').last_acc or 0):.2f}"
    assert acc in out
    for word in ("command  bench run tiny.yaml", "record.json", "log.txt", "last.safetensors", "Δ"):
        assert word in out
    told = json.loads(ask("trace", "tiny", "--results", measured, "--format", "json")[1])
    assert {row["line"]["label"] for row in told} == {"ste", "reste"}
    root = tmp_path / "results"
    shutil.copytree(measured, root)
    record = cell_folders.find_record(root, "reste-")
    store.save_record(
        root, record.model_copy(update={"status": CellStatus.FAILED, "reason": "\x1b[2J"})
    )
    code, out, _ = ask("trace", "reste-", "--results", root)
    assert code == 0
    assert "\x1b" not in out


def test_overrides_are_part_of_a_suites_name(measured: Path, tmp_path: Path) -> None:
    """A suite that ran with overrides is found by them, as for the leaderboard, or by its name."""
    root = tmp_path / "results"
    shutil.copytree(measured, root)
    plan = store.find_plan(root, "tiny").model_copy(update={"suite": "tiny@train.epochs=2"})
    store.save_plan(root, plan)

    for target, words in (
        ("tiny", ["train.epochs=2", "ste"]),
        ("tiny.yaml", ["ste", "train.epochs=2"]),
        ("tiny@train.epochs=2", ["ste"]),
    ):
        (row,) = rows(target, words, root)
        assert (row.suite, row.row.label) == ("tiny@train.epochs=2", "ste")


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("tinny",), "is called `tinny`; did you mean `tiny`?"),
        (("tinny", "ste"), "no suite `tinny` ran in"),
        (("tiny", "rest"), "no row of `tiny` is called `rest`; did you mean `reste`?"),
        (("tiny", "ste", "reste"), "no row of `tiny` is all of ste, reste"),
        (("resnet20",), "names 2 cells of"),
        (("ste-resnet20", "--results", "/nowhere"), "there is no such folder"),
    ],
)
def test_what_is_not_there_is_said(
    measured: Path, ask: Ask, args: tuple[str, ...], message: str
) -> None:
    """One line that names what is wrong and what is near; exit code 2."""
    code, _, err = ask("trace", "--results", measured, *args)

    assert code == 2
    assert message in err
    assert "Traceback" not in err
