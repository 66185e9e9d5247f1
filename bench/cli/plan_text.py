"""How a plan is shown: a line for each cell, then what is left out, and the sums."""

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from bench.base.text import count
from bench.results.cell_state import CellState, CellStates
from bench.spec.cell import Cell
from bench.spec.plan import Plan, chain_part

if TYPE_CHECKING:
    from bench.cli.json_forms import Planned


def describe_plan(plan: Plan, states: CellStates) -> Iterator[str]:
    """Say of each cell that has a state what that is, then what is left out and why."""
    standings = dict(states.by_id)
    counts: Counter[str] = Counter()
    for row, part, cell in plan.walk_cells():
        standing = standings.pop(cell.id, None)  # once, though several rows may share it
        if standing is None:
            continue
        state = "no data" if row.missing else _state(standing, part)
        counts[state] += 1
        name = f"{row.full_name} x seed {cell.seed}"
        part = ", ".join(filter(None, [part, _whole_chain(cell, part)]))
        note = f" ({standing.note})" if standing.note else ""
        shown = "-" * 12 if row.missing else cell.id
        yield f"{shown}  {state:8}  {name}{f' ({part})' if part else ''}{note}"
    yield from _beside_cells(plan)
    yield _sums(plan, counts)


def plan_fields(plan: Plan, states: CellStates) -> "Planned":
    """The same, for programs."""
    standings = states.by_id
    return {
        "suite": plan.suite,
        "cells": [
            {
                "id": cell.id,
                "row": row.label,
                "backbone": row.backbone,
                "wa": row.wa,
                "schedule": row.schedule,
                "seed": cell.seed,
                "part": part,
                "state": "no data" if row.missing else standings[cell.id].state,
                "note": standings[cell.id].note,
            }
            for row, part, cell in plan.walk_cells()
            if cell.id in standings
        ],
        "left_out": [
            {"combination": left.combination, "reason": left.reason} for left in plan.left_out
        ],
        "failed_checks": {failed: [*labels] for failed, labels in plan.failed_checks.items()},
        "missing": list(plan.missing),
    }


def _beside_cells(plan: Plan) -> Iterator[str]:
    """Say what is to be known of the plan beside its cells, what is left out and why."""
    for row in plan.rows:
        if row.differences:
            name = f"{row.shown} x {row.backbone} x {row.wa}"
            yield f"{'own':>22}  {name}: {'; '.join(row.differences)}"
    yield from _networks(plan)
    for failed, labels in plan.failed_checks.items():
        yield f"{'fails check':>22}  {', '.join(labels)}: {failed}"
    for note in plan.notes:
        yield f"{'data':>22}  {note}"
    for left in plan.left_out:
        yield f"{'left out':>22}  {left.combination}: {left.reason}"
    for absent in plan.absent:
        claim = absent.claim
        name = f"{claim.method} x {claim.backbone} x {claim.wa}"
        yield f"{'published':>22}  {name}: {claim.acc:.2f}, {absent.reason}"


def _networks(plan: Plan) -> Iterator[str]:
    """Say what each network of a plan costs, once for each of its widths."""
    costs = dict.fromkeys((row.backbone, row.wa, row.data, row.cost) for row in plan.rows)
    for backbone, wa, data, cost in costs:
        if cost:
            macs = [f"{cost.binary_macs:,} binary"] if cost.binary_macs else []
            macs.append(f"{cost.real_macs:,} real")
            yield (
                f"{'network':>22}  {backbone} x {wa}: {cost.parameters:,} parameters, "
                f"{cost.bits(wa):,} bits; {' + '.join(macs)} MACs on {data.split(',')[0]}"
            )


def _whole_chain(cell: Cell, part: str) -> str:
    """Say of a cell that ends a chain what all of it takes: `stage 2 of 2, 5 epochs in all`."""
    if not cell.parents or chain_part(part):
        return ""
    stages = len(cell.stages)
    words = [f"stage {stages} of {stages}"] if stages > 1 else []
    epochs = sum(each.recipe.epochs for each in (*cell.ancestry(), cell))
    return ", ".join([*words, f"{count(epochs, 'epoch')} in all"])


def _state(standing: CellState, part: str) -> str:
    """Name the state of a cell; a seed of tuned values runs only if its trial is the best."""
    state = "to run" if standing.state == "failed" else standing.state
    return "if best" if part.startswith("tuned") and state == "to run" else state


def _sums(plan: Plan, counts: Counter[str]) -> str:
    stale = f"{counts['stale']} stale, " if counts["stale"] else ""
    unseen = f", {counts['no data']} without their data" if counts["no data"] else ""
    tuning = f", {counts['if best']} if tuning chooses them" if counts["if best"] else ""
    data_sets = ", ".join(dict.fromkeys(row.data for row in plan.rows))
    return (
        f"{count(counts.total(), 'cell')} on {data_sets}: "
        f"{counts['recorded']} recorded, {stale}{counts['to run']} to run{unseen}{tuning}; "
        f"{len(plan.left_out)} combinations left out"
    )
