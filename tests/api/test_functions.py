"""What `import bench` gives: the same plan, board, numbers and errors as the commands'."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import torch

import bench
from bench.errors import DataError, EmptyMatch, EnvironmentProblem, SuiteError, UsageError
from bench.leaderboard import frame_files
from bench.results.record import Record

Ask = Callable[..., tuple[int, str, str]]
HOME = Path(bench.__file__).parent


def test_the_package_gives_its_functions_and_nothing_by_their_names() -> None:
    """They are listed, each is documented, and no file or folder could stand in for one."""
    assert set(bench.__all__) <= set(dir(bench))
    for name in bench.__all__:
        assert "Raises:" in (getattr(bench, name).__doc__ or ""), name
        assert not (HOME / name).exists()
        assert not (HOME / f"{name}.py").exists()
    with pytest.raises(AttributeError, match="no attribute `plans`"):
        _ = bench.plans  # pyright: ignore[reportAttributeAccessIssue]


def test_importing_it_imports_nothing_heavy(measured: Path) -> None:
    """`import bench` imports no library, and boards and cells are read without torch."""
    code = (
        "import sys, bench; heavy = {'torch', 'pandas', 'pydantic', 'matplotlib', 'rich'}; "
        "print(sorted(heavy & {*sys.modules}))\n"
        f"print(bench.board('tiny', results={str(measured)!r}), len(bench.cells(results="
        f"{str(measured)!r})), 'torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        env=os.environ | {"PYTHONPATH": str(HOME.parent)},
    )  # fmt: skip

    assert done.stdout == "[]\n<board of tiny: 2 rows, 2 of 2 cells recorded> 2 False\n"


def test_a_plan_has_a_line_for_each_cell(tiny: Path, measured: Path) -> None:
    """Overrides are a mapping or words, the filter chooses, and each cell says where it stands."""
    planned = bench.plan(measured.parent / "tiny.yaml", results=measured)
    changed = bench.plan(tiny, {"train.epochs": 3, "estimators": ["ste"]}, results=measured)

    assert planned.frame()[["label", "state"]].values.tolist() == [
        ["ste", "recorded"], ["reste", "recorded"],
    ]  # fmt: skip
    assert repr(changed) == f"<plan of {changed.plan.suite}: 1 cells, 1 to run>"
    assert changed.chosen == bench.plan(tiny, ["train.epochs=3", "estimators=[ste]"]).chosen
    assert changed.frame()["train.epochs"].tolist() == [3]


@pytest.mark.parametrize(
    ("call", "kind", "said"),
    [
        (lambda s, r: bench.plan("no_such"), SuiteError, "no_such"),
        (lambda s, r: bench.plan(s, {"train.epoch": 3}), SuiteError, "did you mean `epochs`?"),
        (lambda s, r: bench.plan(s, "train.epochs=3"), UsageError, "expected a list"),
        (lambda s, r: bench.plan(s, {"train.lr": {1}}), UsageError, "overrides `train.lr`"),
        (lambda s, r: bench.plan(s, plugins=["nowhere"]), UsageError, "no folder `nowhere`"),
        (lambda s, r: bench.plan(s, filter="seed=7"), EmptyMatch, "seed=7"),
        (lambda s, r: bench.board("other", results=r), UsageError, "other"),
        (lambda s, r: bench.cells("nothing", results=r), UsageError, "`nothing`"),
        (lambda s, r: bench.cells(results=r / "no"), UsageError, "no results folder"),
        (lambda s, r: bench.records("resnet20", results=r), UsageError, "names 2 cells"),
        (lambda s, r: bench.plot("tiny", kind="pie", results=r), UsageError, "`pie`"),
        (lambda s, r: bench.check("reste", {"o": 3}), UsageError, "o_end"),
        (lambda s, r: bench.check("rest"), UsageError, "did you mean `reste`?"),
        (lambda s, r: bench.check("resnet20", {"image": 0}), UsageError, "whole number"),
        (lambda s, r: bench.check("cifar10", data=r), DataError, "cifar"),
        (lambda s, r: bench.run(s, timeout="soon", results=r), UsageError, "timeout `soon`"),
        (lambda s, r: bench.run(s, device="cuda:99", results=r / "a"), EnvironmentProblem, "GPU"),
    ],
)  # fmt: skip
def test_errors_are_those_of_the_commands(
    call: Callable[[Path, Path], object], kind: type[Exception], said: str,
    tiny: Path, measured: Path,
) -> None:  # fmt: skip
    """What the command prints in a line is raised as an exception that holds it."""
    with pytest.raises(kind, match=said.replace("?", r"\?")):
        call(tiny, measured)


def test_a_board_is_the_command_s(measured: Path, ask: Ask) -> None:
    """Its frame has the columns and numbers of CSV, a notebook shows its Markdown."""
    found = bench.board("tiny", results=measured)
    _, printed, _ = ask("leaderboard", "tiny", "--results", measured, "--format", "csv")

    assert found.complete
    heads, *lines = printed.splitlines()
    assert heads.split(",") == [*found.frame().columns, "correction", "alpha", "equilibrium"]
    assert len(lines) == len(found.frame()) == 2
    assert found._repr_markdown_() == found.text("md")  # pyright: ignore[reportPrivateUsage]
    assert found.text("csv") == printed
    assert found.cells().equals(bench.cells("tiny", results=measured))


def test_cells_have_their_parameters_in_columns(measured: Path) -> None:
    """A line for each cell; whole numbers stay whole where another cell has none of them."""
    found = bench.cells(results=measured).set_index("label")

    assert found.loc["reste", "W.o_end"] == 3
    assert found["W.o_end"].isna().tolist() == [True, False]
    assert found["train.batch_size"].tolist() == [32, 32]
    assert str(found["seed"].dtype) == "Int64"
    assert found["train.histograms"].tolist() == ["[]", "[]"]
    assert found["acc"].between(0, 1).all()


def test_records_give_curves_and_indicators(measured: Path) -> None:
    """A line for each epoch, and for each layer, role and epoch, with the cell that it is of."""
    found = bench.records("tiny", results=measured)
    curves, layers = found.curves(), found.indicators()

    assert all(isinstance(record, Record) for record in found)
    assert len(found[:1]) == 1
    assert curves["label"].tolist() == ["ste", "ste", "reste", "reste"]
    assert curves["epoch"].tolist() == [0, 1, 0, 1]
    assert curves["test_acc"].tolist() == [a for r in found for a in r.curves["test_acc"]]
    assert {"label", "layer", "role", "e", "s"} <= {*layers.columns}
    assert len(layers) == sum(2 * len(record.indicators) for record in found)
    assert found.histograms().empty
    assert len(found.frame()) == 2


def test_cells_are_exported_as_csv_and_parquet(measured: Path, tmp_path: Path, ask: Ask) -> None:
    """Both hold the frame of `bench.cells`; of a name that stands for nothing neither is made."""
    frame = bench.cells(results=measured)
    for form in ("csv", "parquet"):
        path = tmp_path / f"cells.{form}"
        code, out, _ = ask("export", "--results", measured, "--format", form, "-o", path)
        assert (code, out) == (0, f"wrote {path}: 2 cells, {frame.shape[1]} columns\n")
        back = pd.read_csv(path) if form == "csv" else pd.read_parquet(path)
        assert back.columns.tolist() == frame.columns.tolist()
        assert back["W.o_end"].isna().tolist() == [True, False]
    away = tmp_path / "no.csv"
    code, _, err = ask("export", "nobody", "--results", measured, "--format", "csv", "-o", away)
    assert (code, "`nobody`" in err, away.exists()) == (2, True, False)


def test_parquet_without_pyarrow_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line says what to install."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(EnvironmentProblem, match=r"pip install 'signbench\[parquet\]'"):
        frame_files.write_parquet(pd.DataFrame({"a": [1]}))


@pytest.mark.usefixtures("here")
def test_a_run_returns_its_board(
    tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cells that lack a record train, each is told of, and torch's threads are as before."""
    threads = torch.get_num_threads()
    monkeypatch.setattr(torch, "set_num_threads", lambda n: threads_set.append(n))  # pyright: ignore
    threads_set: list[int] = []
    root = tmp_path / "r"
    board = bench.run(tiny, results=root, filter="estimator=ste", jobs=1)
    told = capsys.readouterr().out

    assert not board.complete
    assert "2 to run" not in told
    assert "ste seed 0: ok" in told
    assert "┃" not in told
    assert threads_set[-1] == threads
    assert bench.records("ste", results=root)[0].provenance.command == (
        f"bench run {tiny} --filter estimator=ste"
    )
    again = bench.run(tiny, results=root, jobs=1, progress=False)
    assert again.complete
    assert capsys.readouterr().out == ""


