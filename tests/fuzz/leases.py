"""Leases of cells, of this version and an earlier one."""

import json
from random import Random

from bench.results import lease, store
from bench.results.lease_files import LeaseFolder
from bench.results.owner import myself
from fuzz import mutate, reports
from fuzz.box import Box, Read, misplace
from fuzz.sound import measured


def leases(box: Box, rng: Random) -> Read:
    """A lease that says something else or is no file, and so the folder of leases."""
    plan, _ = measured(box)
    homes = [store.cell_path(box.results, cell) for cell in plan.cells]
    for home in homes[:2]:
        home.mkdir(parents=True)
        told = lease.Lease(owner=myself(), beat=3, at="2026-01-01").model_dump(mode="json")
        said = json.dumps(mutate.structure(rng, told)).encode()
        path = LeaseFolder(home).file(rng.choice([0, 0, 1, 2, 10**12]))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(rng.choice([said, said, mutate.raw(rng, said), *mutate.LINES]))
        if rng.random() < 0.2:
            misplace(box, rng, path)
    if rng.random() < 0.1:
        misplace(box, rng, box.results / "leases")

    def read() -> None:
        now = [0.0]
        mine = lease.Leases(box.results, myself(), lambda: now[0])
        for home in homes[:2]:
            reports.on_terminal(lease.holder(home))
        for now[0] in (0.0, 1.0, 100.0, 200.0):
            for cell in plan.cells[:2]:
                mine.take(cell)
            mine.beat()
        mine.release_all()
        with lease.idle(box.results):
            pass

    return read
