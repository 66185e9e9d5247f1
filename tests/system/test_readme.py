"""What README says is so."""

import re
from pathlib import Path

import matplotlib
import pytest

import bench
from bench.errors import SuiteError
from bench.planning import explain, planner
from bench.planning.resolved_suite import resolve
from bench.properties.check import check_estimator
from bench.registry import ESTIMATORS
from bench.report.figures.style import encode
from bench.spec.schedule import SCHEDULES
from bench.spec.suite_file import find_suite

ROOT = Path(__file__).parent.parent.parent
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.fixture
def arctan(tmp_path: Path) -> Path:
    """The estimator of README in a folder of its own."""
    (code,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "arctan.py").write_text(code, encoding="utf-8")
    ESTIMATORS.add_folder(folder)
    return folder


def test_the_estimator_works(arctan: Path) -> None:
    """The 25-line estimator passes every check."""
    assert check_estimator(ESTIMATORS.build("arctan", {})).ok


def test_the_suite_plans(tmp_path: Path) -> None:
    """The example suite is valid: its rows, and what it leaves out."""
    text, _ = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    path = tmp_path / "suite.yaml"
    path.write_text(text, encoding="utf-8")
    plan = planner.plan(path)

    assert {row.label for row in plan.rows} == {
        "ste", "reste(o_end=2)", "reste(o_end=3)", "mixed", "ste-wide", "none",
    }  # fmt: skip
    assert any("its activations would be real" in left.reason for left in plan.left_out)
    assert any("no scheduled knob" in left.reason for left in plan.left_out)


def test_the_error_is_the_one_printed(tmp_path: Path) -> None:
    """The error message that README shows is what the suite with that mistake gives."""
    text, _ = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    (shown,) = re.findall(r"error: suite\.yaml:(.*)", TEXT)
    path = tmp_path / "suite.yaml"
    wrong = text.replace("{matrix: {o_end: [2, 3]}}", "{matrix: {o_edn: [2, 3]}}")
    path.write_text(wrong, encoding="utf-8")
    with pytest.raises(SuiteError) as error:
        planner.plan(path)

    assert f"suite.yaml:{shown}" in str(error.value)


def test_the_suite_that_extends_is_sound(tmp_path: Path) -> None:
    """The second example: two of table3's estimators, another recipe, and what is tuned."""
    _, text = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    path = tmp_path / "suite.yaml"
    path.write_text(text, encoding="utf-8")
    resolved = resolve(path)
    suite, axes = resolved.suite, resolved.axes

    assert list(axes.estimators) == ["ste", "reste"]
    assert axes.backbones["resnet20"].recipe.epochs == 400
    assert suite.tune
    assert suite.published.ledgers == ["table3"]


def test_origins_are_the_ones_printed() -> None:
    """The lines of `bench show suite` that README shows are that command's own."""
    said = " ".join(explain.describe(find_suite(Path("table1")), ["train.lr=0.2"]).split())
    shown = re.findall(r"^    ((?:train|backbones|estimators)\.\S+ .*)$", TEXT, re.MULTILINE)

    assert len(shown) == 4
    for line in shown:
        assert " ".join(line.split()) in said


def test_every_command_of_the_table_exists() -> None:
    """Each `bench ...` named in README is a command of the program."""
    from typer.main import get_command

    from bench.cli.app import app

    named = set(re.findall(r"`bench (\w+)", TEXT))
    commands = get_command(app).commands  # type: ignore[attr-defined]
    known = {name for name, command in commands.items() if not command.hidden}

    assert named
    assert named <= known
    assert known <= named


def test_no_placeholder_is_left() -> None:
    """Every figure is there, and names the command that made it."""
    assert "@@" not in TEXT
    assert "bench run suites/quickstart.yaml" in TEXT
    assert set(SCHEDULES) == {"cosine", "linear", "power", "exp", "fixed"}


@pytest.mark.slow
def test_the_figure_is_drawn_from_the_records_that_ship() -> None:
    """README's first picture is what its command draws now, where matplotlib is the same."""
    folder = ROOT / "results" / "budget"
    kept = (folder / "budget-recipe.svg").read_text(encoding="utf-8")
    if f"Matplotlib v{matplotlib.__version__}" not in kept:
        pytest.skip(f"drawn by another matplotlib than {matplotlib.__version__}")
    (drawn,) = bench.plot("budget", kind="recipe", results=folder, filter="epochs=3,10").values()

    assert encode(drawn, "svg").decode() == kept
    assert "results/budget/budget-recipe.svg" in TEXT
