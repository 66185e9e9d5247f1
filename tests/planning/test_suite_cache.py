"""Plans kept between calls: the same as a fresh one, and never one of what was."""

import hashlib
import importlib
import json
import os
import pickle
import pwd
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bench.base import answer_cache, file_states
from bench.errors import BenchError
from bench.planning import explain, planner, suite_cache
from bench.registry import ESTIMATORS, REGISTRIES
from bench.spec.plan import Plan

SUITE = """# Which is better?
estimators: [ste, mine]
backbones: {resnet20: {width: 4}}
data: {digits: {train: 64, test: 32}}
seeds: 0
train: {epochs: 1, batch_size: 32}
plugins: plugs
published: numbers
"""
BASE = "extends: suite.yaml\nseeds: 1\n"
LEDGER = """source: A paper
claims: [{label: ste, wa: 1/1, method: STE, acc: 90.0}]
"""
PLUGIN = """
from pathlib import Path

import cached_helper
from bench.plugin import Surrogate

class Mine(Surrogate):
    formula = "f(z) = 2z"
    factor: float = float(Path(__file__).with_name("c.txt").read_text())
    kind = "identity function"

    def value(self, z, _, /):
        return z * cached_helper.FACTOR
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A suite that extends one, with a ledger, a plugin of its own and what that imports."""
    (tmp_path / "plugs").mkdir()
    (tmp_path / "published").mkdir()
    (tmp_path / "lib").mkdir()
    for name, text in {
        "suite.yaml": SUITE,
        "more.yaml": BASE,
        "published/numbers.yaml": LEDGER,
        "plugs/mine.py": PLUGIN,
        "plugs/c.txt": "2",
        "lib/cached_helper.py": "FACTOR = 2\n",
    }.items():
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path / "lib")
    monkeypatch.setattr(file_states, "SETTLED_S", -1e6)  # all files are old
    importlib.invalidate_caches()
    return tmp_path


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Plan]:
    """Every plan that was made and not found."""
    plans: list[Plan] = []
    make = planner.plan

    def counted(*args: object, **options: bool) -> Plan:
        plans.append(make(*args, **options))  # pyright: ignore[reportArgumentType]
        return plans[-1]

    monkeypatch.setattr(planner, "plan", counted)
    return plans


def as_another_process() -> None:
    """Forget plugins that were imported, folders, and what is digested once a process."""
    for registry in REGISTRIES:
        registry.folders.clear()
        registry._loaded.clear()  # pyright: ignore[reportPrivateUsage]
    for name in [n for n in sys.modules if n == "cached_helper" or n.startswith("bench_local.")]:
        del sys.modules[name]
    answer_cache._harness.cache_clear()  # pyright: ignore[reportPrivateUsage]
    answer_cache._harness_files.cache_clear()  # pyright: ignore[reportPrivateUsage]


def plan(*overrides: str, data: Path | None = None) -> Plan:
    as_another_process()
    return suite_cache.plan(Path("more.yaml"), overrides, data)


def test_a_plan_is_made_once(home: Path, made: list[Plan]) -> None:
    """The second call gives the same plan, to the last digit, and makes none."""
    first = plan()
    folders = [*ESTIMATORS.folders]
    second = plan()

    assert len(made) == 1
    assert second == first
    assert second.model_dump_json() == first.model_dump_json()
    assert ESTIMATORS.folders == folders == [home / "plugs"]


def test_what_is_called_before_a_plan_is_made(home: Path) -> None:
    """Whoever has to prepare for torch is called only when a plan has to be made."""
    calls: list[int] = []
    for _ in range(2):
        as_another_process()
        suite_cache.plan(Path("more.yaml"), prepare=lambda: calls.append(1))

    assert calls == [1]


