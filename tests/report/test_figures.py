"""Figures say what records say, in one style, with the same bytes."""

import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.collections import FillBetweenPolyCollection
from matplotlib.figure import Figure
from samples import cell, record, row

from bench.errors import EmptyMatch, EnvironmentProblem, PluginError, UsageError
from bench.leaderboard.stats.friedman import critical_difference
from bench.leaderboard.stats.intervals import estimate
from bench.nn.contract import Surrogate
from bench.registry import ESTIMATORS
from bench.report.figures import (
    accuracy,
    cost,
    equilibrium,
    files,
    gallery,
    histograms,
    layers,
    panels,
    style,
)
from bench.report.figures.drawing import draw_panels, draw_suite
from bench.report.figures.kinds import FigureKind
from bench.report.figures.panels import SuitePanels, arrange_panels
from bench.report.page import page_figures
from bench.results import store
from bench.results.cell_state import CellStates
from bench.results.record import Histogram, LayerIndicators, Record
from bench.spec.cell import Cell, Recipe, Ref
from bench.spec.cell_status import CellStatus
from bench.spec.plan import Plan
from bench.spec.suite_file import find_suite

Ask = Callable[..., tuple[int, str, str]]
HOSTILE = (
    "_hidden",
    "$x_1$ \\frac{",
    "</svg><script>&",
    "a\nb\x1b[31m",
    "中文",
    "x" * 300,
    "%s {0}",
)


def indicators(factor: float) -> list[LayerIndicators]:
    """Two layers of weights and one of activations, for three epochs."""
    kept = [
        Histogram(epoch=0, quantity="gradient", low=-factor, high=factor, counts=[1, 2, 1]),
        Histogram(epoch=0, quantity="error", low=0.5, high=0.5, counts=[4, 0]),
    ]
    values = [factor, 2 * factor, 3 * factor]
    names = ("grad_mean_last", "grad_var_last", "grad_mean", "grad_var", "error_now_used",
             "error_now_pure", "error_end_used", "error_end_pure", "knob")  # fmt: skip
    return [
        LayerIndicators.model_validate(
            {"layer": layer, "role": role, "n": [800] * 3, "zeros": [0] * 3, "n_grad": 4}
            | {"histograms": kept if role == "W" else []}
            | dict.fromkeys(names, values)
        )
        for layer, role in (("a", "W"), ("b", "W"), ("a", "A"))
    ]


def made(label: str, seeds: int, acc: float, **params: object) -> tuple[list[Cell], list[Record]]:
    """Cells of one estimator, three epochs each, and their records."""
    ref = Ref(name=label.partition("(")[0], params=params)
    cells = [
        cell(weights=ref, activations=ref, seed=seed, recipe=Recipe(epochs=3))
        for seed in range(seeds)
    ]
    return cells, [
        record(
            c,
            curves={
                "train_loss": [2.0, 1.5 + c.seed / 10, 1.0],
                "test_acc": [0.1, acc - c.seed / 50, acc + c.seed / 100],
                "lr": [0.1, 0.05, 0.01],
            },
            indicators=indicators(1 + c.seed),
            images_per_s=100 * (1 + acc),
            parameters=2000,
            best_epoch=2,
        )
        for c in cells
    ]


def suite(*labels: str, seeds: int = 3) -> tuple[Plan, list[Record]]:
    """A plan of those labels, the first the worst, and its records."""
    both = [made(label, seeds, 0.3 + 0.01 * i, o_end=i) for i, label in enumerate(labels)]
    rows = [row(name, cells, published=84.4) for name, (cells, _) in zip(labels, both, strict=True)]
    plan = Plan(suite="s", source="s.yaml", source_digest="0", baseline=None, rows=rows)
    return plan, [r for _, records in both for r in records]


def figure(kind: str, plan: Plan, records: list[Record]) -> Figure:
    ((_, _, found),) = draw_suite(plan, records, [FigureKind(kind)])
    return found


def texts(found: Figure) -> str:
    """All text of a figure, as it stands in its SVG."""
    return "".join(ET.fromstring(style.encode(found, "svg")).itertext())


