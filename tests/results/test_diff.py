"""Two cells or two folders side by side; what cannot be compared is not."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from samples import cell, record

from bench.results import cell_folders, store
from bench.results.diff import diff_cells, diff_folders, diff_targets
from bench.results.record import Receipt, Record
from bench.spec.cell import Binarization, DataRef, Recipe, Ref

Ask = Callable[..., tuple[int, str, str]]
CURVES = {"train_loss": [2.0, 1.0], "test_acc": [0.6, 0.5], "lr": [0.1, 0.05]}


def moved(of: Record, **change: object) -> Record:
    """The record as another machine would have it."""
    return of.model_copy(update={"provenance": of.provenance.model_copy(update=change)})


@pytest.mark.parametrize(
    ("change", "obstacle"),
    [
        ({"data": DataRef(name="cifar10", fingerprint="1" * 16)}, "data digits / cifar10"),
        (
            {"data": DataRef(name="digits", fingerprint="1" * 16)},
            "data fingerprint 000000000000000",
        ),
        ({"recipe": Recipe(epochs=20)}, "epochs 2 / 20"),
        ({"backbone": Ref(name="resnet20", params={"width": 16})}, "backbone width 8 / 16"),
        ({"backbone": Ref(name="vgg_small", params={"width": 9})}, "backbone resnet20 / vgg_small"),
        ({"binarization": Binarization(sign0=1)}, "sign0 0 / 1"),
        ({"core": 2}, "numeric core 1 / 2"),
        ({"activations": None}, "W/A 1/1 / 1/32"),
    ],
)
def test_what_cannot_be_compared(change: dict[str, object], obstacle: str) -> None:
    """Anything but estimator and seed is an obstacle, named once with both values."""
    found = diff_cells(record(), record(cell(**change)))

    assert len(found.obstacles) == 1
    assert found.obstacles[0].startswith(obstacle)
    assert not found.agree
    assert found.cell


def test_every_process_that_trained_is_compared() -> None:
    """A cell that went on elsewhere names both machines, and they may be why bits differ."""
    first = record()
    elsewhere = moved(first, device="gpu", threads=8).provenance
    second = first.model_copy(update={"earlier": [elsewhere], "weights_digest": "1" * 64})
    found = diff_cells(first.model_copy(update={"weights_digest": "0" * 64}), second)

    assert {d.name: d.b for d in found.made_on} == {
        "device": "gpu, then cpu",
        "threads": "8, then 1",
    }
    assert "device cpu / gpu, then cpu" in found.causes


def test_estimators_and_seeds_may_differ() -> None:
    """Two estimators at two seeds are compared, field by dotted field."""
    other = cell(weights=Ref(name="reste", params={"o_end": 3.0}), seed=1)
    found = diff_cells(record(), record(other, curves=CURVES | {"test_acc": [0.6, 0.7]}))

    assert found.agree
    told = {d.name: (d.a, d.b) for d in found.cell}
    assert told == {
        "weights.name": ("ste", "reste"),
        "weights.params.clip": ("1.0", "-"),
        "weights.params.o_end": ("-", "3.0"),
        "seed": ("0", "1"),
    }
    outcome = {d.name: (d.a, d.b) for d in found.outcome}
    assert outcome["last accuracy"] == ("50.00 %", "70.00 %")
    assert outcome["test_acc from epoch 2"] == ("0.5", "0.7")


def test_one_cell_with_other_bits_is_explained() -> None:
    """The first epoch that differs, and device, versions, threads and receipts that may be why."""
    receipt = Receipt(environment="e", steps=["a", "b", "c"], first_difference=None, made="m")
    ours = record(receipt=receipt)
    theirs = moved(ours, device="gpu", threads=2, host="other", command="x")
    assert diff_cells(ours, theirs).agree  # the same bits, wherever they were made

    steps = receipt.model_copy(update={"steps": ["a", "x", "y"]})
    update = {"curves": CURVES | {"train_loss": [2.0, 1.5]}, "receipt": steps}
    found = diff_cells(ours, theirs.model_copy(update=update))
    assert found.same_cell
    assert not found.agree
    assert [d.name for d in found.outcome] == ["train_loss from epoch 2"]
    assert "device cpu / gpu" in found.causes
    assert "threads 1 / 2" in found.causes
    assert "the two machines' receipts differ from step 2: they compute differently" in found.causes
    assert not any(cause.startswith("host") for cause in found.causes)


def test_old_records_are_compared_by_what_they_hold() -> None:
    """A curve or a digest that an older record lacks is no difference."""
    old = record(weights_digest="d")
    new = record(weights_digest="d", best_digest="b", curves=CURVES | {"test_top5": [0.9, 0.9]})

    assert diff_cells(old, new).agree


def test_two_folders(tmp_path: Path) -> None:
    """Every cell of either is in one list, and equal folders are equal."""
    a, b = tmp_path / "a", tmp_path / "b"
    for root in (a, b):
        for seed in range(4):
            store.save_record(root, record(cell(seed=seed)))
    assert diff_folders(a, b).agree
    store.save_record(a, record(cell(seed=7)))
    store.save_record(b, record(cell(seed=8)))
    store.save_record(b, record(cell(seed=1), curves=CURVES | {"test_acc": [0.6, 0.7]}))
    store.save_record(b, record(cell(seed=2), status="failed", reason="OSError", curves={}))
    store.save_record(a, record(cell(seed=9)))
    newer = cell(seed=9, weights=Ref(name="ste", version=2, params={"clip": 1.0}))
    store.save_record(b, record(newer))
    found = diff_folders(a, b)

    assert not found.agree
    assert found.only_a == [cell(seed=7).slug]
    assert found.only_b == [cell(seed=8).slug]
    assert found.same == sorted([cell(seed=0).slug, cell(seed=3).slug])
    assert [(p.name, p.a, p.b) for p in found.other] == [(cell(seed=1).slug, "50.00 %", "70.00 %")]
    assert [(p.name, p.a, p.b) for p in found.states] == [
        (cell(seed=2).slug, "50.00 %", "failed: OSError")
    ]
    assert [(p.a, p.b, p.differ) for p in found.code] == [
        (cell(seed=9).slug, newer.slug, ["weights.version"])
    ]


def test_diff_prints(measured: Path, ask: Ask, tmp_path: Path) -> None:
    """Names, paths of cell folders and of records; exit code 3 where something is amiss."""
    (ste,) = (measured / "cells").glob("ste-*")
    code, out, _ = ask("diff", ste, "reste-", "--results", measured)
    assert code == 0
    assert "comparable: nothing but estimator and seed differs" in out
    assert "weights.params.o_end" in out
    copy = tmp_path / "copy"
    shutil.copytree(measured, copy)
    assert ask("diff", measured, copy)[0] == 0
    told = cell_folders.find_record(copy, "ste-")
    store.save_record(copy, told.model_copy(update={"weights_digest": "0" * 64}))
    code, out, _ = ask("diff", ste, copy / "cells" / ste.name / "record.json")
    assert code == 3
    assert "the same cell, other bits" in out
    code, out, _ = ask("diff", measured, copy, "--format", "json")
    assert code == 3
    assert json.loads(out)["other"][0]["differ"] == ["last weights"]


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        ("{root}", "{empty}", "is not: it has no folder `cells`"),
        ("{root}", "ste-", "is a results folder, `ste-` is not"),
        ("{empty}", "ste-", "no `cells`, no record.json in it"),
        ("ste-", "nothing", "is called `nothing`"),
    ],
)
def test_what_cannot_be_read_is_said(
    measured: Path, tmp_path: Path, a: str, b: str, message: str
) -> None:
    """A path that is neither, or two kinds, are an error that says why."""
    from bench.errors import UsageError

    names = {"root": str(measured), "empty": str(tmp_path)}
    with pytest.raises(UsageError, match=message):
        diff_targets(a.format(**names), b.format(**names), measured)
