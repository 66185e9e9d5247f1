"""Data sets as plugins: a file in a folder, and part of what a cell is."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.cli.new_data import TEMPLATE
from bench.cli.new_estimator import write_plugin
from bench.data.source import DataSource, load, named
from bench.errors import DataError, PluginError, UsageError
from bench.fleet import plugin_copies
from bench.planning import planner
from bench.properties.data_claims import check_data
from bench.registry import DATA, Origin
from bench.results import local_code, source_digest
from bench.spec.plan import Plan
from bench.train import model

Bench = Callable[..., tuple[int, str, str]]
SUITE = """
estimators: [ste]
backbones: {resnet20: {width: 4}}
data: mine
seeds: [0]
train: {epochs: 1, batch_size: 32}
"""


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a data set in `./data`, as `bench new data mine` writes it, and a suite on it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text(SUITE, encoding="utf-8")
    return write_plugin("mine", tmp_path / "data", TEMPLATE, DATA)


def planned() -> Plan:
    return planner.plan(Path("mine.yaml"))


def test_a_new_data_set_is_found_and_keeps_every_promise(mine: Path, ask: Bench) -> None:
    """It is listed, shown and checked as the built-in ones are, and names its classes."""
    assert ask("new", "data", "mine")[:1] == (2,)
    assert "stripes along and across" in ask("show", "data", "mine")[1]
    assert "mine     " in ask("list", "data")[1]
    code, out, _ = ask("check", "mine", "size=12")
    assert (code, out.count("ok  "), "FAIL" in out) == (0, 6, False)
    cell = planned().cells[0]
    assert cell.data.found
    assert cell.data.found.classes == ("along", "across")
    assert "1,088 classes" not in out
    net = model.build(cell).net
    assert [p.shape[0] for p in net.parameters()][-1] == 2


def test_what_breaks_a_promise_is_named(mine: Path) -> None:
    """Images of both splits, a label beyond the classes, an order that no seed decides."""
    text = mine.read_text(encoding="utf-8")
    faults = {
        "no image is in both splits": ("images[320:], labels[320:]", "images[300:], labels[300:]"),
        "labels are classes": ("labels = torch.arange(400) % 2", "labels = torch.arange(400) % 3"),
        "read again it is the same": (".manual_seed(0)", "; rng.seed()"),
    }
    for claim, (sound, wrong) in faults.items():
        mine.write_text(text.replace(sound, wrong), encoding="utf-8")
        DATA._loaded.clear()  # pyright: ignore[reportPrivateUsage]
        for name in [name for name in sys.modules if name.endswith(".mine")]:
            del sys.modules[name]
        checks, _ = check_data("mine", named("mine")(), Path())
        assert claim in [check.name for check in checks if not check.ok], claim


def test_the_code_is_part_of_the_cell(mine: Path) -> None:
    """Another file makes another cell, which the old record is stale to; a comment does not."""
    cell = planned().cells[0]
    assert cell.data.source == source_digest.source(DATA, "mine") != ""
    assert source_digest.changes(cell, source_digest.now(cell)) == []
    mine.write_text(mine.read_text(encoding="utf-8") + "\n# a comment\n", encoding="utf-8")
    assert source_digest.now(cell) == cell
    mine.write_text(mine.read_text(encoding="utf-8") + "\nMORE = 1\n", encoding="utf-8")
    assert source_digest.changes(cell, source_digest.now(cell)) == [f"{mine} changed"]
    assert source_digest.now(cell).key == cell.key
    with pytest.raises(UsageError, match="is not the `mine` that"):
        local_code.refuse_other_code(cell)


def test_built_in_cells_keep_their_names(tmp_path: Path) -> None:
    """What the harness reads itself has no source, no version and nothing found in its cells."""
    suite = tmp_path / "digits.yaml"
    suite.write_text(SUITE.replace("mine", "digits"), encoding="utf-8")
    plan = planner.plan(suite)

    assert {*plan.cells[0].data.model_dump(mode="json")} == {"name", "params", "fingerprint"}
    assert source_digest.source(DATA, "digits") == ""


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("raise RuntimeError('no\\nway')", "data set `mine` raises RuntimeError: no way"),
        ("from bench.errors import DataError; raise DataError('none here')", "none here"),
    ],
)
def test_what_it_raises_is_one_line(mine: Path, code: str, told: str) -> None:
    """Whatever a stranger's code raises when it reads, it is told as missing data are."""
    text = mine.read_text(encoding="utf-8")
    mine.write_text(text.replace("rng = torch", f"{code}\n        rng = torch"), encoding="utf-8")
    with pytest.raises(DataError) as caught:
        load("mine", named("mine")(), Path())

    assert str(caught.value) == told


def test_broken_ones_break_only_themselves(mine: Path, ask: Bench) -> None:
    """A file that cannot be imported, or takes the name of a built-in set, is listed as broken."""
    (mine.parent / "odd.py").write_text("from bench.plugin import DataSource\nx = 1 / 0\n")
    (mine.parent / "digits.py").write_text("from bench.plugin import DataSource\n")
    (mine.parent / "prepare.py").write_text("raise SystemExit('no plugin')\n")
    code, out, _ = ask("list", "data")

    assert (code, out.count("ZeroDivisionError")) == (0, 1)
    assert "its name is taken by signbench; rename it" in out
    assert "prepare" not in DATA.origins()
    with pytest.raises(PluginError, match="division by zero"):
        named("odd")


def test_names_are_found_without_torch_and_typos_are_told() -> None:
    """Of the built-in sets nothing is imported but their class; a wrong name has a neighbour."""
    assert isinstance(DATA.origins()["digits"], Origin)
    with pytest.raises(UsageError, match=r"no data set `cifar11`.*cifar10"):
        named("cifar11")
    assert issubclass(named("digits"), DataSource)


def test_jobs_get_the_code_and_not_the_data(mine: Path, tmp_path: Path) -> None:
    """Of `./data`, which may hold anything, a submission copies data plugins and their imports."""
    (mine.parent / "helper.py").write_text("SIDE = 16\n")
    mine.write_text("import helper\n" + mine.read_text(encoding="utf-8"), encoding="utf-8")
    (mine.parent / "huge.bin").write_bytes(bytes(100))
    copies = plugin_copies.copy_plugins(tmp_path / "results")

    files = {path.name for copy in copies for path in (tmp_path / "results" / copy).iterdir()}
    assert files == {"mine.py", "helper.py"}