def test_curves_are_the_records() -> None:
    """Lines are means over seeds, bands the t intervals, of loss and of accuracy in percent."""
    plan, records = suite("ste", "reste")
    left, right = figure("curves", plan, records).axes

    for axes, key, factor in ((left, "train_loss", 1), (right, "test_acc", 100)):
        lines = [[*map(float, line.get_ydata())] for line in axes.get_lines()]  # type: ignore[arg-type]
        for label, line, band in zip(("reste", "ste"), lines, axes.collections, strict=True):
            own = [r for r in records if r.cell.weights and r.cell.weights.name == label]
            per_epoch = [estimate([factor * r.curves[key][e] for r in own]) for e in range(3)]
            assert line == pytest.approx([e.mean for e in per_epoch if e])
            assert isinstance(band, FillBetweenPolyCollection)
            ys = [float(y) for y in band.get_paths()[0].vertices[:, 1]]  # type: ignore[index]
            wide = [e for e in per_epoch if e and e.half_width]
            assert max(ys) == pytest.approx(max(e.mean + (e.half_width or 0) for e in wide))
            assert min(ys) == pytest.approx(min(e.mean - (e.half_width or 0) for e in wide))


def test_one_seed_has_no_band() -> None:
    """Without a second seed there is nothing to tell a spread from."""
    plan, records = suite("ste", seeds=1)

    assert not any(axes.collections for axes in figure("curves", plan, records).axes)


def test_a_divergence_is_drawn_and_in_no_mean() -> None:
    """The mean is of the runs that ended; the one that did not stands alone, up to its end."""
    plan, records = suite("ste")
    curves = {"train_loss": [9.0], "test_acc": [0.1], "lr": [0.1]}
    lost = records[0].model_copy(update={"status": CellStatus.DIVERGED, "curves": curves})
    left, _ = figure("curves", plan, [lost, *records[1:]]).axes
    mean, own = left.get_lines()

    assert [*map(float, mean.get_ydata())] == pytest.approx([2.0, 1.65, 1.0])  # type: ignore[arg-type]
    assert ([*own.get_ydata()], own.get_marker()) == ([9.0], "x")  # type: ignore[misc]


def test_the_equilibrium_is_the_table() -> None:
    """Points of e and s against accuracy are the leaderboard's numbers; the path is by epoch."""
    plan, records = suite("ste")
    found = figure("equilibrium", plan, records)
    path, e, s = (axes.get_lines()[0] for axes in found.axes)

    assert [*map(float, path.get_xdata())] == pytest.approx([2, 4, 6])  # type: ignore[arg-type]
    accs = [30.0, 31.0, 32.0]
    for point in (e, s):
        assert float(point.get_xdata()[0]) == pytest.approx(4)  # type: ignore[index]
        assert float(point.get_ydata()[0]) == pytest.approx(sum(accs) / 3)  # type: ignore[index]


def test_heat_maps_hold_every_layer_and_epoch() -> None:
    """A cell of the map is the mean over seeds of that layer's e at that epoch."""
    plan, records = suite("ste")
    (panel,) = panels.arrange_panels(plan, records).panels
    grid = layers.grid(panel.runs[0], "paper", "W", 0)

    assert grid == (["a", "b"], [[2, 4, 6], [2, 4, 6]])
    images = [image for axes in figure("layers", plan, records).axes for image in axes.images]
    assert [image.get_array().shape for image in images] == [(2, 3), (2, 3), (1, 3), (1, 3)]  # type: ignore[union-attr]


def test_histograms_keep_their_mass() -> None:
    """Bins of all layers are shared out by overlap; one without width falls into its own."""
    plan, records = suite("ste", seeds=1)
    (panel,) = panels.arrange_panels(plan, records).panels
    kept = histograms.histograms(panel.runs[0])
    edges = np.array([-1.0, -1 / 3, 0.0, 1 / 3, 1.0])
    assert histograms.shares(kept["gradient", 0], edges) == pytest.approx([0.25] * 4)
    assert histograms.shares(kept["error", 0], edges) == pytest.approx([0, 0, 0, 1])


def test_a_sweep_is_rows_that_differ_in_one_number() -> None:
    """o_end = 0, 1, 2 of one estimator: accuracy by o_end, published numbers beside it."""
    plan, records = suite("x(o_end=0)", "x(o_end=1)", "x(o_end=2)")
    *_, last = figure("sweep", plan, records).axes
    ours = last.get_lines()[0]

    assert [*ours.get_xdata()] == [0, 1, 2]  # type: ignore[misc]
    assert [*map(float, ours.get_ydata())] == pytest.approx([31, 32, 33])  # type: ignore[arg-type]
    assert "published" in texts(figure("sweep", plan, records))
    assert not [*draw_suite(*suite("a", "b", "c"), kinds=[FigureKind.SWEEP])]


