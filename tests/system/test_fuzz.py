"""Hostile input is read or refused, in time, and writes nothing but results; see `fuzz`."""

import io
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from fuzz import reports
from fuzz.box import Box, judge, watched
from fuzz.run import main
from fuzz.targets import TARGETS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.live import Live
from rich.table import Table

from bench.base.console import Terminal
from bench.base.files import write_file
from bench.base.text import printable
from bench.errors import SuiteError, UsageError
from bench.leaderboard.ranking import rank
from bench.leaderboard.tables import render, terminal
from bench.planning import planner
from bench.results import cell_folders, store
from bench.spec.plan import name_results

FEW = dict.fromkeys(TARGETS, 12) | {
    "suites": 20,
    "images": 60,
    "idx": 60,
    "records": 6,
    "plugins": 4,
    "checkpoints": 3,
    "journals": 30,
    "leases": 20,
}
LABELS = ["[red]x[/red]", "[/]", "a|b", "<b>&lt;", "`c`", "$x$", "*d*", "\\", "#1", "=1+1", "😀"]


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """One sandbox for all; Python's own cache is no write of ours."""
    before = sys.dont_write_bytecode
    sys.dont_write_bytecode = True
    yield Box(tmp_path_factory.mktemp("box"))
    sys.dont_write_bytecode = before


@pytest.mark.slow
@pytest.mark.parametrize("name", TARGETS)
def test_hostile_input_is_read_or_refused(name: str, box: Box) -> None:
    """The first inputs of every target, as `make fuzz` makes them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydantic's and Pillow's, of what strangers wrote
        for number in range(FEW[name]):
            _, problem = judge(TARGETS[name][0], box, Random(f"{name}:{number}"))
            assert not problem, f"{name}:{number}"


@pytest.mark.slow
@settings(
    max_examples=30,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.filter_too_much,
    ],
)
@given(rng=st.randoms(use_true_random=False))
def test_hypothesis_finds_no_other(rng: Random, box: Box) -> None:
    """The same suites with random numbers that hypothesis chooses, and shrinks where it can."""
    _, problem = judge(TARGETS["suites"][0], box, rng)

    assert not problem


@pytest.mark.slow
def test_many_hostile_inputs(capsys: pytest.CaptureFixture[str]) -> None:
    """A part of what `make fuzz` makes, in two processes whose memory is bounded."""
    code = main([f"{name}={max(many // 2000, 2)}" for name, (_, many) in TARGETS.items()])
    text = capsys.readouterr()

    assert code == 0, text.err
    assert "no traceback, no hang, no write outside" in text.out


def test_the_sandbox_sees_what_it_must(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write outside, a link that leads there, a process, and a loop are all found."""
    import subprocess
    import time

    from fuzz import box as boxes

    monkeypatch.setattr(boxes, "SECONDS", 0.2)
    deeds = {
        "opened to write": lambda: (box.outside / "evil").write_text("x"),
        "os.rename": lambda: (box.outside / "evil").rename(box.outside / "worse"),
        "subprocess.Popen": lambda: subprocess.run(["true"], check=True),
        "no end after": lambda: time.sleep(5),
        "ZeroDivisionError": lambda: 1 / 0,
    }
    for word, deed in deeds.items():
        assert word in judge(lambda *_, deed=deed: deed, box, Random(0))[1]  # type: ignore[misc,return-value]
    box.clear()
    (box.results / "link").symlink_to(box.outside)
    with watched(box):
        write_file(box.results / "link" / "evil2", "x")
    assert any("evil2" in wrong for wrong in box.wrong)
    for path in (*box.outside.glob("evil*"), box.outside / "worse"):
        path.unlink(missing_ok=True)


def test_control_characters_are_shown() -> None:
    """ESC and its like become pictures, text stays as it is."""
    assert printable("a\x1b[31mb\x00\x7f\x9b\u202ec\td\né") == "a␛[31mb␀␡��c\td\né"


def test_a_terminal_obeys_nobody_else() -> None:
    """Strings, tables and live views keep their own styles and show a stranger's."""
    file = io.StringIO()
    console = Terminal(file=file, force_terminal=True, width=60, color_system="standard")
    table = Table("\x1b]0;title\x07")
    table.add_row("\x1b[2Jx", style="bold")
    with Live(table, console=console):
        console.print("\x1b[31mred", markup=False, highlight=False)
    text = file.getvalue()

    assert "\x1b]0" not in text
    assert "\x1b[2Jx" not in text
    assert "\x1b[31mred" not in text
    assert "␛[31mred" in text
    assert "\x1b[1m" in text  # the table's own style


@pytest.mark.parametrize("label", LABELS)
def test_a_label_breaks_no_report(tmp_path: Path, label: str) -> None:
    """Markup, pipes, HTML and formulas stand in every table as they were written."""
    quoted = label.replace("\\", "\\\\")
    path = tmp_path / "x.yaml"
    path.write_text(
        f'estimators: {{"{quoted}": {{plugin: ste}}}}\nbackbones: {{resnet20: {{width: 2}}}}\n'
        "data: {digits: {train: 64, test: 50}}\nseeds: 0\ntrain: {epochs: 1}\n"
        f'published: {{source: "{quoted}", acc: {{"{quoted}": 50}}}}\n',
        encoding="utf-8",
    )
    plan = planner.plan(path)
    board = rank(plan, [])
    box = Box(tmp_path / "box")
    reports.table(box, plan)
    file = io.StringIO()
    Terminal(file=file, width=200).print(terminal.table(board, 200))

    assert label in file.getvalue()
    assert label in render.text(board, "csv")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("..yaml", "give it another name"),
        ("...yaml", "give it another name"),
        ("a\x1b[31m.yaml", "give it another name"),
    ],
)
def test_a_suite_needs_a_name(name: str, said: str) -> None:
    """Results are called after the file: `..` would be another folder."""
    with pytest.raises(SuiteError, match=said):
        name_results(Path(name), [])


def test_too_many_cells_are_refused(tmp_path: Path) -> None:
    """A line that stands for more cells than anybody trains ends at once, with its place."""
    text = (
        "estimators: [ste]\nbackbones: {resnet20: {width: 2}}\n"
        "data: {digits: {train: 64}}\ntrain: {epochs: 1}\n"
    )
    path = tmp_path / "x.yaml"
    for lines, said in (
        ("seeds: 0..999999\n", "seeds: value should have at most 10000 items"),
        ("seeds: 0..9999\nschedules: [default, linear, exp, power, cosine, fixed]\n", "50,000"),
    ):
        path.write_text(text + lines, encoding="utf-8")
        with pytest.raises(SuiteError, match=said):
            planner.plan(path)


def test_a_damaged_record_is_none(box: Box) -> None:
    """A record whose curves have lost a value is refused where it is named, and runs again."""
    TARGETS["records"][0](box, Random(0))  # trains once, if no other test did
    _, texts = box.known["measured"]
    cell = store.Record.model_validate_json(texts[0]).cell
    path = store.cell_path(box.results, cell) / "record.json"
    for damaged in (
        texts[0].replace('"best_epoch":', '"best_epoch":7', 1),
        texts[0].replace('"test_acc":[', '"test_acc":[0.5,', 1),
        texts[0].replace('"test_acc":[', '"test_acc":[7.5,', 1),
        texts[0].replace('"zeros":[', '"zeros":[1,', 1),
    ):
        write_file(path, damaged)
        assert store.find_record(box.results, cell) is None
        with pytest.raises(UsageError, match="is damaged"):
            cell_folders.find_record(box.results, cell.id)
