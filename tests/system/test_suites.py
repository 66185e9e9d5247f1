"""The shipped suites: each asks a question, is sound, and runs in its small twin."""

from pathlib import Path

import pytest
from samples import run_plan

from bench.base.python_files import shipped
from bench.leaderboard.ranking import rank
from bench.leaderboard.tables import render
from bench.planning import planner
from bench.planning.explain import describe
from bench.results.cell_state import CellStates
from bench.spec.composition import compose
from bench.spec.published import read_ledger
from bench.spec.suite import Entry, parse

HOME = shipped("suites")
SHIPPED = sorted(path.stem for path in HOME.glob("*.yaml"))
TWINS = [name for name in SHIPPED if name.endswith("-mini")]
PAPER = (
    *("table1", "table2", "table3", "appendix-table1", "appendix-table2", "appendix-table3"),
    *("figure2", "figure3", "figure4", "figure5", "figure6"),
    *("figure-a1", "figure-a2", "figure-a3", "readme", "controls", "tuned"),
    *("estimators", "methods", "methods-w", "budget"),
)


def test_every_table_and_figure_has_a_suite_and_a_twin() -> None:
    """The ReSTE paper's tables, figures, appendix, README; controls, tuning; every plugin."""
    assert set(PAPER) <= set(SHIPPED)
    assert {f"{name}-mini" for name in PAPER} == set(TWINS)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_suite_is_headed_by_its_question(name: str) -> None:
    """The first comment asks what the suite answers; a twin asks the same."""
    text = describe(HOME / f"{name}.yaml", [])
    head = " ".join(text.split("\n\n")[0].split())

    assert "?" in head


@pytest.mark.parametrize("name", TWINS)
def test_a_twin_has_the_rows_of_its_suite(name: str) -> None:
    """Same estimators, backbones, W/A, schedules, includes, excludes and published rows.

    Rows of a recipe of their own have another one in the twin, a short one.
    """
    full, twin = (parse(compose(HOME / f"{n}.yaml"))[0] for n in (name.removesuffix("-mini"), name))
    assert full
    assert twin

    assert _without_recipes(twin.estimators) == _without_recipes(full.estimators)
    assert list(twin.backbones) == list(full.backbones)
    for field in ("wa", "schedules", "include", "exclude", "baseline", "published", "preset"):
        assert getattr(twin, field) == getattr(full, field)


def _without_recipes(estimators: dict[str, Entry]) -> dict[str, Entry]:
    """Entries without their `train`, and that of their structures."""
    bare = {label: {k: v for k, v in e.items() if k != "train"} for label, e in estimators.items()}
    for entry in bare.values():
        nets = entry.get("structure", {})
        entry |= (
            {
                "structure": {
                    n: {k: v for k, v in net.items() if k != "train"} for n, net in nets.items()
                }
            }
            if nets
            else {}
        )
    return bare


def smallest(name: str) -> list[str]:
    """Overrides that leave one seed, one epoch and a few images of a twin."""
    suite, _ = parse(compose(HOME / f"{name}.yaml"))
    assert suite
    tiny = {"digits": {"train": 100 if suite.tune else 24, "test": 10}}
    said = ["train.epochs=1", "train.warmup=0", "train.batch_size=12", "seeds=0"]
    said.append(f"train.histograms={[0] * bool(suite.train.histograms)}")
    said += ["cross.train.epochs=[1]"] * bool(suite.cross)
    for place, data in [("data", suite.data)] + [
        (f"backbones.{label}.data", net["data"])
        for label, net in suite.backbones.items()
        if "data" in net
    ]:
        said += [f"{place}.digits.{k}={v}" for k, v in tiny["digits"].items()]
        assert list(data) == ["digits"]
    for label, net in suite.backbones.items():
        if "train" in net:
            said += [f"backbones.{label}.train.{k}" for k in ("epochs=1", "batch_size=12")]
            said += [f"backbones.{label}.train.histograms=[0]"] * ("histograms" in net["train"])
    return said


@pytest.mark.slow
@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    "name", [n for n in TWINS if n != "methods-w-mini"]
)  # rows of methods-mini
def test_a_twin_runs_in_its_smallest_form(name: str, tmp_path: Path) -> None:
    """Every row trains to its end, every claim has its line, every format prints."""
    from rich.console import Console

    plan = planner.plan(HOME / f"{name}.yaml", smallest(name))
    with (tmp_path / "out.txt").open("w") as file:
        console = Console(file=file, width=200)
        fine = run_plan(plan, tmp_path, console)
    board = rank(plan, CellStates(tmp_path, plan.possible).records(stale=False))
    rows = board.measured

    assert fine, (tmp_path / "out.txt").read_text()
    assert board.recorded == board.total
    assert all(row.scores.last or row.seeds.lost for row in rows)
    assert all(row.verdict for row in rows if row.claim)
    for text in (render.text(board, "md"), render.text(board, "csv"), render.text(board, "json")):
        assert len(text.splitlines()) > len(rows)


@pytest.mark.slow
def test_every_claim_of_a_paper_suite_is_on_its_board() -> None:
    """Tables 1 to 3, the appendix and the README: no published row is silently absent."""
    for name in ("table1", "table2", "table3", "appendix-table1", "appendix-table2", "readme"):
        plan = planner.plan(HOME / f"{name}-mini.yaml", smallest(f"{name}-mini"))
        shown = [row.claim for row in plan.rows if row.claim]
        shown += [absent.claim for absent in plan.absent]

        assert sorted(c.model_dump_json() for c in shown) == sorted(
            c.model_dump_json() for c in read_ledger(name, HOME)
        )