def test_a_sweep_of_two_numbers_has_a_line_for_each_of_the_one() -> None:
    """o_end = 1, 2, 3 at k = 1 and 3: two lines along o_end, named by k; two values are none."""
    both = [
        (f"x(o_end={o},k={k})", *made(f"x(o_end={o},k={k})", 2, 0.3 + 0.01 * o, o_end=o, k=k))
        for k in (1, 3)
        for o in (1, 2, 3)
    ]
    rows = [row(name, cells) for name, cells, _ in both]
    plan = Plan(suite="s", source="s.yaml", source_digest="0", baseline=None, rows=rows)
    drawn = figure("sweep", plan, [r for _, _, records in both for r in records])
    *_, last = drawn.axes

    assert {(*line.get_xdata(),) for line in last.get_lines()} == {(1, 2, 3)}  # type: ignore[misc]
    assert "x, k 1" in texts(drawn)
    assert "x, k 3" in texts(drawn)
    few = Plan(suite="s", source="s.yaml", source_digest="0", baseline=None, rows=rows[:4:2])
    assert not [*draw_suite(few, [r for _, _, rs in both for r in rs], kinds=[FigureKind.SWEEP])]


def test_nothing_beats_the_front() -> None:
    """Cheaper and better rows alone; of equal cost the better one."""
    assert cost.front([(2, 50), (1, 40), (3, 45), (1, 30), (4, 50)]) == [(1, 40), (2, 50)]


def test_energy_is_drawn_where_it_was_counted() -> None:
    """A third panel in kJ, the mean over seeds, once a row has it; none before."""
    plan, records = suite("ste", "x")
    heads = [axes.get_xlabel() for axes in figure("cost", plan, records).axes]
    counted = [
        r.model_copy(update={"provenance": r.provenance.model_copy(update={"energy_j": 2000.0})})
        for r in records
    ]
    *_, last = figure("cost", plan, counted).axes

    assert "training, kJ" not in heads
    assert last.get_xlabel() == "training, kJ"
    assert {line.get_xdata()[0] for line in last.get_lines() if len(line.get_xdata()) == 1} == {2}  # type: ignore[arg-type, index]


def test_trained_weights_are_one_bit_where_binary() -> None:
    """1,600 binary weights of 2,000 parameters take 200 bytes, the other 400 take 1,600."""
    plan, records = suite("ste")
    (panel,) = panels.arrange_panels(plan, records).panels

    assert cost.kibibytes(panel.runs[0]) == pytest.approx(1800 / 1024)


@pytest.fixture(scope="module")
def page() -> dict[str, str]:
    """Every kind of figure of one suite, as it stands in a page."""
    plan, records = suite("x(o_end=0)", "x(o_end=1)", "x(o_end=2)")
    return {name: style.svg(f, name, f"<{name}>") for name, _, f in draw_suite(plan, records)}


@pytest.mark.parametrize("kind", FigureKind)
def test_a_module_draws_every_kind(kind: FigureKind) -> None:
    """It is called like the kind, and says what the figure shows and what it cannot do without."""
    assert callable(kind.module.draw)
    assert kind.module.CAPTION
    assert kind.module.NEEDS


def test_every_figure_says_where_it_comes_from(page: dict[str, str]) -> None:
    """Each kind is drawn; suite, seeds and version stand below it; it is small."""
    assert set(page) == set(FigureKind) - {"ranks", "recipe"}  # of one table there are none
    for drawn in page.values():
        said = " ".join(" ".join(ET.fromstring(drawn).itertext()).split())
        assert "Suite s, 3 seeds, signbench " in said
        assert "(partial)" not in said
        assert len(drawn) < 200_000


def test_several_figures_stand_in_one_page(page: dict[str, str]) -> None:
    """An inline figure has ids of its own, every reference meets one, and its caption is text."""
    whole = f"<html>{''.join(page.values())}</html>"
    ids = [e.get("id") for e in ET.fromstring(whole).iter() if e.get("id")]
    targets = re.findall(r'(?:href="|url\()#([^")]+)', whole)

    assert len(ids) == len(set(ids))
    assert targets
    assert set(targets) <= {*ids}
    assert 'aria-label="&lt;curves&gt;"' in page["curves"]


