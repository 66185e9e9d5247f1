"""
Results for others: what goes, what would not verify, and what a stranger's plan may not say.

A submission is an archive of `bench export` in which everything can be checked: sealed records of
cells that were measured, their weights, logs without secrets, plans without folders.
"""

import tempfile
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from bench.base.text import count
from bench.errors import BenchError, UsageError
from bench.registry import ESTIMATORS
from bench.results import archive, cell_folders, publication, store, weight_files
from bench.results.cell_folders import CellFolder
from bench.results.publication import Chosen
from bench.results.record import Provenance, Record
from bench.spec.plan import FULL_PRECISION, Row
from bench.spec.published import Claim, read_shipped


@dataclass(frozen=True)
class Submission:
    """What goes, what stays behind and why, and what would not verify."""

    chosen: Chosen
    left_out: list[str]
    refused: list[str]


@dataclass(frozen=True)
class Source:
    """A results folder, and the names in it that are meant."""

    root: Path
    names: list[str]
    foreign: bool  # is it what somebody sent?


@contextmanager
def opened(names: list[str], root: Path) -> Generator[Source]:
    """
    The results folder that is meant: one that the first name is, an archive that it is, or `root`.

    Raises:
        UsageError: the archive is none, or made to do harm.
    """
    first = Path(names[0]) if names else root
    if names and (first / "cells").is_dir():
        yield Source(first, names[1:], foreign=False)
    elif names and first.is_file() and not first.suffix.startswith((".yaml", ".yml")):
        with tempfile.TemporaryDirectory(prefix="bench-archive-") as scratch:
            (tree := Path(scratch) / "tree").mkdir()
            (tree / "cells").mkdir()
            archive.read_archive(first, tree)
            yield Source(tree, names[1:], foreign=True)
    else:
        yield Source(root, names, foreign=False)


def gather(root: Path, names: list[str]) -> Submission:
    """
    Look at the cells that names of suites and of cells stand for; at all of no names.

    Raises:
        UsageError: a name stands for nothing, or `root` is no results folder.
    """
    folders, plans = cell_folders.select_folders(root, names)
    going: list[CellFolder] = []
    left_out: list[str] = []
    refused: list[str] = []
    for folder in folders:
        record = folder.record
        if folder.unfinished or (record and not record.measured):
            left_out.append(f"{folder.slug}: {folder.problem or _status(record)}")
        elif problem := _problem(folder):
            refused.append(f"{folder.slug}: {problem}")
        else:
            going.append(folder)
    refused += [
        f"suites/{plan.suite}: its plan holds a secret: {secrets[0]}"
        for plan in plans
        if (secrets := publication.secrets_of(plan))
    ]
    return Submission(Chosen(root, plans, going, weights=True), left_out, refused)


def _status(record: Record | None) -> str:
    return f"{record.status}: {record.reason}" if record else ""


def _problem(folder: CellFolder) -> str:
    """Why a cell would not verify, or may not go; or nothing."""
    record = folder.record
    if record is None:
        return folder.problem
    if cell_folders.describe_seal(record) != "holds":
        return "its record has no seal; it is older than seals, measure it again"
    if record.cell.slug != folder.slug:
        return f"its record is that of `{record.cell.slug}`"
    if secrets := publication.secrets_of(record):
        return f"its record holds a secret, and is sealed: {secrets[0]}; measure it again"
    for which in ("last", "best"):
        path = folder.home / f"{which}.safetensors"
        known = weight_files.recorded_digest(record, which)
        if known and not path.is_file():
            return f"{path.name} is not there, so that nobody could measure it again"
        if known and (problem := weight_files.find_problem(path, known)):
            return problem
    return "" if record.weights_digest else "its record names no weights"


