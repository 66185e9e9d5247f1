"""Checkpoints: damaged, exchanged, or made up."""

import hashlib
import io
import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import torch
from pydantic import ValidationError
from safetensors.torch import load, save
from torch import Tensor

from bench.errors import DataError
from bench.execution import cell_run
from bench.execution.job import Job
from bench.results import store
from bench.results.record import Record
from bench.spec.cell import Cell
from bench.train import checkpoint
from bench.train.checkpoint_files import Manifest
from fuzz import mutate, reports
from fuzz.box import Box, Read, misplace
from fuzz.sound import fresh, measured, restore


def checkpoints(box: Box, rng: Random) -> Read:
    """A cell's two checkpoints, damaged, exchanged, or made up with digests that are right."""
    plan, _ = measured(box)
    cell = rng.choice(plan.cells[:2])
    root = checkpoint.folder(store.cell_path(box.results, cell))
    restore(box, f"cells/{cell.slug}/checkpoints/")
    older, newer = sorted(root.iterdir())
    for path in rng.choice([[newer]] * 4 + [[older, newer], [older]]):
        rng.choice(DAMAGES)(box, rng, path)
    return lambda: _gone_on(box, cell)


def _gone_on(box: Box, cell: Cell) -> None:
    """Train the cell from them; where none is left the record is what it would have been."""
    fresh()
    home = store.cell_path(box.results, cell)
    list(checkpoint.examine(home, cell.id))
    cell_run.run(Job(cell, box.results, "cpu", 1, 0, False, box.inside, (), (), 1e9))
    log = (home / "log.txt").read_text(encoding="utf-8")
    record = store.find_record(box.results, cell)
    if "Traceback" in log or not record or not record.measured:
        raise AssertionError(log)
    reports.sound(log)
    reports.record(record)
    honest = json.loads(box.known["files"][f"cells/{cell.slug}/record.json"])
    if "resumed" not in log and record.weights_digest != honest["weights_digest"]:
        message = f"another training than without checkpoints: {log}"
        raise AssertionError(message)
    if "is not used" in log:
        raise DataError(log)


def _sealed(rng: Random, path: Path, data: Any = None) -> None:
    """Write a manifest with digests that are right, if `data` is one; perhaps rename after it."""
    manifest = path / "progress.json"
    data = json.loads(manifest.read_bytes()) if data is None else data
    try:
        told = Manifest.model_validate_json(json.dumps(data))
        files = {n: (path / n).read_bytes() for n in told.files if (path / n).is_file()}
        digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
        told = told.model_copy(update={"files": told.files | digests}).sealed()
    except ValidationError:
        manifest.write_text(json.dumps(data), encoding="utf-8")
        return
    manifest.write_text(told.model_dump_json(), encoding="utf-8")
    name = f"{told.epoch:06d}-{told.step:08d}"
    if rng.random() < 0.7 and len(name) < 200 and not path.with_name(name).exists():
        path.rename(path.with_name(name))


def _bytes(_: Box, rng: Random, path: Path) -> None:
    """One file's bytes, as they are or under a new digest."""
    file = rng.choice(sorted(path.iterdir()))
    file.write_bytes(mutate.raw(rng, file.read_bytes()))
    if file.suffix != ".json" and rng.random() < 0.5:
        _sealed(rng, path)


def _file(box: Box, rng: Random, path: Path) -> None:
    misplace(box, rng, rng.choice([path, *path.iterdir()]))


def _foreign(box: Box, rng: Random, path: Path) -> None:
    """Some files, or all, of another cell's or of the other checkpoint."""
    plan, _ = measured(box)
    own = Record.model_validate_json(box.known["measured"][1][0]).cell.id
    other = rng.choice(plan.cells)
    places = sorted({n.split("/")[3] for n in box.known["files"] if "/checkpoints/" in n})
    start = f"cells/{other.slug}/checkpoints/{rng.choice(places)}/"
    for file in rng.choice([sorted(path.iterdir()), [rng.choice(sorted(path.iterdir()))]]):
        file.write_bytes(box.known["files"].get(start + file.name, b""))
    if rng.random() < 0.5:
        data = json.loads((path / "progress.json").read_bytes())
        _sealed(rng, path, data | {"cell_id": own})