@pytest.mark.parametrize("value", [0.0, 1e-320])
def test_extreme_indicators_are_drawn(value: float) -> None:
    """Gradients that vanished leave figures that can be written."""
    plan, records = suite("ste", seeds=1)
    keys = ("grad_var", "error_now_used")
    seen = [x.model_copy(update=dict.fromkeys(keys, [value] * 3)) for x in records[0].indicators]
    extreme = [records[0].model_copy(update={"indicators": seen})]

    for kind in ("equilibrium", "layers"):
        assert style.encode(figure(kind, plan, extreme), "svg")


@pytest.mark.parametrize("form", files.FORMATS)
def test_the_same_records_give_the_same_bytes(form: style.FigureFormat) -> None:
    """No date, no random id."""
    plan, records = suite("ste", seeds=2)
    one, other = (style.encode(figure("curves", plan, records), form) for _ in range(2))

    assert one == other
    assert b"CreationDate" not in one


def test_what_is_missing_is_marked() -> None:
    """A figure of two of three seeds is a partial one, and says how much there is."""
    plan, records = suite("ste")
    said = texts(figure("accuracy", plan, records[1:]))

    assert "(partial)" in said
    assert "Partial: 2 of 3 cells" in said


def test_what_is_not_asked_for_is_not_missing() -> None:
    """Rows chosen by a filter are whole if their own cells are there, all of which are drawn."""
    plan, records = suite("ste", "reste")
    ste, reste = ([cell.id for cell in row.cells] for row in plan.rows)
    panels = arrange_panels(plan, [record for record in records if record.cell.id != ste[0]])
    whole = panels.only(reste)
    one = panels.only(ste[:1])

    assert whole.title("x") == "x"
    assert "Partial" not in whole.note()
    assert "Partial: 2 of 3 cells" in one.note()
    assert "Partial: 5 of 6 cells" in panels.note()


@pytest.mark.parametrize("kind", ["accuracy", "curves"])
def test_labels_stand_as_they_are_written(kind: str) -> None:
    """Mathematics, markup, hidden names and control characters are text, of bounded length."""
    plan, records = suite(*HOSTILE, seeds=1)
    said = texts(figure(kind, plan, records))

    for label in ("_hidden", "$x_1$", "</svg><script>&", "a b␛[31m", "中文", "x" * 35 + "…"):
        assert label in said
    assert "x" * 36 not in said


def test_the_gallery_shades_what_violates() -> None:
    """EDE is further from sign than the identity at z = 0.5, clipped STE nowhere."""
    found = {exhibit.name: exhibit for exhibit in gallery.installed()}
    z = torch.tensor([0.5], dtype=torch.float64)

    assert gallery.violations(found["ede"], z) == [True]
    assert gallery.violations(found["ste"], z) == [False]
    assert "reste" in found


