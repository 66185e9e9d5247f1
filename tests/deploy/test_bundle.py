"""`bench deploy`: what leaves predicts as what was trained, or nothing leaves."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from bench.data import reading
from bench.deploy import agreement, bundle, classes
from bench.deploy.agreement import Agreement
from bench.deploy.network import Deployed
from bench.errors import PluginError, UsageError
from bench.registry import ESTIMATORS
from bench.results import cell_folders, store
from bench.train import model

Ask = Callable[..., tuple[int, str, str]]


@pytest.mark.slow
def test_a_cell_leaves_in_both_forms(measured: Path, ask: Ask, tmp_path: Path) -> None:
    """Both files predict as torch, the reader runs by itself, and each says where it is from."""
    out = tmp_path / "out"
    code, text, error = ask("deploy", "ste-", "-o", out, "--results", measured)
    images = reading.digits().test[0][:50].numpy()
    np.save(tmp_path / "images.npy", images)
    command = [sys.executable, "-I", "reader.py", "bits.safetensors", tmp_path / "images.npy"]
    ran = subprocess.run(command, cwd=out, capture_output=True, text=True, check=True)
    net = Deployed(model.load("ste-", measured), reading.digits().transform)
    about = json.loads((out / "about.json").read_text(encoding="utf-8"))

    assert (code, error) == (0, "")
    assert text.count("50 of 50 predictions as in torch") == 2
    assert "as recorded" in text
    assert "4,176 of 1 bit" in text
    assert ran.stdout.split() == [str(n) for n in net(torch.from_numpy(images)).argmax(1).tolist()]
    assert about["cell"]["seal"] == cell_folders.find_record(measured, "ste-").seal
    assert about["classes"] == list("0123456789")
    assert about["checked"]["onnx"]["equal"] == 50
    assert (out / "model.onnx").read_bytes().count(str(Path.cwd()).encode()) == 0


def test_what_cannot_leave_is_told(measured: Path, ask: Ask, tmp_path: Path) -> None:
    """A folder that is there, a cell that is not, and a cell without weights are one line each."""
    (tmp_path / "there").mkdir()
    shutil.copytree(measured, tmp_path / "results")
    home = next((tmp_path / "results" / "cells").glob("ste-*"))
    (home / "last.safetensors").unlink()
    words = ("--results", tmp_path / "results", "--only", "bits")

    told = [
        ask("deploy", "ste-", "-o", tmp_path / "there", *words),
        ask("deploy", "nobody", "-o", tmp_path / "new", *words),
        ask("deploy", "ste-", "-o", tmp_path / "new", *words),
    ]
    assert [code for code, _, _ in told] == [2, 2, 2]
    assert [len(error.splitlines()) for _, _, error in told] == [1, 1, 1]
    assert "is there; name a folder that is not" in told[0][2]
    assert "no weights at" in told[2][2]
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("params", "decoded", "said"),
    [
        ({}, None, "as the data set has them"),
        ({"resize": 32}, None, "resized to 32 x 32, bilinear with antialias"),
        (
            {"path": "parts", "image": 64},
            None,
            "the middle square, made 64 x 64, bilinear, by pillow",
        ),
        ({"image": 224}, 224, "shorter side to 256, bilinear; the middle of it"),
    ],
)
def test_what_is_seen_of_an_image_is_told(
    params: dict[str, object], decoded: int | None, said: str
) -> None:
    """Built-in sets, folders and files of one's own, and images that are decoded on the way."""
    assert bundle.describe_view(params, decoded) == said


def test_a_missing_package_is_told(
    measured: Path, ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where ONNX cannot be written, one line names what to install and how to do without."""
    monkeypatch.setattr("bench.deploy.onnx_file.NEEDED", ("onnx", "no_such_package"))
    code, _, error = ask("deploy", "ste-", "-o", tmp_path / "out", "--results", measured)

    assert code == 5
    assert "ONNX needs no_such_package: pip install 'signbench[onnx]'" in error
    assert "--only bits" in error


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"a\nb\n", "has 2 names; the network has 3 classes"),
        (b"a\nb\na\n", "`a` stands in lines 1 and 3"),
        (b"a\n\nb\n", "line 2: a name is printable text"),
        (b"a\n\x1b[2J\nb\n", "line 2: a name is printable text"),
        (b"\xff\xfe\n", "is no text in UTF-8"),
    ],
)
def test_bad_class_names_are_told(content: bytes, problem: str, tmp_path: Path) -> None:
    """A file of class names has each class once; else the line that is wrong is named."""
    path = tmp_path / "names.txt"
    path.write_bytes(content)

    with pytest.raises(UsageError, match=problem):
        classes.read_names(path, 3)


def test_a_failed_deployment_leaves_nothing(tmp_path: Path) -> None:
    """Whatever goes wrong on the way, neither the folder nor a part of it is left."""

    def fail() -> None:
        with bundle.new_folder(tmp_path / "out") as folder:
            (folder / "half").write_bytes(b"x")
            raise UsageError("no")  # noqa: EM101

    with pytest.raises(UsageError):
        fail()
    assert [*tmp_path.iterdir()] == []


def test_a_network_without_its_estimator_predicts_the_same(
    measured: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A surrogate that is gone is not needed: the forward pass is sign."""
    x = torch.randn(4, 1, 8, 8)
    before = model.load("reste-", measured)(x)
    known = ESTIMATORS.origins()
    monkeypatch.setattr(ESTIMATORS, "origins", lambda: {k: known[k] for k in known if k != "reste"})
    after = model.load("reste-", measured)(x)

    assert torch.equal(before, after)


def test_a_method_that_is_gone_is_named(measured: Path) -> None:
    """Of a method the forward pass is in its file, and the error says so."""
    record = cell_folders.find_record(measured, "ste-")
    assert record.cell.weights is not None
    ref = record.cell.weights.model_copy(update={"name": "lost", "params": {"decay": 1}})
    cell = record.cell.model_copy(update={"weights": ref, "activations": ref})

    with pytest.raises(PluginError, match="no `lost` in estimators; it was a method"):
        model.build(cell, gone=["lost"])
    assert store.seal_holds(record)


def test_a_difference_is_rounding_or_wrong() -> None:
    """A prediction that another form turns is rounding where noise turns it too, else wrong."""
    found = {"torch": Agreement(), "tie": Agreement(), "other": Agreement()}
    net = Deployed(torch.nn.Flatten(), reading.digits().transform)
    images = torch.zeros(1, 1, 1, 2, dtype=torch.uint8)
    own = net(images)
    agreement.add(found["tie"], net, images, torch.tensor([0]), own, own + torch.tensor([0, 1e-7]))
    clear = images + torch.tensor([9, 0], dtype=torch.uint8)
    own = net(clear)
    agreement.add(found["other"], net, clear, torch.tensor([0]), own, own.flip(1))

    assert (found["tie"].rounding, found["tie"].wrong) == (1, 0)
    assert (found["other"].rounding, found["other"].wrong) == (0, 1)
    assert "1 WRONG" in str(found["other"])
