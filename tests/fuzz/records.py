"""Records, plans and weights that a run has left, and names that lead to them."""

import contextlib
import copy
import json
from pathlib import Path
from random import Random

from bench.base.files import write_file
from bench.errors import UsageError
from bench.results import cell_folders, store
from bench.results.record import Record
from bench.spec.plan import name_results
from bench.train import model
from fuzz import mutate, reports
from fuzz.box import Box, Read
from fuzz.sound import command, fresh, measured


def records(box: Box, rng: Random) -> Read:
    """A real record, damaged, where its cell's record belongs."""
    plan, sound = measured(box)
    whole = rng.choice(sound)
    if rng.random() < 0.3:
        content = mutate.raw(rng, whole.encode())
    else:
        data = mutate.structure(rng, json.loads(whole))
        content = json.dumps(data).encode()
    cell = Record.model_validate_json(whole).cell
    write_file(store.cell_path(box.results, cell) / "record.json", content)

    def read() -> None:
        reports.every(box, rng, plan)
        fresh()
        if rng.random() < 0.05:
            reports_of = rng.choice([["indicators"], ["indicators", "--curves"], ["eval"]])
            command([*reports_of, cell.id])
        reports.record(cell_folders.find_record(box.results, cell.id))

    return read


def plans(box: Box, rng: Random) -> Read:
    """The plan that a run kept, damaged."""
    plan, _ = measured(box)
    whole = plan.model_dump_json()
    if rng.random() < 0.3:
        content = mutate.raw(rng, whole.encode())
    else:
        content = json.dumps(mutate.structure(rng, json.loads(whole))).encode()
    write_file(store.suite_path(box.results, "tiny") / "plan.json", content)

    def read() -> None:
        if rng.random() < 0.05:
            command(["leaderboard", "tiny"])
        found = store.find_plan(box.results, "tiny")
        reports.every(box, rng, found)

    return read


def weights(box: Box, rng: Random) -> Read:
    """Kept weights, damaged: never unpickled, never half loaded."""
    plan, _ = measured(box)
    cell = plan.cells[0]
    content: bytes = box.known["files"][f"cells/{cell.slug}/last.safetensors"]
    content = mutate.raw(rng, content) if rng.random() < 0.5 else mutate.tensors(rng, content)
    write_file(store.cell_path(box.results, cell) / "last.safetensors", content)
    record = Record.model_validate_json(box.known["measured"][1][0])
    return lambda: _restored(box, record)


def _restored(box: Box, record: Record) -> None:
    model.load_recorded(record, box.results, "last")


def names(box: Box, rng: Random) -> Read:
    """Names of suites, cells and overrides that would lead out of the results folder."""
    plan, _ = measured(box)
    words = [*mutate.STRANGE, str(box.outside / "x"), "../../outside/x", "link/x", "x/../../y"]
    (box.results / "suites").mkdir()
    (box.results / "suites" / "link").symlink_to(box.outside)
    chosen = rng.choice(words)
    over = [f"{rng.choice(words)}={rng.choice(words)}"] if rng.random() < 0.5 else []

    def read() -> None:
        suite = name_results(Path(chosen), over)
        moved = copy.copy(plan).model_copy(update={"suite": suite})
        store.save_plan(box.results, moved)
        store.find_plan(box.results, suite)
        reports.table(box, moved)
        with contextlib.suppress(UsageError):
            cell_folders.find_record(box.results, chosen)

    return read