CHANGES: dict[str, Callable[[Path], object]] = {
    "suite": lambda home: (home / "more.yaml").write_text(BASE.replace("1", "[2]")),
    "extended suite": lambda home: (home / "suite.yaml").write_text(
        SUITE.replace("epochs: 1", "epochs: 2")
    ),
    "plugin": lambda home: (home / "plugs/mine.py").write_text(PLUGIN.replace("2z", "3z")),
    "what the plugin imports": lambda home: (home / "lib/cached_helper.py").write_text(
        "FACTOR = 3\n"
    ),
    "file beside the plugin": lambda home: (home / "plugs/c.txt").write_text("3"),
    "ledger": lambda home: (home / "published/numbers.yaml").write_text(
        LEDGER.replace("90.0", "91.0")
    ),
    "plugin that takes the name": lambda home: shutil.copytree(home / "plugs", home / "estimators"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_change_makes_another_plan(
    home: Path, made: list[Plan], change: Callable[[Path], object]
) -> None:
    """Whatever a plan rests on changes: it is made again, and is as one that was never kept."""
    before = plan()
    change(home)
    after = plan()
    as_another_process()

    assert len(made) == 2
    assert after == planner.plan(Path("more.yaml"))
    assert plan() == after != before or change is CHANGES["plugin that takes the name"]


def test_an_override_makes_another_plan(home: Path, made: list[Plan]) -> None:
    """Plans with overrides stand beside the suite's own."""
    plans = [plan(), plan("train.lr=0.2"), plan("train.lr=0.3"), plan(), plan("train.lr=0.2")]

    assert len(made) == 3
    assert plans[0] == plans[3]
    assert plans[1] == plans[4]
    assert len({p.cells[0].id for p in plans}) == 3


def test_a_change_of_the_numeric_core_makes_another_plan(
    home: Path, made: list[Plan], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cells are named after the core's code: a file of it that no plan imports counts as well."""
    copy = home / "bench"
    shutil.copytree(answer_cache.HARNESS, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(answer_cache, "HARNESS", copy)
    plan()
    with (copy / "train" / "probe.py").open("a") as file:
        file.write("\nX = 1\n")
    plan()

    assert len(made) == 2


def test_a_change_of_the_version_makes_another_plan(
    home: Path, made: list[Plan], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another Python, or another distribution in its folders, may make other numbers."""
    plan()
    monkeypatch.setattr(sys, "version", "3.99")
    plan()

    assert len(made) == 2


def test_a_change_of_data_makes_another_plan(home: Path, made: list[Plan]) -> None:
    """Files of a data set that are written again are another data set; absent ones are an error."""
    folder = home / "data" / "cifar-10-partial-py"
    suite = "data={cifar10-partial: {}}"

    def write(seed: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(seed)
        pixels = rng.integers(0, 256, (40, 3072), dtype=np.uint8)
        labels = rng.integers(0, 10, 40).tolist()
        for name in ("data_batch_1", "test_batch"):
            (folder / name).write_bytes(pickle.dumps({"data": pixels, "labels": labels}))

    write(0)
    prints = [plan(suite).cells[0].data.fingerprint for _ in range(2)]
    assert len(made) == 1
    write(1)
    other = plan(suite).cells[0].data.fingerprint
    shutil.rmtree(folder)

    assert len(made) == 2
    assert prints[0] == prints[1] != other
    with pytest.raises(BenchError, match="bench data prepare"):
        plan(suite)


def test_files_that_were_written_just_now_are_read(home: Path, made: list[Plan]) -> None:
    """Clocks of file systems tick slowly: of files that are new no plan is kept."""
    folder = home / "data" / "cifar-10-partial-py"
    folder.mkdir(parents=True)
    content = {"data": np.zeros((40, 3072), np.uint8), "labels": [1] * 40}
    for name in ("data_batch_1", "test_batch"):
        (folder / name).write_bytes(pickle.dumps(content))
        os.utime(folder / name, (1e10, 1e10))
    for _ in range(2):
        plan("data={cifar10-partial: {}}")

    assert len(made) == 2


def test_a_suite_that_is_wrong_is_wrong_each_time(home: Path) -> None:
    """Errors are not kept, and are those of a plan that is made."""
    (home / "more.yaml").write_text(f"{BASE}wa: 3/9\n")
    messages: list[str] = []
    for _ in range(2):
        with pytest.raises(BenchError) as caught:
            plan()
        messages.append(str(caught.value))

    assert messages[0] == messages[1]
    assert "wa" in messages[0]


def test_a_description_is_kept_with_its_places(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`bench show suite` names lines: a suite that says the same on other lines is read again."""
    suite = home / "suite.yaml"
    texts: list[str] = []
    for text in (SUITE, SUITE, SUITE.replace("# Which", "#\n# Which")):
        suite.write_text(text)
        as_another_process()
        texts.append(suite_cache.describe(Path("suite.yaml"), []))
    as_another_process()

    assert texts[0] == texts[1] != texts[2]
    assert texts[2] == explain.describe(Path("suite.yaml"), [])
    monkeypatch.setattr(explain, "describe", lambda *_: "made")
    as_another_process()
    assert suite_cache.describe(Path("suite.yaml"), []) == texts[2]
    (home / "plugs/c.txt").write_text("3")
    as_another_process()
    assert suite_cache.describe(Path("suite.yaml"), []) == "made"


def test_a_kept_text_that_is_no_plan_is_made_again(home: Path, made: list[Plan]) -> None:
    """A sealed answer that reads as something else is none."""
    first = plan()
    (path,) = (answer_cache.folder()).glob("plan-*")
    kept = json.loads(path.read_text().partition("\n")[2])
    content = json.dumps(kept | {"answer": "{}"})
    path.write_text(f"{hashlib.sha256(content.encode()).hexdigest()}\n{content}")

    assert plan() == first == plan()
    assert len(made) == 2


def test_too_many_files_beside_a_plugin(
    home: Path, made: list[Plan], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where not every file that a plugin may read can be looked at, no plan is kept."""
    monkeypatch.setattr(file_states, "MAX_FILES", 2)

    assert plan() == plan()
    assert len(made) == 2


def test_a_user_without_a_home(
    home: Path, made: list[Plan], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plan needs no home folder: where none is known, it is made each time."""

    def unknown(_: int) -> None:
        raise KeyError

    for name in ("BENCH_CACHE", "HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)

    assert plan() == plan()
    assert len(made) == 2
