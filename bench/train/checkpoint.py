"""
Checkpoints: a cell's training between two steps, on disk.

    CELL/checkpoints/<epoch>-<step>/  progress.json  weights.safetensors  state.pt  best.safetensors

A checkpoint is there whole or not at all. progress.json holds the digests of the other files and of
itself: one that is damaged, or another cell's, is not used but the one before it, and no file
of a checkpoint can run code. A disk or a memory that fails says nothing of a checkpoint, and
touches none. Two are kept.
"""

import contextlib
import hashlib
import io
import re
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from stat import S_ISREG
from typing import Annotated, Any, Literal, TypeAlias

import torch
from pydantic import Field, FiniteFloat, NonNegativeInt, ValidationError, field_validator
from torch import Tensor

from bench.base.files import sync_folder, write_file
from bench.base.validation import Frozen
from bench.errors import EnvironmentProblem, exhausted
from bench.results.record import LayerIndicators, Provenance
from bench.train.outcome import Outcome
from bench.train.snapshot import Snapshot, SnapshotMismatch
from bench.train.weights import State

Name: TypeAlias = Literal["weights.safetensors", "state.pt", "best.safetensors"]
KEPT = 2
PART = ".part"  # the one that is being written
DAMAGED = r"\d+-\d+\.damaged"


class Manifest(Frozen):
    """What progress.json holds: the numbers so far, and what the other files must be."""

    schema_version: Literal[1] = 1
    cell_id: str
    epoch: NonNegativeInt
    step: NonNegativeInt
    seen: Annotated[int, Field(ge=0, lt=2**53)]
    elapsed: Annotated[float, Field(ge=0, lt=1e9)]
    seconds: list[Annotated[float, Field(gt=1e-9, lt=1e9)]]
    curves: dict[str, list[FiniteFloat]]
    best_epoch: int | None
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


@dataclass
class CheckpointWriter:
    """
    Writes a cell's checkpoints, by time and when its training is to stop.

    Args:
        home: of the cell's files.
        every_s: seconds between checkpoints.
        processes: those that trained, this one last.
        stopping: is training to stop?
        report: told of a checkpoint that cannot be written; training goes on without.
    """

    home: Path
    cell_id: str
    every_s: float
    processes: Callable[[], list[Provenance]]
    stopping: Callable[[], bool]
    report: Callable[[str], None]
    last: float = field(init=False, default_factory=lambda: time.monotonic())

    def due(self) -> bool:
        return time.monotonic() - self.last >= self.every_s

    def keep(self, snapshot: Snapshot) -> None:
        try:
            write(self.home, self.cell_id, snapshot, self.processes())
        except EnvironmentProblem as problem:
            self.report(f"no checkpoint: {problem}")
        self.last = time.monotonic()


def folder(home: Path) -> Path:
    """Where the checkpoints of the cell whose files are in `home` lie."""
    return home / "checkpoints"


def step_folder(home: Path, epoch: int, step: int) -> Path:
    """Where the checkpoint before that step lies."""
    return folder(home) / f"{epoch:06d}-{step:08d}"


def count_epochs(home: Path) -> int:
    """How many epochs are done by the newest checkpoint of the cell whose files are in `home`."""
    return max((int(path.name.partition("-")[0]) for path in _found(home)), default=0)


def write(home: Path, cell_id: str, snapshot: Snapshot, processes: list[Provenance]) -> Path:
    """
    Keep a snapshot, and of those before it the newest; one that is kept already stays.

    Raises:
        EnvironmentProblem: the disk is full, or the folder cannot be written or leads elsewhere.
    """
    root, path = folder(home), step_folder(home, snapshot.epoch, snapshot.step)
    part = root / PART
    try:
        if root.is_symlink():
            message = f"cannot write `{root}`: it is a link"
            raise EnvironmentProblem(message)
        root.mkdir(parents=True, exist_ok=True)
        if _is_sound(path, cell_id):
            return path
        _remove(part)
        part.mkdir()
        try:
            _fill(part, cell_id, snapshot, processes)
            _remove(path)
            part.rename(path)
        except BaseException:
            _remove(part)
            raise
        for each in (path, root):
            sync_folder(each)
        for old in _found(home)[KEPT:]:
            _remove(old)
    except OSError as error:
        message = f"cannot write `{path}`: {error.strerror or error}"
        raise EnvironmentProblem(message) from None
    return path


def read_newest(
    home: Path, cell_id: str, report: Callable[[str], None]
) -> tuple[Snapshot, list[Provenance]] | None:
    """
    The newest checkpoint that is sound, and the processes that trained it; None: there is none.

    One that is not is set aside, and the one before it tried.

    Raises:
        EnvironmentProblem: the disk cannot be read, or one cannot be set aside.
    """
    try:
        for path in _found(home):
            try:
                return _read(path, cell_id)
            except Unusable as problem:
                set_aside(path, str(problem), report)
        if _found(home, DAMAGED):
            report("no checkpoint is left, training begins anew")
    except OSError as error:
        message = f"cannot read `{error.filename or folder(home)}`: {error.strerror or error}"
        raise EnvironmentProblem(message) from None
    return None