def test_figures_have_names_and_are_saved(measured: Path, tmp_path: Path) -> None:
    """They are matplotlib's, a notebook shows them as SVG, and files are those of `bench plot`."""
    drawn = bench.plot(measured.parent / "tiny.yaml", kind="curves", results=measured)

    assert [*drawn] == ["tiny-curves"]
    assert "<svg" in drawn._repr_html_()  # pyright: ignore[reportPrivateUsage]
    assert [p.name for p in drawn.save(tmp_path, "svg,png")] == [
        "tiny-curves.svg",
        "tiny-curves.png",
    ]


def test_a_site_says_what_it_holds(measured: Path, tmp_path: Path) -> None:
    """Its suites, its files, and where nothing ran why there is none."""
    made = bench.site(tmp_path / "public", measured, figures=False)

    assert [suite.name for suite in made.suites] == ["tiny"]
    assert (tmp_path / "public" / "index.html").stat().st_size == made.files["index.html"]
    with pytest.raises(UsageError, match="no results folder"):
        bench.site(tmp_path / "other", tmp_path / "nowhere")


def test_a_check_says_what_holds() -> None:
    """Parameters are values, and the report has each check and both verdicts."""
    report = bench.check("reste", {"o_end": 10}, quick=True)

    assert report.ok
    assert report.printed
    assert (report.printed.rational, report.printed.flexible) == ("yes", "yes")


@pytest.mark.parametrize(
    ("plugin", "parameters", "held"),
    [
        ("resnet20", {"width": 2, "image": 8, "classes": 3}, "all of it learns"),
        ("digits", {}, "no image is in both splits"),
    ],
)
def test_backbones_and_data_sets_are_checked_as_the_command_does(
    plugin: str, parameters: dict[str, int], held: str, ask: Ask
) -> None:
    """The claims that `bench check` prints of one, in their order, and no verdict on an f."""
    report = bench.check(plugin, parameters)
    words = [f"{key}={value}" for key, value in parameters.items()]
    _, printed, _ = ask("check", plugin, *words)

    assert report.ok
    assert any(check.name == held for check in report.checks)
    assert [line.split()[0] for line in printed.splitlines()[1:]] == ["ok"] * len(report.checks)
    assert (report.printed, report.trained) == (None, {})
