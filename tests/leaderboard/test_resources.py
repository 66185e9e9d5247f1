"""What rows took: the time of a step beside STE's, memory, energy; by hand, in every format."""

import io
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias

import pandas as pd
import pytest
from rich.console import Console
from samples import cell, record, row

from bench.leaderboard import trace
from bench.leaderboard.board import Board, MeasuredRow
from bench.leaderboard.columns.selection import headed
from bench.leaderboard.ranking import rank
from bench.leaderboard.tables import latex, layout, render, terminal
from bench.results import store
from bench.results.record import Record
from bench.spec.cell import Ref
from bench.spec.plan import NetworkCost, Plan
from bench.spec.plan import Row as Planned

Mine: TypeAlias = tuple[Planned, list[Record]]


def row_of(
    label: str, speeds: list[float], process: Mapping[str, object] = {}, wa: str = "1/1"
) -> Mine:
    """A row and its records, a throughput for each seed, on a machine that is changed so."""
    w, a = (None if bits == "32" else Ref(name=label) for bits in wa.split("/"))
    cells = [cell(weights=w, activations=a, seed=seed) for seed in range(len(speeds))]
    records = [
        record(c, images_per_s=speed, peak_mib=500.0 + c.seed)
        for c, speed in zip(cells, speeds, strict=True)
    ]
    return row(label, cells, wa=wa), [on(r, {"cells_at_once": 1} | {**process}) for r in records]


def on(found: Record, process: Mapping[str, object], *earlier: Mapping[str, object]) -> Record:
    """The record, made on a machine that is changed so, and before on others."""
    past = [found.provenance.model_copy(update=other) for other in earlier]
    origin = found.provenance.model_copy(update=process)
    return found.model_copy(update={"provenance": origin, "earlier": past})


def board(*rows: Mine) -> Board:
    planned = [planned for planned, _ in rows]
    plan = Plan(suite="s", source="s", source_digest="0", baseline=None, rows=planned)
    return rank(plan, [record for _, records in rows for record in records])


def lines(found: Board) -> dict[str, MeasuredRow]:
    return {line.label: line for section in found.sections for line in section.measured}


def test_a_step_is_timed_by_stes_on_the_same_seed() -> None:
    """By hand: STE's 100 and 400 images/s over 50 and 800 are 2 and 1/2, whose mean is 1."""
    found = lines(
        board(
            row_of("ste", [100, 400, 300]),
            row_of("slow", [50, 200]),
            row_of("even", [50, 800]),
            row_of("none", [400], wa="32/32"),
        )
    )

    ratios = {label: line.resources.step_ratio for label, line in found.items()}
    assert ratios == pytest.approx({"ste": 1, "slow": 2, "even": 1, "none": 0.25})
    assert found["ste"].resources.peak_mib == 502
    assert not any(line.resources.unlike for line in found.values())


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"threads": 2}, "threads 2, STE's 1"),
        ({"host": "other"}, "host other, STE's h"),
        ({"compiled": True}, "engine compiled, STE's eager"),
        ({"device": "gpu", "cells_at_once": 4},
         "device gpu, STE's cpu; cells at a time 4, STE's 1"),
        ({"cells_at_once": None}, "cells at a time unknown, STE's 1"),
        ({"versions": {"torch": "3"}}, "torch 3, STE's 2"),
    ],
)  # fmt: skip
def test_what_was_measured_otherwise_is_not_compared(change: dict[str, object], why: str) -> None:
    """No ratio, and a line below the table that names the difference."""
    found = board(row_of("ste", [100, 100]), row_of("mine", [50, 50], change))
    line = lines(found)["mine"]
    text = render.text(found, "md")

    assert (line.resources.step_ratio, line.resources.unlike) == (None, {why: 2})
    assert f"step/STE of mine on resnet20, 1/1: without 2 of 2 seeds, {why}" in text


def test_two_records_that_moved_alike_are_not_compared() -> None:
    """Nobody knows which part of each was trained where."""
    rows = row_of("ste", [100]), row_of("mine", [50])
    moved = [(planned, [on(r, {}, {"host": "b"}) for r in records]) for planned, records in rows]
    line = lines(board(*moved))["mine"]

    assert line.resources.step_ratio is None
    assert next(iter(line.resources.unlike)).startswith("host b and h, STE's b and h")


def test_the_seeds_that_were_measured_alike_are_compared() -> None:
    """One seed on another machine leaves the others their ratio."""
    planned, (first, second) = row_of("mine", [50, 10])
    moved = planned, [first, on(second, {"host": "slow"})]
    line = lines(board(row_of("ste", [100, 100]), moved))["mine"]

    assert line.resources.step_ratio == pytest.approx(2)
    assert line.resources.unlike == {"host slow, STE's h": 1}


