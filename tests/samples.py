"""Cells, records, plans, boards and results folders, small and made by hand."""

import hashlib
import io
import json
import tarfile
from pathlib import Path

import torch
from rich.console import Console

from bench.execution import session
from bench.execution.job import Slot
from bench.execution.request import PreparedRun, RunRequest
from bench.leaderboard.board import Board
from bench.leaderboard.ranking import rank
from bench.results import archive, store
from bench.results.cell_state import CellStates
from bench.results.record import Provenance, Record
from bench.spec.cell import CORE, Binarization, Cell, DataRef, Recipe, Ref
from bench.spec.plan import Absent, Plan, Properties, RoleInfo, Row, Witness
from bench.spec.published import Claim, read_ledger
from bench.train.outcome import Outcome
from bench.train.snapshot import Snapshot
from bench.train.weights import State

Entry = tuple[str | tarfile.TarInfo, bytes]  # of an archive
ORIGIN = Provenance(
    commit="c", dirty=False, versions={"torch": "2"}, device="cpu", threads=1, compiled=False,
    host="h", command="bench run", started="2026-01-01T00:00:00+00:00", wall_s=1.0,
)  # fmt: skip
WEIGHTS: State = {"w": torch.arange(6.0).view(2, 3), "n": torch.tensor(3)}
ACCS: dict[str, dict[int, float | None]] = {
    "ste": {0: 0.80, 1: 0.81, 2: 0.82, 3: 0.81},
    "alike": {0: 0.81, 1: 0.82, 2: 0.81, 3: 0.82},
    "worse": {0: 0.70, 1: 0.71, 2: 0.72, 3: 0.71},
    "lost": {0: 0.99, 1: None, 2: 0.99, 3: 0.98},
}
EVIL = '</script><img src=x onerror="alert(1)">'


def cell(**change: object) -> Cell:
    """A cell; `change` replaces fields."""
    fields: dict[str, object] = {
        "core": CORE,
        "weights": Ref(name="ste", params={"clip": 1.0}),
        "activations": Ref(name="ste", params={"clip": 1.0}),
        "backbone": Ref(name="resnet20", params={"width": 8}),
        "data": DataRef(name="digits", fingerprint="0" * 16),
        "binarization": Binarization(),
        "recipe": Recipe(epochs=2),
        "seed": 0,
    }
    return Cell.model_validate(fields | change)


def record(of: Cell | None = None, **change: object) -> Record:
    curves = {"train_loss": [2.0, 1.0], "test_acc": [0.6, 0.5], "lr": [0.1, 0.05]}
    fields: dict[str, object] = {"cell": of or cell(), "status": "ok", "curves": curves}
    return Record.model_validate(fields | {"provenance": ORIGIN, "best_epoch": 0} | change)


def row(label: str, cells: list[Cell], wa: str = "1/1", published: float | None = None) -> Row:
    info = RoleInfo(plugin=label, formula=f"f(z) = {label}", kind="a kind")
    roles = {} if wa == "32/32" else {"W": info, "A": info}
    return Row.model_validate(
        {"label": label, "backbone": "resnet20", "wa": wa, "schedule": "default", "roles": roles,
         "net": "resnet20", "data": "digits", "classes": 10, "cells": cells,
         "claim": published and Claim(label=label, wa=wa, method=label, acc=published, source="T3")}
    )  # fmt: skip


def made(label: str, accs: dict[int, float | None]) -> tuple[list[Cell], list[Record]]:
    """Cells of one label and their records; None is a divergence."""
    ref = Ref(name=label)
    cells = [cell(weights=ref, activations=ref, seed=seed) for seed in accs]
    records = [
        record(c, curves={"train_loss": [1], "test_acc": [acc], "lr": [0.1]})
        if acc is not None
        else record(c, status="diverged", reason="the loss", curves={})
        for c, acc in zip(cells, accs.values(), strict=True)
    ]
    return cells, records


def board_of(definition: str = "paper") -> Board:
    a, a_records = made("ste", {0: 0.50, 1: 0.52, 2: 0.54})
    b, b_records = made("reste", {0: 0.51, 1: 0.55, 2: 0.56})
    c, c_records = made("wild|*", {0: 0.40, 1: None, 2: None})
    d, _ = made("absent", {0: 0.1})
    real = [cell(weights=None, activations=None, seed=0)]
    rows = [
        row("ste", a, published=84.44), row("reste", b), row("wild|*", c), row("absent", d),
        row("none", real, wa="32/32"),
    ]  # fmt: skip
    plan = Plan(
        suite="s", source="s.yaml", source_digest="0", baseline="ste", rows=rows,
    )  # fmt: skip
    records = [*a_records, *b_records, *c_records, record(real[0])]
    return rank(plan, records, definition)  # type: ignore[arg-type]


def board_of_four(accs: dict[str, dict[int, float | None]] = ACCS, **more: str) -> Board:
    cells = {label: made(label, values) for label, values in accs.items()}
    plan = Plan(
        suite="s", source="s.yaml", source_digest="0", baseline="ste",
        rows=[row(label, own) for label, (own, _) in cells.items()],
    )  # fmt: skip
    records = [record for _, found in cells.values() for record in found]
    return rank(plan, records, **more)  # type: ignore[arg-type]


