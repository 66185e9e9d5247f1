"""`bench submit` and `bench verify ARCHIVE`: what proves itself goes, and a lie is one line."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from samples import ORIGIN, made, record, row

from bench.cli import streams
from bench.errors import UsageError
from bench.results import archive, cell_folders, publication, store, submission, weight_files
from bench.results.record import Record
from bench.spec.plan import Plan, Properties
from bench.spec.published import read_ledger
from bench.train.verify import Measuring

Ask = Callable[..., tuple[int, str, str]]


@pytest.fixture
def root(measured: Path, tmp_path: Path) -> Path:
    """A copy that may be changed."""
    return Path(shutil.copytree(measured, tmp_path / "results"))


def sent(root: Path, path: Path) -> Path:
    """All of a results folder in an archive, as somebody would pack it who wants to lie."""
    files = [p for kind in ("cells", "suites") for p in (root / kind).rglob("*") if p.is_file()]
    archive.write_archive(path, [(p.relative_to(root).as_posix(), p) for p in files])
    return path


def test_what_is_submitted_is_said_and_verifies(
    root: Path, ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is published stands before the archive's name; its plan names no folder, its logs no
    secret; every cell is as recorded, and merges.
    """
    monkeypatch.setattr(streams.out, "width", 200)
    (log,) = (root / "cells").glob("ste-*/log.txt")
    log.write_text("epoch 1\nHF_TOKEN=abc hf_0123456789abcdef\n", encoding="utf-8")
    path = tmp_path / "mine.tar.gz"
    code, out, err = ask("submit", "tiny", "-o", path, "--results", root)
    verified = ask("verify", path, "--sample", "1", "--seed", "7", "--strict")
    merged = ask("merge", path, "--into", tmp_path / "board")
    (there,) = (tmp_path / "board" / "cells").glob("ste-*/log.txt")
    plan = store.find_plan(tmp_path / "board", "tiny")

    assert (code, err) == (0, "")
    for words in ("  cells       2 cells\n", "  weights     4 files, ", "  machines    ",
                  "  commands    bench run tiny.yaml\n"):  # fmt: skip
        assert words in out[: out.index("wrote")]
    assert out.endswith(f"check it: bench verify {path}\n")
    assert verified[0] == 0
    assert "2 cells, 1 plan: 3 as recorded; measured again: 1, drawn by --seed 7" in verified[1]
    assert len(re.findall(r", last \d", verified[1])) == 1
    assert merged[0] == 0
    assert there.read_text("utf-8") == "epoch 1\nHF_TOKEN=*** ***\n"
    assert (plan.source, plan.plugins) == ("tiny.yaml", [])


def edited(root: Path) -> str:
    (path,) = (root / "cells").glob("ste-*/record.json")
    told = json.loads(path.read_text())
    told["curves"]["test_acc"][-1] = 0.99
    path.write_text(json.dumps(told))
    return "ste-.*was changed after it was written: the seal is broken"


def resealed(root: Path) -> str:
    change(root, curves={"train_loss": [0.1], "test_acc": [0.99], "lr": [0.1]}, best_epoch=0)
    return r"ste-.*accuracy of the last weights is .*, the record says 99\.00 %"


def elsewhere(root: Path) -> str:
    resealed(root)
    change(root, provenance=ORIGIN.model_copy(update={"device": "A very large GPU"}))
    return r"ste-.*accuracy of the last weights is .*, the record says 99\.00 %"


def of_another_time(root: Path) -> str:
    resealed(root)
    cell = cell_folders.find_record(root, "ste-").cell
    (home,) = (root / "cells").glob("ste-*")
    other = cell.model_copy(update={"numerics": {"bench/nn/sign.py": "0" * 16}})
    shutil.move(home, home.with_name(other.slug))
    change(root, cell=other)
    return "ste-.*the last weights cannot be measured.*not checked: code .*bench/nn/sign.py changed"


def swapped(root: Path) -> str:
    (ste,), (reste,) = ((root / "cells").glob(name) for name in ("ste-*", "reste-*"))
    shutil.copy(reste / "last.safetensors", ste / "last.safetensors")
    return r"ste-.*last\.safetensors is not what was recorded"


def swapped_and_resealed(root: Path) -> str:
    swapped(root)
    (path,) = (root / "cells").glob("ste-*/last.safetensors")
    change(root, weights_digest=weight_files.digest_file(path))
    return "ste-.*accuracy of the last weights is "


def naming_code(root: Path) -> str:
    plan = store.find_plan(root, "tiny")
    store.save_plan(root, plan.model_copy(update={"plugins": ["/home/you/plugins"]}))
    return "suites/tiny: its plan names code, which is not run: /home/you/plugins"


def relabelled(root: Path) -> str:
    plan = store.find_plan(root, "tiny")
    rows = [one.model_copy(update={"label": "ede"}) for one in plan.rows[:1]]
    store.save_plan(root, plan.model_copy(update={"rows": [*rows, *plan.rows[1:]]}))
    return "suites/tiny: its row `ede` is of ste"