def test_drawing_needs_no_torch() -> None:
    """Nor does any other command need matplotlib."""
    code = (
        "import sys, bench.cli.app, bench.leaderboard.board; "
        "assert 'matplotlib' not in sys.modules; "
        "import bench.report.figures.drawing; assert 'torch' not in sys.modules; "
        "assert 'matplotlib.pyplot' not in sys.modules"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_command_draws_all_it_can(ask: Ask, measured: Path, tmp_path: Path) -> None:
    """Each file is named; a real record's curves are in them."""
    code, out, err = ask("plot", "tiny", "--results", measured, "-o", tmp_path, "--format", "svg")
    names = {path.name for path in tmp_path.iterdir()}

    assert code == 0
    told = [line.split(": ")[:3] for line in err.splitlines()]
    assert told == [
        ["note", "not drawn", kind] for kind in ("ranks", "sweep", "recipe", "histograms")
    ]
    kinds = ("accuracy", "equilibrium", "curves", "knob", "layers")
    assert {f"tiny-{kind}.svg" for kind in kinds} <= names
    assert {Path(line.removeprefix("wrote ")).name for line in out.splitlines()} == names
    plan = store.find_plan(measured, "tiny")
    records = CellStates(measured, plan.possible).records(stale=False)
    _, right = figure("curves", plan, records).axes
    last = {float(line.get_ydata()[-1]) for line in right.get_lines()}  # type: ignore[index]
    assert last == {100 * r.curves["test_acc"][-1] for r in records}


def test_the_gallery_needs_no_records(
    ask: Ask, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All estimators that are installed, or those of a suite that never ran."""
    monkeypatch.setattr(ESTIMATORS, "names", lambda: ["ste", "broken"])
    to = ("--format", "svg", "-o", tmp_path / "out", "--results", tmp_path)
    assert ask("plot", "gallery", *to)[0] == 0
    assert ask("plot", tiny, "--kind", "gallery", *to)[0] == 0

    drawn = {path.name: path.read_text("utf-8") for path in (tmp_path / "out").iterdir()}
    assert set(drawn) == {"gallery.svg", "tiny-gallery.svg"}
    assert ">reste<" in drawn["tiny-gallery.svg"]


def test_an_f_that_raises_is_named() -> None:
    """A stranger's f cannot end the command in a traceback."""

    class Raisy(Surrogate):
        def value(self, z: torch.Tensor, knob: torch.Tensor, /) -> torch.Tensor:
            raise KeyError(1)

    raisy, ste = (
        gallery.EstimatorCurves(type(f).__name__, f, "W")
        for f in (Raisy(), ESTIMATORS.build("ste", {}))
        if isinstance(f, Surrogate)
    )
    with pytest.raises(PluginError, match="Raisy cannot be drawn: KeyError: 1"):
        gallery.draw([raisy], "")
    assert gallery.split([raisy, ste]) == ([ste], ["Raisy cannot be drawn: KeyError: 1"])


def test_a_papers_figure_has_its_width_and_its_caption_beside(tmp_path: Path) -> None:
    """Axes that were beside each other stand below; title and note are text, not in it."""
    plan, records = suite("a", "b")
    wide = figure("curves", plan, records)
    panels = arrange_panels(plan, records)
    ((_, _, narrow),) = draw_panels(panels, [FigureKind.CURVES], files.inches("column"))

    assert narrow.get_figwidth() == 3.25
    assert len({round(axes.get_position().x0, 2) for axes in narrow.axes}) == 1
    title, note = style.caption(narrow).splitlines()
    assert style.caption(wide).splitlines() == [title, note]
    assert title.startswith("Training of resnet20")
    assert title in texts(wide)
    assert title not in texts(narrow)
    *_, beside = files.write(("x", narrow), tmp_path, ["svg"], captions=True)
    assert beside.read_text(encoding="utf-8") == f"{title}\n{note}\n"
    assert b"Training of" not in (tmp_path / "x.svg").read_bytes()
    assert files.inches("8.5cm") == pytest.approx(8.5 / 2.54)
    for wrong in ("wide", "1", "900", "-8"):
        with pytest.raises(UsageError, match="expected column, text, or centimetres"):
            files.inches(wrong)


def test_rows_are_chosen() -> None:
    """Styles stay those of the whole suite; panels without a chosen row are none."""
    plan, records = suite("a", "b", "c")
    panels = arrange_panels(plan, records)
    few = panels.only({cell.id for cell in plan.rows[1].cells})

    assert [run.name for panel in few.panels for run in panel.runs] == ["b"]
    assert few.panels[0].runs[0].style == panels.styles["b"]
    assert not panels.only(set()).panels


def test_a_row_without_f_is_named_below_the_equilibrium() -> None:
    """It has no e to be drawn at."""
    plan, records = suite("a", "b")
    roles = {
        role: info.model_copy(update={"has_f": False}) for role, info in plan.rows[1].roles.items()
    }
    rows = [plan.rows[0], plan.rows[1].model_copy(update={"roles": roles})]
    drawn = figure("equilibrium", plan.model_copy(update={"rows": rows}), records)

    assert "No f, so no e: b." in style.caption(drawn)


def test_the_figures_of_the_paper_are_suites() -> None:
    """Each has its suite and its small twin, and is of kinds that there are."""
    for name, kinds in files.PAPER.items():
        assert find_suite(Path(name))
        assert find_suite(Path(f"{name}-mini"))
        assert {*kinds} <= {*files.KINDS}


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["tiny", "--kind", "cruves"], 2, "there is no such figure; did you mean `curves`?"),
        (["tiny", "--format", "gif"], 2, "--format `gif`: expected svg, pdf or png"),
        (["figre4"], 2, "did you mean `figure4`?"),
        (["figure4"], 2, "`bench run figure4` makes them"),
        (["tiny", "--kind", "sweep"], 2, "no estimator has three rows"),
        (["tiny", "--kind", "histograms"], 2, "train.histograms=[0, 9]"),
    ],
)
def test_errors_say_what_to_do(
    ask: Ask, measured: Path, tmp_path: Path, words: list[str], code: int, said: str
) -> None:
    """Unknown kinds and suites get a suggestion, missing records the command that makes them."""
    found, _, err = ask("plot", *words, "--results", measured, "-o", tmp_path)

    assert found == code
    assert said in err
    assert not [*tmp_path.iterdir()]


