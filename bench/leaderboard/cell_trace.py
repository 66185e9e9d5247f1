"""Everything that a results folder holds of one cell: files, processes, and where it is printed."""

import re
import shlex
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.base.files import is_file, is_plain_file
from bench.base.text import count
from bench.results import cell_folders
from bench.results.cell_folders import CellFolder
from bench.results.record import Record
from bench.spec.plan import Plan

ID = re.compile(r"(?<![0-9a-f])[0-9a-f]{12}(?![0-9a-f])")
MAIN = ("record.json", "log.txt", "last.safetensors", "best.safetensors")


@dataclass(frozen=True)
class CellTrace:
    """All that there is of one cell; paths are as they can be opened from here."""

    cell: str
    id: str
    state: str  # the record's status and reason, or why there is no record
    outcome: str
    counted: str  # what its network multiplies in evaluation
    seal: str
    record: str
    processes: list[dict[str, Any]]  # provenance of each that worked on it, the last one last
    receipt: dict[str, Any] | None
    digests: dict[str, str]  # of weights, data and plugins, as the record has them
    weights: dict[str, str]  # file → the digest that the record has of it
    log: str
    checkpoints: list[str]
    others: list[str]
    journals: dict[str, int]  # of runs → how many of its lines name the cell
    rows: list[str]  # where its numbers are printed, as `bench trace` takes them


class Mentions:
    """Where cells of a results folder are named: in journals of runs, in rows of kept suites."""

    def __init__(self, root: Path, plans: Iterable[Plan]) -> None:
        self.journals: dict[str, dict[str, int]] = {}  # cell's id → journal → lines
        self.rows: dict[str, dict[str, None]] = {}  # cell's id → rows, as `bench trace` takes them
        for path in sorted((root / "events").glob("*.jsonl")):
            if not is_file(path):  # a pipe would be waited for
                continue
            with suppress(OSError), path.open(encoding="utf-8", errors="replace") as lines:
                for cell_id in (name for line in lines for name in set(ID.findall(line))):
                    named = self.journals.setdefault(cell_id, {})
                    named[str(path)] = named.get(str(path), 0) + 1
        for plan in plans:
            for row, part, cell in plan.walk_cells():
                words = shlex.join([plan.suite, row.label, row.backbone, row.wa])
                printed = f"{words} ({part})" if part else words
                self.rows.setdefault(cell.id, {})[printed] = None


def trace_cell(folder: CellFolder, mentions: Mentions) -> CellTrace:
    """Everything that a results folder holds of one cell."""
    record, home = folder.record, folder.home
    made = [*record.earlier, record.provenance] if record else []
    digests = (record.weights_digest, record.best_digest) if record else ("", "")
    weights = zip(("last.safetensors", "best.safetensors"), digests, strict=True)
    there = sorted(str(p) for p in home.rglob("*") if p.is_file()) if home.is_dir() else []
    checkpoints = [path for path in there if path.startswith(f"{home / 'checkpoints'}/")]
    main = {str(home / name) for name in MAIN}
    cell_id = home.name.rpartition("__")[2]
    reason = f": {record.reason}" if record and record.reason else ""
    return CellTrace(
        cell=home.name,
        id=cell_id,
        state=folder.state + reason,
        outcome=_outcome(record) if record else "",
        counted=_counted(record) if record else "",
        seal=cell_folders.describe_seal(record) if record else "",
        record=_there(home / "record.json"),
        processes=[process.model_dump(mode="json") for process in made],
        receipt=record.receipt.model_dump(mode="json") if record and record.receipt else None,
        digests=_digests(record) if record else {},
        weights={str(home / n): digest for n, digest in weights if (home / n).is_file()},
        log=_there(home / "log.txt"),
        checkpoints=checkpoints,
        others=[path for path in there if path not in {*main, *checkpoints}],
        journals=mentions.journals.get(cell_id, {}),
        rows=[*mentions.rows.get(cell_id, {})],
    )


def _digests(record: Record) -> dict[str, str]:
    """By what they are of; those that an older record lacks are left out."""
    cell = record.cell
    plugins = {ref.name: ref.source for ref in (cell.weights, cell.activations) if ref}
    digests = {
        "last weights": record.weights_digest,
        "best weights": record.best_digest,
        **{f"{role}'s weights": digest for role, digest in record.parents.items()},
        "data": cell.data.fingerprint,
        **plugins,
        cell.backbone.name: cell.backbone.source,
    }
    return {name: digest for name, digest in digests.items() if digest}


def _there(path: Path) -> str:
    return str(path) if is_plain_file(path) else ""


def _outcome(record: Record) -> str:
    """Accuracy and its epochs, in words; curves of thousands are not read for what tables tell."""
    epoch, last, best = record.best_epoch, record.last_acc, record.best_acc
    epochs = record.epochs
    if epoch is None or last is None or best is None:  # of an old record, or of a lesser end
        curve = record.curves.get("test_acc") or []
        if not curve:
            return ""
        epoch = curve.index(max(curve)) if epoch is None else epoch
        last, best = curve[-1], curve[epoch]
    never = " (in no epoch as binary as it says)" if record.never_binary else ""
    return (
        f"test accuracy {100 * last:.2f} % after epoch {epochs}, "
        f"best {100 * best:.2f} % after epoch {epoch + 1}{never}"
    )


def _counted(record: Record) -> str:
    """What the network multiplies in evaluation, in words."""
    levels = record.levels
    if levels is None:
        return ""
    weights = f"weights {levels.weights} values a filter ({100 * levels.weight_zeros:.1f} % zeros)"
    inputs = f"inputs {levels.inputs} a channel ({100 * levels.input_zeros:.1f} % zeros)"
    words = [weights, inputs if levels.inputs is not None else "inputs real"]
    words += [f"{levels.products} products a layer"] * (levels.products > 1)
    wrong = sorted(levels.unlike)
    if wrong:
        epochs = count(len(wrong), "epoch")
        words.append(f"otherwise in {epochs}, last {wrong[-1] + 1}: {levels.unlike[wrong[-1]]}")
    return ", ".join(words)