def _manifest(_: Box, rng: Random, path: Path) -> None:
    """What the manifest says of the training so far."""
    data = json.loads((path / "progress.json").read_bytes())
    part = rng.choice([None, "curves", "seconds", "indicators", "processes"])
    if part is None:
        data = mutate.structure(rng, data)
    else:
        data[part] = mutate.structure(rng, data[part])
    if rng.random() < 0.3:
        data |= {rng.choice(["elapsed", "seen", "epoch", "step", "best_epoch"]): mutate.value(rng)}
    _sealed(rng, path, data)


def _header(_: Box, rng: Random, path: Path) -> None:
    """Where the tensors of a file lie."""
    file = path / rng.choice(["weights.safetensors", "best.safetensors"])
    file.write_bytes(mutate.tensors(rng, file.read_bytes()))
    _sealed(rng, path)


def _weights(_: Box, rng: Random, path: Path) -> None:
    """The tensors themselves."""
    file = path / rng.choice(["weights.safetensors", "best.safetensors"])
    state = load(file.read_bytes())
    name = rng.choice(sorted(state))
    changed = _tensor(rng, state.pop(name))
    if isinstance(changed, Tensor) and changed.layout == torch.strided:
        state[rng.choice([name, name, "other"])] = changed.contiguous()
    file.write_bytes(save({k: v.clone() for k, v in state.items()}))
    _sealed(rng, path)


def _tensor(rng: Random, was: Tensor) -> Any:
    """Another one in its place, or none."""
    kinds = [torch.float64, torch.int64, torch.bool, torch.complex64, torch.float16, torch.uint8]
    numbers = [torch.nan, torch.inf, -1.0, 1e30, 0.0]
    others: list[Callable[[], Any]] = [
        *(lambda: was.to(rng.choice(kinds)),) * 3,
        *(lambda: torch.full_like(was, rng.choice(numbers), dtype=torch.float32),) * 2,
        lambda: was.flatten()[: rng.choice([0, 1])],
        lambda: was[None],
        lambda: was.flatten().sum() if was.dtype != torch.uint8 else was.flatten()[0],
        lambda: was.to_sparse(),
        lambda: was.flatten()[:1].expand(was.numel()).view(was.shape),  # one number in memory
        lambda: was.flip(0) if was.dim() else was,
        lambda: rng.choice([None, 3, "x", [], {}, 10**400]),
    ]
    return rng.choice(others)()


def _state(_box: Box, rng: Random, path: Path) -> None:
    """What the optimizer, the random generators and the sums hold."""
    file = path / "state.pt"
    state: dict[str, Any] = torch.load(file, weights_only=True)
    places = [state, state["generators"], *state["optimizer"].values()]
    for _ in range(rng.choice([1, 1, 2])):
        parent = rng.choice(rng.choice([places[:1], places[1:2], places]))
        if not parent:
            continue
        key = rng.choice(list(parent))
        was = parent[key]
        match was:
            case Tensor():
                parent[key] = _tensor(rng, was)
            case tuple():
                parent[key] = tuple(mutate.structure(rng, list(was)))
            case list() if was and isinstance(was[0], Tensor):
                parent[key] = rng.choice([was[:1], was * 2, [_tensor(rng, was[0]), *was[1:]]])
            case _:
                parent[key] = mutate.alike(rng, was) if rng.random() < 0.7 else mutate.value(rng)
    torch.save(state, file)
    _sealed(rng, path)


class _Evil:
    """Writes a file where it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return open, ("evil", "w")


def _pickled(_: Box, rng: Random, path: Path) -> None:
    """Code where the state was, as any version of torch would have packed it."""
    file = path / "state.pt"
    evil = rng.choice([pickle.dumps(_Evil()), b'cbuiltins\neval\n(S\'open("evil", "w")\'\ntR.'])
    content = evil
    if rng.random() < 0.7:
        buffer = io.BytesIO()
        with zipfile.ZipFile(file) as was, zipfile.ZipFile(buffer, "w") as zipped:
            for name in was.namelist():
                inner = was.read(name)
                if name.endswith("data.pkl"):
                    inner = rng.choice([evil, inner[:-1] + evil, mutate.raw(rng, inner)])
                zipped.writestr(name, inner)
        content = buffer.getvalue()
    file.write_bytes(content)
    _sealed(rng, path)


Damage = Callable[[Box, Random, Path], None]
DAMAGES: list[Damage] = [
    *(_bytes, _file, _foreign, _header, _pickled),
    *(_manifest,) * 4,
    *(_weights,) * 2,
    *(_state,) * 4,
]