def test_missing_records_are_told(tmp_path: Path) -> None:
    """Which cells lack and what makes them; if all do, that is an error."""
    plan, records = suite("ste")
    store.save_plan(tmp_path, plan)
    asked = files.PlotRequest(Path("s"), (), ("accuracy",), tmp_path)
    with pytest.raises(
        EmptyMatch, match=r"3 of 3 cells without result.*`bench run s.yaml` makes them"
    ):
        files.figures(asked)
    for found in records[:2]:
        store.save_record(tmp_path, found)
    drawn, notes = files.figures(asked)

    assert [name for name, _ in drawn] == ["s-accuracy"]
    assert f"1 of 3 cells without result: {records[2].cell.slug}; `bench run s.yaml`" in notes[-1]


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """One clear error that names the file."""
    plan, records = suite("ste", seeds=1)
    (tmp_path / "file").touch()
    drawn = ("s", figure("accuracy", plan, records))
    with pytest.raises(EnvironmentProblem, match=r"cannot write `.*s\.svg`"):
        list(files.write(drawn, tmp_path / "file", ["svg"]))


def test_a_format_is_written_once() -> None:
    """Words in any order and twice."""
    assert files.formats("pdf, svg,svg") == ["svg", "pdf"]
    with pytest.raises(UsageError, match="--format ``"):
        files.formats("")


def test_full_precision_stands_beside_the_binary_net() -> None:
    """It is a row of the panel of its net, not a panel."""
    plan, records = suite("ste", seeds=1)
    real = cell(weights=None, activations=None, recipe=Recipe(epochs=3))
    rows = [*plan.rows, row("none", [real], wa="32/32")]
    (panel,) = panels.arrange_panels(
        plan.model_copy(update={"rows": rows}), [*records, record(real)]
    ).panels

    assert [run.name for run in panel.everything] == ["ste", "full precision"]
    assert accuracy.draw(panels.arrange_panels(plan, records), panel)


def test_ranks_stand_where_they_belong() -> None:
    """Four rows over three nets: names, average ranks, and Nemenyi's difference to scale."""
    plan, records = suite("ste", "reste", "ede", "dsq")
    nets = [
        r.model_copy(update={"backbone": n, "net": n}) for n in ("x", "y", "z") for r in plan.rows
    ]
    found = figure("ranks", plan.model_copy(update={"rows": nets}), records)
    (axes,) = found.axes
    lines = [np.asarray(line.get_xydata()) for line in axes.lines]
    said = texts(found)

    assert np.allclose(lines[0], [[1, 0], [4, 0]])
    scale = next(x for x in lines if np.allclose(x[:, 1], 1.1))
    assert np.ptp(scale[:, 0]) == pytest.approx(critical_difference(4, 3))
    for rank, name in enumerate(("dsq", "ede", "reste", "ste"), start=1):
        assert f"{name}  {rank}.00" in said
    assert "Tables: x 1/1, y 1/1, z 1/1" in said
    assert not [*draw_suite(plan, records, [FigureKind.RANKS])]


def test_accuracy_stands_along_a_crossed_recipe() -> None:
    """Two tables of one net at 3 and 30 epochs: means, intervals and ranks; a third net is none."""
    plan, records = suite("ste", "reste")
    long = {r.cell.id: r.cell.model_copy(update={"recipe": Recipe(epochs=30)}) for r in records}
    crossed = [
        r.model_copy(update={"backbone": f"x(epochs={e})", "cells": cells})
        for r in plan.rows
        for e, cells in ((3, r.cells), (30, [long[c.id] for c in r.cells]))
    ]
    better = {"test_acc": [0.1, 0.5, 0.6]}
    more = [
        r.model_copy(
            update={"cell": long[r.cell.id]}
            | ({"curves": r.curves | better} if r.cell.weights.name == "ste" else {})
        )
        for r in records
        if r.cell.weights
    ]
    several = plan.model_copy(update={"rows": crossed})
    above, below = figure("recipe", several, [*records, *more]).axes
    lines = {tuple(map(float, line.get_ydata())) for line in below.get_lines()}  # type: ignore[arg-type]

    assert [*above.get_lines()[0].get_xdata()] == [3, 30]  # type: ignore[misc]
    assert lines == {(2, 1), (1, 2)}
    assert not [*draw_suite(plan, records, [FigureKind.RECIPE])]