def said(root: Path, **fields: object) -> None:
    """Say something else of the estimator of the plan's first row, which is STE."""
    plan = store.find_plan(root, "tiny")
    first, *others = plan.rows
    roles = {role: info.model_copy(update=fields) for role, info in first.roles.items()}
    rows = [first.model_copy(update={"roles": roles}), *others]
    store.save_plan(root, plan.model_copy(update={"rows": rows}))


def reformulated(root: Path) -> str:
    said(root, formula="f(z) = 2z")
    return r"suites/tiny: its row `ste` says formula `f\(z\) = 2z`, ste's is `f\(z\) = z`"


def judged_better(root: Path) -> str:
    said(root, printed=Properties(rational="yes", flexible="yes"))
    return "says rational yes, flexible yes of f as printed; ste is rational yes, flexible not"


def misquoted(root: Path) -> str:
    plan = store.find_plan(root, "tiny")
    claim = read_ledger("table3", Path())[0].model_copy(update={"acc": 12.34})
    rows = [plan.rows[0].model_copy(update={"claim": claim}), *plan.rows[1:]]
    store.save_plan(root, plan.model_copy(update={"rows": rows}))
    return r"suites/tiny: .*Table 3 does not print 12\.34 for "


def change(root: Path, **fields: object) -> None:
    """Change the record of STE, and seal it again."""
    (path,) = (root / "cells").glob("ste-*/record.json")
    told = Record.model_validate_json(path.read_text()).model_copy(update=fields)
    store.save_record(root, told)


@pytest.mark.parametrize(
    "lie",
    [edited, resealed, elsewhere, of_another_time, swapped, swapped_and_resealed, naming_code,
     misquoted, relabelled, reformulated, judged_better],
)  # fmt: skip
def test_a_lie_is_told_in_a_line(
    root: Path, ask: Ask, tmp_path: Path, lie: Callable[[Path], str]
) -> None:
    """Exit code 3 and one line that names it; the archive is as it was, nothing is written."""
    words = lie(root)
    path = sent(root, tmp_path / "theirs.tar.gz")
    before = path.read_bytes()
    code, out, err = ask("verify", path, "--strict")
    wrong = [line for line in out.splitlines() if line.startswith("DIFFERS")]

    assert (code, err) == (3, "")
    assert len(wrong) == 1
    assert re.search(words, wrong[0])
    assert path.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["results", "theirs.tar.gz"]


@pytest.mark.parametrize("lie", [edited, swapped])
def test_what_would_not_verify_is_not_submitted(
    root: Path, ask: Ask, tmp_path: Path, lie: Callable[[Path], str]
) -> None:
    """A line for each cell, an error, and no archive."""
    lie(root)
    code, out, err = ask("submit", root, "-o", tmp_path / "mine.tar.gz")

    assert (code, out) == (2, "")
    assert err.startswith("refused: ste-")
    assert "error: nothing was written: 1 thing named above would not verify" in err
    assert not (tmp_path / "mine.tar.gz").exists()


def test_cells_that_prove_nothing_stay(tmp_path: Path) -> None:
    """Failed and unfinished cells are left out; a cell without weights or seal, and one whose
    command line holds a token, are refused.
    """
    cells, _ = made("ste", dict.fromkeys(range(5), 0.5))
    token = ORIGIN.model_copy(update={"command": "bench run s.yaml --api-key abcdef"})
    records = [
        record(cells[0], status="failed", reason="out of memory", curves={}),
        record(cells[1]),
        record(cells[2], weights_digest="0" * 64),
        record(cells[3], provenance=token),
    ]
    plan = Plan(suite="s", source="/x/s.yaml", source_digest="0", baseline=None,
                rows=[row("ste", cells)])  # fmt: skip
    store.save_plan(tmp_path, plan)
    for one in records:
        store.save_record(tmp_path, one)
    (tmp_path / "cells" / cells[4].slug).mkdir()
    found = submission.gather(tmp_path, [])
    refused = "\n".join(found.refused)

    assert len(found.left_out) == 2
    assert "names no weights" in refused
    assert "last.safetensors is not there" in refused
    assert "holds a secret, and is sealed: bench ... *** ..." in refused
    with pytest.raises(UsageError, match="3 things named above"):
        submission.refuse(found)
    assert publication.without_folders(plan).source == "s.yaml"


def test_the_lot_draws_measured_cells() -> None:
    """As many as asked for, others for another seed; all where there are no more."""
    cells, records = made("ste", dict.fromkeys(range(9), 0.5))
    folders = [
        cell_folders.CellFolder(Path(cell.slug), one)
        for cell, one in zip(cells, records, strict=True)
    ]
    drawn = [Measuring(3, seed).drawn(folders) for seed in range(5)]

    assert {len(slugs) for slugs in drawn} == {3}
    assert len(set(map(frozenset, drawn))) > 1
    assert len(Measuring(20).drawn(folders)) == len(Measuring().drawn(folders)) == 9