def board_of_ledger(name: str, own: str = "") -> Board:
    """A board that measured every third row of a ledger, and one row that is not in it."""
    claims = read_ledger(name, Path())
    rows: list[Row] = []
    records: list[Record] = []
    for number, one in enumerate(claims):
        if number % 3 == 0 and one.wa in {"1/1", "1/32", "32/32"}:
            accs: dict[int, float | None] = {0: 0.5 + number / 100, 1: 0.52 + number / 100}
            cells, found = made(f"{one.label} {number}", accs)
            records += found
            known = {"claim": one, "backbone": one.backbone, "schedule": one.schedule}
            rows.append(row(one.label, cells, one.wa).model_copy(update=known))
    cells, found = made(own, {0: 0.39, 1: 0.41})
    rows += [row(own, cells)] * bool(own)
    absent = [
        Absent(claim=c, reason="not built") for c in claims if all(c != r.claim for r in rows)
    ]
    plan = Plan(
        suite="s", source="s", source_digest="0", baseline=None, rows=rows, absent=absent
    )  # fmt: skip
    return rank(plan, [*records, *found])


def results(root: Path) -> Path:
    """A results folder: two tiers, a row that lost seeds, hostile text, a row that is not run."""
    best, best_records = made("reste", {0: 0.800, 1: 0.801, 2: 0.802})
    base, base_records = made("ste", {0: 0.500, 1: 0.501, 2: 0.502})
    close, close_records = made("ede", {0: 0.490, 1: 0.501, 2: 0.505})
    lost, lost_records = made("wild", {0: 0.400, 1: None, 2: None})
    rows = [row("reste", best, published=86.75), row("ste", base), row("ede", close)]
    rows += [_hostile(row("wild", lost))]
    absent = Claim(label="bop", wa="1/1", method="Bop", acc=80.0, source=EVIL, backbone="resnet20")
    plan = Plan(
        suite="s", source="s.yaml", source_digest="0", baseline="ste", rows=rows,
        absent=[Absent(claim=absent, reason="not built")],
    )  # fmt: skip
    store.save_plan(root, plan)
    for record in (*best_records, *base_records, *close_records, *lost_records):
        home = store.save_record(root, record).parent
        (home / "log.txt").write_text(f"epoch 1\n{EVIL}\x1b[31m\n", encoding="utf-8")
    return root


def _hostile(row: Row) -> Row:
    witness = Witness(z=1, knob=None, gap=1, text=EVIL)
    judged = Properties(rational="no", flexible="little", rational_witness=witness)
    info = RoleInfo(plugin="wild", formula=EVIL, kind=EVIL, printed=judged, trained=judged)
    return row.model_copy(update={"roles": {"W": info, "A": info}, "label": f"wild{EVIL}"})


def snapshot(step: int = 1, epoch: int = 2) -> Snapshot:
    """One with a little of everything; its losses tell it apart."""
    curves = {"train_loss": [0.1 + step, 1 / 3], "test_acc": [0.5, 0.25]}
    return Snapshot(
        epoch=epoch,
        step=step,
        weights={k: v + step for k, v in WEIGHTS.items()},
        optimizer={0: {"momentum_buffer": torch.full((2, 3), 0.1), "step": 3}},
        order=torch.Generator().get_state(),
        generators={"python": (3, (1, 2), None), "torch": torch.get_rng_state()},
        total=torch.tensor(1.5),
        seen=7,
        sums=[torch.rand(1, 2, 2), torch.zeros(1, 0, 2)],
        elapsed=0.25,
        seconds=[1.0, 2.0],
        outcome=Outcome(curves=curves, best_epoch=0, best=WEIGHTS),
    )


def build(path: Path, entries: list[Entry], form: int = tarfile.USTAR_FORMAT) -> Path:
    """An archive of these entries, with a manifest that is right about them."""
    known = {n if isinstance(n, str) else n.name: hashlib.sha256(c).hexdigest() for n, c in entries}
    manifest = json.dumps({"format": archive.FORMAT, "sha256": known}).encode()
    with tarfile.open(path, "w:gz", format=form) as tar:
        for name, content in [*entries, (archive.MANIFEST, manifest)]:
            info = tarfile.TarInfo(name) if isinstance(name, str) else name
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def run_plan(plan: Plan, root: Path, console: Console) -> bool:
    """Run every cell that a plan may need, one at a time on the CPU, as `bench run` does."""
    request = RunRequest(Path(plan.source), root, data=root)
    states = CellStates(root, plan.possible)
    prepared = PreparedRun(request, plan, plan.possible, states)
    return session.run(prepared, lambda: (Slot("cpu", 1),), console, console)


class Every:
    """Keeps all snapshots; stops training before step `stop`, counted from 0 over epochs."""

    def __init__(self, stop: int = -1) -> None:
        self.stop, self.asked = stop, -1
        self.snapshots: list[Snapshot] = []

    def due(self) -> bool:
        return True

    def stopping(self) -> bool:
        self.asked += 1
        return self.asked == self.stop

    def keep(self, snapshot: Snapshot) -> None:
        self.snapshots.append(snapshot)