def test_a_crossed_recipe_is_drawn_for_each_value_of_what_else_is_crossed() -> None:
    """The labels say along what, though a row has a recipe of its own; no table hides another."""
    plan, records = suite("ste", "reste")
    rows = [
        r.model_copy(update={"backbone": f"x(epochs={e},gradients={g})"})
        for r in plan.rows
        for e in (1, 10)
        for g in ("float32", "bfloat16")
    ]
    drawn = figure("recipe", plan.model_copy(update={"rows": rows}), records)
    titles = [axes.get_title(loc="left") or axes.get_title() for axes in drawn.axes[:2]]

    assert [title.partition(",")[0] for title in titles] == [
        "x(gradients=float32)", "x(gradients=bfloat16)",
    ]  # fmt: skip
    drawn_at = [[*axes.get_lines()[0].get_xdata()] for axes in drawn.axes[:2]]  # type: ignore[misc]
    assert drawn_at == [[1, 10]] * 2


def test_what_lost_every_seed_says_why_nothing_is_drawn(tmp_path: Path) -> None:
    """A suite whose cells all diverged has records and no figure; each kind says what it lacks."""
    plan, records = suite("ste")
    store.save_plan(tmp_path, plan)
    for found in records:
        lost = {"status": CellStatus.DIVERGED, "reason": "the loss", "curves": {}, "indicators": []}
        store.save_record(tmp_path, found.model_copy(update=lost))
    with pytest.raises(UsageError, match=r"accuracy: no cell came to its end\n") as caught:
        files.figures(files.PlotRequest(Path("s"), (), (), tmp_path))

    assert all(f"{kind}: " in str(caught.value) for kind in FigureKind)


def test_full_precision_alone_is_no_figure_and_says_so(tmp_path: Path) -> None:
    """A filter that leaves rows without a panel is told what the figure lacks."""
    plan, records = suite("ste", seeds=1)
    real = cell(weights=None, activations=None, recipe=Recipe(epochs=3))
    rows = [*plan.rows, row("none", [real], wa="32/32")]
    store.save_plan(tmp_path, plan.model_copy(update={"rows": rows}))
    for found in (*records, record(real)):
        store.save_record(tmp_path, found)
    asked = files.PlotRequest(Path("s"), (), ("accuracy",), tmp_path, rows="estimator=none")

    with pytest.raises(UsageError, match="accuracy: no cell came to its end"):
        files.figures(asked)


def test_what_stood_for_infinity_has_a_mean() -> None:
    """Records hold the largest floats where a value was infinite; their mean is no error."""
    plan, records = suite("ste", seeds=2)
    most = indicators(sys.float_info.max / 3.5)
    wild = [record.model_copy(update={"indicators": most}) for record in records]
    ((run,),) = (panel.runs for panel in panels.arrange_panels(plan, wild).panels)
    found = layers.grid(run, "paper", "W", 0)
    e, s = equilibrium.path(wild, "paper")

    assert found
    assert found[1][0][-1] == e[-1] == s[-1] == sys.float_info.max


def test_a_page_of_many_cells_says_what_it_does_not_draw(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond `ALL` cells it has the first tables and their best rows; below, everything."""
    plan, records = suite("ste", "reste", "ede", seeds=2)
    drawn: list[list[str]] = []

    def note(panels: SuitePanels, _: object) -> list[object]:
        drawn.append([run.name for panel in panels.panels for run in panel.runs])
        return []

    monkeypatch.setattr(page_figures.drawing, "draw_panels", note)
    assert page_figures.figures(plan, records, "paper") == ([], "")
    monkeypatch.setattr(page_figures, "ALL", 5)
    monkeypatch.setattr(page_figures, "ROWS", 2)
    _, words = page_figures.figures(plan, records, "paper")

    assert drawn == [["ede", "reste", "ste"], ["ede", "reste"]]
    assert words.startswith("Drawn are no more than the 2 best rows of each, for")