def test_the_yardstick_is_ste_as_it_is() -> None:
    """Of several rows of STE it is the one called so, at the row's own W/A or the fewest bits."""
    planned, records = row_of("wide", [10])
    info = {role: i.model_copy(update={"plugin": "ste"}) for role, i in planned.roles.items()}
    wide = planned.model_copy(update={"roles": info}), records
    real, half = row_of("none", [50], wa="32/32"), row_of("ste", [25], wa="1/32")
    found = board(real, half, wide, row_of("ste", [100]))
    ratios = {(x.label, x.wa): x.resources.step_ratio for s in found.sections for x in s.measured}

    assert ratios == pytest.approx({
        ("none", "32/32"): 2, ("ste", "1/1"): 1, ("ste", "1/32"): 1, ("wide", "1/1"): 10,
    })  # fmt: skip


def test_energy_is_of_all_processes_of_a_cell() -> None:
    """1 kJ and 2 of one seed, 5 of the other, are 4 a cell; an unknown part leaves a seed out."""
    planned, (first, second) = row_of("ste", [100, 100])
    parts = on(first, {"energy_j": 2000.0}, {"energy_j": 1000.0})
    whole, lacking = on(second, {"energy_j": 5000.0}), on(second, {"energy_j": 5000.0}, {})

    assert lines(board((planned, [parts, whole])))["ste"].resources.energy_j == 4000
    assert lines(board((planned, [parts, lacking])))["ste"].resources.energy_j == 3000
    assert "| 4.00 |" in render.text(board((planned, [parts, whole])), "md")


@pytest.mark.parametrize(("ours", "ste"), [(1e-300, 1e300), (1e300, 1e-300), (-1.0, 1.0)])
def test_a_throughput_beyond_reason_has_no_ratio(ours: float, ste: float) -> None:
    """Numbers that nobody measured break no table."""
    found = board(row_of("ste", [ste]), row_of("mine", [ours], {"energy_j": 1e308}))

    assert lines(found)["mine"].resources.step_ratio is None
    assert json.loads(render.text(found, "json"))


def test_every_format_has_the_costs() -> None:
    """Columns of tables, fields of CSV and JSON, macros of LaTeX; kJ where something has it."""
    cost = NetworkCost(parameters=5000, binary_weights=4000, binary_macs=10**7, real_macs=700)
    mine, records = row_of("mine", [50], {"energy_j": 1234.0})
    found = board(row_of("ste", [100]), (mine.model_copy(update={"cost": cost}), records))
    bare = board(row_of("ste", [100]), row_of("mine", [50]))
    frame = pd.read_csv(io.StringIO(render.text(found, "csv"))).set_index("label")
    rows = json.loads(render.text(found, "json"))["sections"][0]["lines"]

    assert frame.loc["mine", ["step_ratio", "peak_mib", "energy_j"]].tolist() == [2, 500, 1234]
    assert {x["label"]: x["step_ratio"] for x in rows} == {"ste": 1, "mine": 2}
    tex = render.text(found, "tex").replace(r"\\", " ")  # within a head
    for text in (render.text(found, "md"), render.text(found, "html"), tex):
        assert all(column.head in text for column in headed(("cost",), "paper"))
    network = ["parameters", "size_bits", "binary_macs", "real_macs"]
    assert frame.loc["mine", network].tolist() == [5000, 4000 + 32 * 1000, 10**7, 700]
    assert "| 5k | 36k | 10M | 700 |" in render.text(found, "md")
    assert not {"kJ", "MACs"} & {*re.findall(r"\w+", render.text(bare, "md"))}
    assert {r"\newcommand{\benchMineResnetTwoZeroOneOneStep}{2.00}",
            r"\newcommand{\benchMineResnetTwoZeroOneOnePeak}{500}",
            r"\newcommand{\benchMineResnetTwoZeroOneOneEnergy}{1.23}"} <= {
        *latex.text(layout.arranged(found)).splitlines()
    }  # fmt: skip


@pytest.mark.parametrize("width", [60, 100, 240])
def test_costs_fit_a_terminal(width: int) -> None:
    """Where columns stand under each other, those of cost are a table of their own, the last."""
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(terminal.table(board(row_of("ste", [1e4]), row_of("mine", [50])), width))
    text = console.export_text()
    heads = [line for line in text.splitlines() if "step/STE  " in line]

    assert max(map(len, text.splitlines())) <= width
    assert [h.split()[0] for h in heads] == ["estimator" if width < 230 else "#"]


def test_costs_can_be_traced(measured: Path, ask: Callable[..., tuple[int, str, str]]) -> None:
    """A row's ratio, peak and images/s are made of its seeds' values, which are their records'."""
    rows = trace.SuiteTrace(store.find_plan(measured, "tiny"), measured, "paper", stale=False)
    line = lines(rows.board)["reste"]
    ours, ste = (rows.fitting([label])[0] for label in ("reste", "ste"))
    (seed,), (other,) = ours.seeds, ste.seeds
    _, out, _ = ask("trace", "tiny", "reste", "--results", measured)

    assert line.resources.step_ratio == pytest.approx(seed.values["step_ratio"])
    assert seed.values["step_ratio"] == pytest.approx(
        other.values["images_per_s"] / seed.values["images_per_s"]
    )
    assert line.resources.peak_mib == seed.values["peak_mib"] > 50
    assert re.search(r"images/s +step/STE +peak, MiB *\n", out)
    assert "eager, 1 cell at a time" in out
