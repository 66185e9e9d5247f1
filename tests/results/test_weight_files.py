"""Weights that are not what was recorded are named, stay behind, and give way to sound ones."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save

from bench.base.files import write_file
from bench.errors import UsageError
from bench.results import cell_folders, weight_files
from bench.train.weights import digest

Ask = Callable[..., tuple[int, str, str]]
NAME = "last.safetensors"
WHY = f"{NAME} is not what was recorded: digest"
KINDS = (
    *(torch.float64, torch.float32, torch.float16, torch.bool),
    *(torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8),
)


def path_of(root: Path) -> Path:
    (path,) = (root / "cells").glob(f"ste-*/{NAME}")
    return path


@pytest.fixture
def harmed(measured: Path, tmp_path: Path) -> Path:
    """A copy in which one bit of the last weights of one cell is another."""
    root = Path(shutil.copytree(measured, tmp_path / "harmed"))
    content = path_of(root).read_bytes()
    path_of(root).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    return root


def test_the_digest_is_the_trainers(tmp_path: Path) -> None:
    """Computed from the bytes of a file it is that of its tensors, of every type and shape."""
    state = {str(kind): torch.ones(2, 3).to(kind) for kind in KINDS}
    state |= {"b": torch.tensor(1.5), "a": torch.zeros(0, 4), "é": torch.arange(5)}
    path = tmp_path / NAME
    path.write_bytes(save(state))

    assert weight_files.digest_file(path) == digest(state)


@pytest.mark.parametrize(
    "content", [b"", bytes(700), save({"x": torch.ones(2).bfloat16()})], ids=range(3)
)
def test_what_holds_no_weights(tmp_path: Path, content: bytes) -> None:
    """A file that is none, or of types that no network here has, is an error that names it."""
    (tmp_path / NAME).write_bytes(content)
    with pytest.raises(UsageError, match=f"{NAME} cannot be read: "):
        weight_files.digest_file(tmp_path / NAME)
    with pytest.raises(UsageError, match="No such file"):
        weight_files.digest_file(tmp_path / "none")


def test_export_leaves_damaged_weights_out(harmed: Path, ask: Ask, tmp_path: Path) -> None:
    """The file is named with its cell, and the rest of the cell travels."""
    code, out, _ = ask("export", "-o", tmp_path / "x.tar.gz", "--results", harmed)
    slug = path_of(harmed).parent.name
    assert code == 0
    assert f"left out: {slug}: {WHY}" in out
    assert ask("merge", tmp_path / "x.tar.gz", "--into", tmp_path / "into")[0] == 0
    landed = {p.name for p in (tmp_path / "into" / "cells" / slug).iterdir()}
    assert landed == {"record.json", "log.txt", "best.safetensors"}
    bare = ("export", "-o", tmp_path / "bare.tar.gz", "--results", harmed, "--no-weights")
    assert "left out" not in ask(*bare)[1]


def test_a_record_lands_without_its_damaged_weights(
    harmed: Path, measured: Path, ask: Ask, tmp_path: Path
) -> None:
    """They are named, exit code 3; a sound copy completes the cell, and stays."""
    root = tmp_path / "into"
    slug = path_of(harmed).parent.name
    code, out, _ = ask("merge", harmed, "--into", root)
    assert code == 3
    assert f"refused   {slug}: {WHY}" in out
    assert (cell_folders.read_folder(root / "cells" / slug).state, path_of_or_none(root)) == (
        "ok",
        None,
    )
    assert ask("merge", measured, "--into", root)[0] == 0
    code, out, _ = ask("merge", harmed, "--into", root)
    assert (code, f"{root}: 3 equal, 1 refused" in out) == (3, True)
    assert path_of(root).read_bytes() == path_of(measured).read_bytes()
    assert not (root / "attic").exists()


def path_of_or_none(root: Path) -> Path | None:
    return next((root / "cells").glob(f"ste-*/{NAME}"), None)


def test_sound_weights_replace_damaged_ones(
    harmed: Path, measured: Path, ask: Ask, tmp_path: Path
) -> None:
    """What they replace is in the attic; a dry run says so; a cell that a run has is left alone."""
    damaged, home = path_of(harmed).read_bytes(), path_of(harmed).parent
    asked = ("merge", measured, "--into", harmed)
    code, out, _ = ask(*asked, "--dry-run")
    assert (code, path_of(harmed).read_bytes()) == (0, damaged)
    assert f"completed {home.name}: {NAME}; ours: {WHY}" in out
    write_file(home / "lease.json", "{}")
    code, out, _ = ask(*asked)
    assert (code, "has this cell; wait" in out) == (3, True)
    (home / "lease.json").unlink()
    assert ask(*asked)[0] == 0
    (kept,) = (harmed / "attic").iterdir()
    assert path_of(harmed).read_bytes() == path_of(measured).read_bytes()
    assert {p.name: p.read_bytes() for p in kept.iterdir()} == {NAME: damaged}
    assert ask(*asked)[1] == f"{harmed}: 3 equal\n"


def test_damaged_weights_are_a_difference(harmed: Path, measured: Path, ask: Ask) -> None:
    """Of two folders whose records agree, the one that holds damaged weights is named."""
    code, out, _ = ask("diff", measured, harmed)

    assert code == 3
    assert "damaged weights: 1" in out
    assert f"  {harmed}: {path_of(harmed).parent.name}: {WHY}" in out
