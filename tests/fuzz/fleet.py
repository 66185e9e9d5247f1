"""Profiles of machines, and what submissions leave in a results folder."""

import json
from datetime import UTC, datetime
from random import Random

from bench.base.text import printable
from bench.execution import journal
from bench.fleet import machines_file, submission
from bench.fleet.profile import Profile
from bench.results.lease import myself
from fuzz import mutate, reports
from fuzz.box import Box, Read, misplace
from fuzz.sound import command, measured
from fuzz.suites import as_yaml

MACHINES = {
    "cluster": {
        "engine": "slurm", "partition": "gpu", "time": "12h", "mem": "32GB", "gpus_per_cell": 1,
        "slots_per_gpu": "auto", "setup": ["module load cuda"], "sbatch": {"gres": "gpu:1"},
    },
    "four": {"extends": "cluster", "gpus_per_cell": 4, "time": "2d"},
    "lab": {"engine": "ray", "address": "auto", "shared": False},
}  # fmt: skip
INLINE = ["slurm:partition=gpu,time=12h", "ray:address=auto", "four:mem=64GB", "local:jobs=2"]


def machines(box: Box, rng: Random) -> Read:
    """A `machines.yaml`, damaged as data or as text, and what `--on` may say."""
    content = as_yaml(rng, mutate.structure(rng, MACHINES))
    if rng.random() < 0.3:
        content = mutate.text(rng, content.decode(errors="surrogatepass"))
    path = box.put(machines_file.FILE, content)
    if rng.random() < 0.05:
        misplace(box, rng, path)
    odd = mutate.text(rng, rng.choice(INLINE)).decode(errors="replace")
    name = rng.choice([*MACHINES, *INLINE, odd, "slurm", "none"])

    def read() -> None:
        if rng.random() < 0.05:
            command(["machines", "list"])
        profile = machines_file.load(name, box.inside / "tiny.yaml")
        reports.on_terminal(printable(profile.model_dump_json()), 200)
        machines_file.profiles(box.inside / "tiny.yaml")

    return read


def submissions(box: Box, rng: Random) -> Read:
    """The files of a submission, some of which say something else or are no files."""
    plan, _ = measured(box)
    cells = journal.entries(plan.cells, dict.fromkeys((c.id for c in plan.cells), "a cell"))
    owner, now = myself(), datetime.now(UTC)
    claim = submission.Claim(
        number=1, suite=plan.suite, profile=Profile(name="slurm", engine="slurm"),
        command=["bench", "run"], owner=owner, at=now, cells=cells, batches={"b": [cells[0].id]},
    )  # fmt: skip
    wave = submission.Wave(owner=owner, at=now, batches=["b"])
    files = {
        "1.json": claim.model_dump_json(),
        "1/waves/1.json": wave.model_dump_json(),
        "1/waves/1.jobs": submission.Outcome(jobs={"b": "7_0"}).model_dump_json(),
        "1/cancelled.jsonl": json.dumps({"at": now.isoformat(), "cells": [cells[0].id]}) + "\n",
        "1/ends.jsonl": json.dumps({"job": "7_0", "restarts": 0, "word": "NODE_FAIL"}) + "\n",
    }
    for name, text in files.items():
        path = box.results / "jobs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        said = text.encode()
        if rng.random() < 0.4:
            said = json.dumps(mutate.structure(rng, json.loads(text))).encode()
        if rng.random() < 0.2:
            said = rng.choice([mutate.raw(rng, said), *mutate.LINES])
        path.write_bytes(said)
        if rng.random() < 0.05:
            misplace(box, rng, path)

    def read() -> None:
        for one in submission.submissions(box.results, closed=True):
            reports.on_terminal(printable(" ".join(one.claim.command)), 200)
            for cell in plan.cells:
                one.has(cell.id, None)
        command(["status"])
        command(["status", "--json"])

    return read