def told(chosen: Chosen) -> Iterator[tuple[str, str]]:
    """What a submission contains, and what is published with it: a name and its text each."""
    records = [cell.record for cell in chosen.cells if cell.record]
    made = [process for record in records for process in (*record.earlier, record.provenance)]
    cells = [record.cell for record in records]
    yield "cells", count(len(records), "cell")
    yield "suites", ", ".join(plan.suite for plan in chosen.plans)
    yield "estimators", _once(c.weights.name if c.weights else FULL_PRECISION for c in cells)
    yield "networks", _once(cell.backbone.name for cell in cells)
    yield "data", _once(cell.data.name for cell in cells)
    yield "seeds", _once(str(cell.seed) for cell in cells)
    yield "weights", _weights(chosen)
    logs = [cell.home / "log.txt" for cell in chosen.cells if (cell.home / "log.txt").is_file()]
    yield "logs", f"{len(logs)}, secrets in them as ***" if logs else ""
    yield "machines", _once(f"{process.host}, {process.device}" for process in made)
    yield "versions", _once(f"{n} {v}" for p in made for n, v in p.versions.items() if v)
    yield "commits", _once(map(_commit, made))
    yield "commands", _once(process.command for process in made)
    yield "own plugins", _once(name for process in made for name in process.plugins)


def _weights(chosen: Chosen) -> str:
    files = [p for cell in chosen.cells for p in cell.home.glob("*.safetensors")]
    size = sum(path.stat().st_size for path in files)
    return f"{count(len(files), 'file')}, {size:,} bytes"


def _commit(process: Provenance) -> str:
    changed = " with uncommitted changes" if process.dirty else ""
    return f"{process.commit[:12]}{changed}" if process.commit else "none: no checkout"


def _once(texts: Iterator[str]) -> str:
    """Each text once, the most frequent first."""
    return ", ".join(text for text, _ in Counter(texts).most_common())


def write(chosen: Chosen, target: Path) -> int:
    """
    Write the archive, whole or not at all; returns its size in bytes.

    Raises:
        UsageError: `target` exists.
        EnvironmentProblem: a file cannot be read, or the disk is full.
    """
    with tempfile.TemporaryDirectory(prefix="bench-submit-") as scratch:
        return archive.write_archive(target, publication.list_files(chosen, Path(scratch)))


def check_plan(root: Path, suite: str) -> str:
    """What a stranger's plan says that it may not; or nothing."""
    try:
        plan = store.find_plan(root, suite)
    except BenchError as error:
        return str(error).replace(f"`{root}/", "`", 1)
    if plan.plugins:
        return f"its plan names code, which is not run: {', '.join(plan.plugins)}"
    claims = [*(row.claim for row in plan.rows), *(absent.claim for absent in plan.absent)]
    found = (*map(_wrong_row, plan.rows), *map(_wrong_claim, filter(None, claims)))
    return next((wrong for wrong in found if wrong), "")


def _wrong_row(row: Row) -> str:
    """What a row says that its cells do not."""
    for cell in row.own_cells:
        refs = {"W": cell.weights, "A": cell.activations}
        built = {ref.name for ref in refs.values() if ref}
        origin = ESTIMATORS.origins().get(row.label)
        if origin and origin.shipped and built and row.label not in built:
            return f"its row `{row.label}` is of {', '.join(sorted(built))}"
        for role, info in row.roles.items():
            if (ref := refs[role]) is None or info.plugin != ref.name:
                return f"its row `{row.label}` says {info.plugin}, its cells say otherwise"
    return ""


def _wrong_claim(claim: Claim) -> str:
    """What is said of a source whose numbers ship here, and does not stand in it."""
    printed = _shipped_claims().get(claim.source)
    if printed is None or (claim.method, claim.wa, claim.acc) in printed:
        return ""
    return f"{claim.source} does not print {claim.acc:.2f} for {claim.method}, W/A {claim.wa}"


@lru_cache(maxsize=1)
def _shipped_claims() -> dict[str, set[tuple[str, str, float]]]:
    """Method, W/A and number of every claim that ships, by its source."""
    found: dict[str, set[tuple[str, str, float]]] = {}
    for claim in read_shipped():
        found.setdefault(claim.source, set()).add((claim.method, claim.wa, claim.acc))
    return found


def refuse(submission: Submission) -> None:
    """
    Refuse to write what would not verify.

    Raises:
        UsageError: something would not, or nothing is left.
    """
    if submission.refused:
        cells = count(len(submission.refused), "thing")
        message = f"nothing was written: {cells} named above would not verify"
        raise UsageError(message)
    if not submission.chosen.cells:
        message = f"nothing to submit from `{submission.chosen.root}`: no cell was measured"
        raise UsageError(message)