def check_optimizer(past: Snapshot, parameters: Iterable[Tensor]) -> None:
    """
    Nothing, if the optimizer's tensors are as large as the parameters they belong to.

    Torch's fused steps do not look: they would write beyond a smaller one.

    Raises:
        SnapshotMismatch: one is not.
    """
    for i, parameter in enumerate(parameters):
        for name, value in past.optimizer.get(i, {}).items():
            if name != "step" and isinstance(value, Tensor) and value.shape != parameter.shape:
                raise SnapshotMismatch(past.epoch, past.step, "its optimizer does not fit")


def examine(home: Path, cell_id: str) -> Iterator[tuple[Path, str]]:
    """Each checkpoint of a cell, the newest first, and what is wrong with it; nothing if sound."""
    for path in _found(home):
        try:
            _intact(path, cell_id)
            yield path, ""
        except OSError as error:
            yield path, f"it cannot be read: {error.strerror or error}"
        except Unusable as problem:
            yield path, str(problem)


def set_aside(path: Path, why: str, report: Callable[[str], None]) -> None:
    """
    Report a checkpoint that must not be used, and rename it to `<name>.damaged`.

    Raises:
        EnvironmentProblem: it cannot be renamed.
    """
    report(f"checkpoint {path.name} is not used: {why}")
    aside = path.with_name(f"{path.name}.damaged")
    try:
        _remove(aside)
        path.rename(aside)
    except OSError as error:
        message = f"cannot rename `{path}`: {error.strerror or error}"
        raise EnvironmentProblem(message) from None


def remove_unfinished(home: Path) -> None:
    """Remove what a process that was killed while it wrote has left."""
    unfinished = (home.glob(f".{name}.*") for name in ("*.safetensors", "record.json"))
    with contextlib.suppress(OSError):
        for path in (folder(home) / PART, *(p for found in unfinished for p in found)):
            _remove(path)


def remove_all(home: Path) -> None:
    """Remove all checkpoints, the damaged too: the cell is measured."""
    with contextlib.suppress(OSError):
        _remove(folder(home))


def _fill(part: Path, cell_id: str, snapshot: Snapshot, processes: list[Provenance]) -> None:
    files: dict[Name, str] = {}
    for name, content in _contents(snapshot):
        write_file(part / name, content)
        files[name] = hashlib.sha256(content).hexdigest()
    manifest = Manifest(
        cell_id=cell_id,
        epoch=snapshot.epoch,
        step=snapshot.step,
        seen=snapshot.seen,
        elapsed=snapshot.elapsed,
        seconds=snapshot.seconds,
        curves=snapshot.outcome.curves,
        best_epoch=snapshot.outcome.best_epoch,
        indicators=snapshot.outcome.indicators,
        processes=processes,
        files=files,
    )
    write_file(part / "progress.json", manifest.sealed().model_dump_json() + "\n")


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


STATE = ("optimizer", "order", "generators", "total", "sums")


def _is_sound(path: Path, cell_id: str) -> bool:
    try:
        _read(path, cell_id)
    except Unusable:
        return False
    return True


def _read(path: Path, cell_id: str) -> tuple[Snapshot, list[Provenance]]:
    """
    Read one checkpoint.

    Raises:
        OSError: the disk cannot be read.
        Unusable: anything is not as it was written, or not this cell's.
    """
    manifest, contents = _intact(path, cell_id)
    try:
        snapshot = _snapshot(manifest, contents)
    except Exception as error:  # whatever a file that was made up does to its reader
        if exhausted(error):
            raise
        message = f"its files cannot be read: {type(error).__name__}"
        raise Unusable(message) from None
    return snapshot, manifest.processes


def _intact(path: Path, cell_id: str) -> tuple[Manifest, dict[Name, bytes]]:
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
        weights=load(contents["weights.safetensors"]),
        seen=manifest.seen,
        elapsed=manifest.elapsed,
        seconds=manifest.seconds,
        outcome=Outcome(
            curves=manifest.curves,
            indicators=manifest.indicators,
            best_epoch=manifest.best_epoch,
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


def _found(home: Path, name: str = r"\d+-\d+") -> list[Path]:
    """The checkpoints of a cell, the newest first; none where their folder is a link."""
    root = folder(home)
    if root.is_symlink() or not root.is_dir():
        return []
    return sorted((p for p in root.iterdir() if re.fullmatch(name, p.name)), reverse=True)


def _remove(path: Path) -> None:
    """Remove a file, a link or a folder, if there is one; what a link leads to stays."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
