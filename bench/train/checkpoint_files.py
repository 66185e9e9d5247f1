"""
The files of one checkpoint, written from a snapshot and read into one.

progress.json holds the digests of the other files and of itself, and no file can run code.
"""

import hashlib
import io
from collections.abc import Iterator
from pathlib import Path
from stat import S_ISREG
from typing import Annotated, Any, Literal, TypeAlias

import torch
from pydantic import Field, FiniteFloat, NonNegativeInt, ValidationError, field_validator
from torch import Tensor

from bench.base.files import write_file
from bench.base.validation import Frozen
from bench.errors import exhausted
from bench.results.record import Count, LayerIndicators, Line, Provenance
from bench.train.outcome import Outcome
from bench.train.snapshot import Snapshot
from bench.train.weights import State

Name: TypeAlias = Literal["weights.safetensors", "state.pt", "best.safetensors"]
STATE = ("optimizer", "order", "generators", "total", "sums")  # of a snapshot, in state.pt


class Manifest(Frozen):
    """What progress.json holds: the numbers so far, and what the other files must be."""

    schema_version: Literal[1] = 1
    cell_id: str
    epoch: NonNegativeInt
    step: NonNegativeInt
    empty: Annotated[NonNegativeInt, Field(exclude_if=lambda value: not value)] = 0
    seen: Annotated[int, Field(ge=0, lt=2**53)]
    elapsed: Annotated[float, Field(ge=0, lt=1e9)]
    seconds: list[Annotated[float, Field(gt=1e-9, lt=1e9)]]
    curves: dict[str, list[FiniteFloat]]
    best_epoch: int | None
    unlike: Annotated[dict[Count, Line], Field(exclude_if=lambda value: not value)] = {}
    indicators: list[LayerIndicators]
    processes: list[Provenance] = Field(min_length=1)  # that trained, its writer last
    files: dict[Name, str]  # SHA-256
    digest: str = ""  # SHA-256 of all of the above

    @field_validator("curves")
    @classmethod
    def _fractions(cls, curves: dict[str, list[float]]) -> dict[str, list[float]]:
        """What a record would not take is found before anything is trained."""
        if any(not 0 <= a <= 1 for k in ("test_acc", "test_top5") for a in curves.get(k, [])):
            message = "accuracies beyond [0, 1]"
            raise ValueError(message)
        return curves

    def sealed(self) -> "Manifest":
        """The same with its digest."""
        content = self.model_dump_json(exclude={"digest"}).encode()
        return self.model_copy(update={"digest": hashlib.sha256(content).hexdigest()})


class Unusable(Exception):
    """A checkpoint that must not be resumed from, and why."""


def write_files(home: Path, cell_id: str, snapshot: Snapshot, processes: list[Provenance]) -> None:
    """Write the files of a checkpoint into the folder `home`, the manifest last."""
    files: dict[Name, str] = {}
    for name, content in _contents(snapshot):
        write_file(home / name, content)
        files[name] = hashlib.sha256(content).hexdigest()
    manifest = Manifest(
        cell_id=cell_id,
        epoch=snapshot.epoch,
        step=snapshot.step,
        empty=snapshot.empty,
        seen=snapshot.seen,
        elapsed=snapshot.elapsed,
        seconds=snapshot.seconds,
        curves=snapshot.outcome.curves,
        best_epoch=snapshot.outcome.best_epoch,
        unlike=snapshot.outcome.unlike,
        indicators=snapshot.outcome.indicators,
        processes=processes,
        files=files,
    )
    write_file(home / "progress.json", manifest.sealed().model_dump_json() + "\n")


def _contents(snapshot: Snapshot) -> Iterator[tuple[Name, bytes]]:
    from safetensors.torch import save

    states: dict[Name, State] = {"weights.safetensors": snapshot.weights}
    if snapshot.outcome.best:
        states["best.safetensors"] = snapshot.outcome.best
    for name, state in states.items():
        yield name, save({k: v.contiguous() for k, v in state.items()})
    rest = {key: getattr(snapshot, key) for key in STATE}
    buffer = io.BytesIO()
    torch.save(rest, buffer)
    yield "state.pt", buffer.getvalue()


def read_files(path: Path, cell_id: str) -> tuple[Snapshot, list[Provenance]]:
    """
    Read one checkpoint.

    Raises:
        OSError: the disk cannot be read.
        Unusable: anything is not as it was written, or not this cell's.
    """
    manifest, contents = read_intact(path, cell_id)
    try:
        snapshot = _snapshot(manifest, contents)
    except Exception as error:  # whatever a file that was made up does to its reader
        if exhausted(error):
            raise
        message = f"its files cannot be read: {type(error).__name__}"
        raise Unusable(message) from None
    return snapshot, manifest.processes


def read_intact(path: Path, cell_id: str) -> tuple[Manifest, dict[Name, bytes]]:
    """
    The files of a checkpoint, which have the digests that it says.

    Raises:
        OSError: the disk cannot be read.
        Unusable: one has not, or it is another cell's.
    """
    if path.is_symlink():
        message = "it is a link"
        raise Unusable(message)
    manifest = _manifest(path, cell_id)
    contents: dict[Name, bytes] = {}
    for name, digest in manifest.files.items():
        contents[name] = _bytes(path / name)
        if hashlib.sha256(contents[name]).hexdigest() != digest:
            message = f"{name} is damaged"
            raise Unusable(message)
    return manifest, contents


def _manifest(path: Path, cell_id: str) -> Manifest:
    try:
        manifest = Manifest.model_validate_json(_bytes(path / "progress.json"))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        message = f"progress.json: {where}{where and ': '}{first['msg']}"
        raise Unusable(message) from None
    if manifest.sealed() != manifest:
        message = "progress.json is damaged"
        raise Unusable(message)
    if manifest.cell_id != cell_id:
        message = f"it is of another cell, {manifest.cell_id}"
        raise Unusable(message)
    if path.name != f"{manifest.epoch:06d}-{manifest.step:08d}":
        message = "it is of another step than it is named after"
        raise Unusable(message)
    return manifest


def _snapshot(manifest: Manifest, contents: dict[Name, bytes]) -> Snapshot:
    from safetensors.torch import load

    rest: dict[str, Any] = torch.load(
        io.BytesIO(contents["state.pt"]), map_location="cpu", weights_only=True
    )
    for values in rest["optimizer"].values():  # tensors with memory of their own, all of it
        values |= {k: v.clone() for k, v in values.items() if isinstance(v, Tensor)}
    best = contents.get("best.safetensors")
    return Snapshot(
        epoch=manifest.epoch,
        step=manifest.step,
        empty=manifest.empty,
        weights=load(contents["weights.safetensors"]),
        seen=manifest.seen,
        elapsed=manifest.elapsed,
        seconds=manifest.seconds,
        outcome=Outcome(
            curves=manifest.curves,
            indicators=manifest.indicators,
            best_epoch=manifest.best_epoch,
            unlike=manifest.unlike,
            best=load(best) if best else {},
        ),
        **{key: rest[key] for key in STATE},
    )


def _bytes(path: Path) -> bytes:
    """The content of a regular file; a link or a pipe is not followed."""
    try:
        if not S_ISREG(path.lstat().st_mode):
            message = f"{path.name} is not a file"
            raise Unusable(message)
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        message = f"{path.name}: {error.strerror}"
        raise Unusable(message) from None
