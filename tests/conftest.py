"""One thread for small tensors, and suites small enough to train in a second."""

import gc
import os
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import fakes
import pytest
import torch
from fakes import TINY

from bench.base.files import write_file
from bench.cli import app, streams
from bench.cli.streams import UNBOUND
from bench.execution import cell_run, executor
from bench.execution.job import Job
from bench.leaderboard.ranking import rank
from bench.leaderboard.tables import render
from bench.planning import checks, planner
from bench.registry import REGISTRIES
from bench.results import store
from bench.results.cell_state import CellStates

SHARED = Path(tempfile.gettempdir()) / f"signbench-tests-{os.getuid()}"


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:  # pyright: ignore[reportUnusedFunction]
    torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope="session")
def _little_garbage() -> None:  # pyright: ignore[reportUnusedFunction]
    """Modules and collected tests are no garbage, and each training collects that."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="session")
def _session_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:  # pyright: ignore[reportUnusedFunction]
    """
    What tests compute is not kept in the user's cache, and their key not in the user's data.

    What they compile is found by its text, so all workers and processes of tests share one folder.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
        compiled = os.environ.get("TORCHINDUCTOR_CACHE_DIR") or SHARED / "compiled"
        patch.setenv("TORCHINDUCTOR_CACHE_DIR", str(compiled))
        patch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data-home")))
        yield


@pytest.fixture(autouse=True)
def _own_cache(  # pyright: ignore[reportUnusedFunction]
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A test finds no answer of another one, whose code may have been another."""
    folder = tmp_path_factory.getbasetemp() / f"cache-{uuid.uuid4().hex}"  # made when it is used
    monkeypatch.setenv("BENCH_CACHE", str(folder))


@pytest.fixture(autouse=True)
def _own_folders(monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction]
    """Plugins that a test's suite or options add are gone with it."""
    for registry in REGISTRIES:
        monkeypatch.setattr(registry, "folders", [])
        monkeypatch.setattr(registry, "_loaded", {})


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A suite of two cells that trains in a second."""
    path = tmp_path / "tiny.yaml"
    path.write_text(TINY, encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder in which the tiny suite has run; to be read, never written."""
    home = tmp_path_factory.mktemp("measured")
    suite = home / "tiny.yaml"
    suite.write_text(TINY, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:  # made before a test's own `_unchecked`
        patch.setattr(checks.Checker, "_of_estimator", lambda *_: [])
        plan = planner.plan(suite)
    root = home / "results"
    store.save_plan(root, plan)
    for cell in plan.cells:
        command = ("run", "tiny.yaml")
        cell_run.run(Job(cell, root, "cpu", 1, 1, False, home, (), command, 60.0))
    board = rank(plan, CellStates(root, plan.possible).records(stale=False))
    write_file(root / "suites" / "tiny" / "leaderboard.md", render.text(board, "md"))
    return root


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cells are trained in this process, for tests that ask nothing of workers."""
    monkeypatch.setattr(executor, "WorkerProcess", fakes.InProcessWorker)


@pytest.fixture(scope="session")
def torchless() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Call `bench` in a process in which torch cannot be imported."""
    script = (
        "import os, sys\n"
        "sys.path[0] = os.getcwd()\n"  # as with -m: answers are kept for where modules come from
        "class NoTorch:\n"
        "    def find_spec(name, *_):\n"
        "        if name == 'torch': raise ImportError(name)\n"
        "sys.meta_path.insert(0, NoTorch)\n"
        "from bench.cli.app import main\n"
        "sys.argv[0] = 'bench'\n"
        "main()"
    )

    def call(*words: str | Path) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-c", script, *map(str, words)]
        return subprocess.run(argv, capture_output=True, text=True, check=False)

    return call


@pytest.fixture
def ask(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Call `bench` in this process; returns exit code, stdout and stderr."""
    monkeypatch.setattr(streams.out, "_width", UNBOUND)
    for stream in (streams.out, streams.err):  # pytest's workers say that they have columns
        monkeypatch.setattr(stream, "lines_end", False)

    def call(*args: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["bench", *map(str, args)])
        with pytest.raises(SystemExit) as stop:
            app.main()
        text = capsys.readouterr()
        code = stop.value.code
        return (code if isinstance(code, int) else 0), text.out, text.err

    return call


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests marked `gpu` or `linux` are skipped, by name, where there is none."""
    linux = Path("/proc/self/stat").exists()
    for item in items:
        if item.get_closest_marker("gpu") and not torch.cuda.is_available():
            item.add_marker(pytest.mark.skip(reason="no GPU"))
        if item.get_closest_marker("linux") and not linux:
            item.add_marker(pytest.mark.skip(reason="no /proc, which tells of processes"))


@pytest.fixture(autouse=True)
def _unchecked(  # pyright: ignore[reportUnusedFunction]
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Plans check no estimator, which takes seconds, but in the tests of that."""
    if not request.node.get_closest_marker("checks"):
        monkeypatch.setattr(checks.Checker, "_of_estimator", lambda *_: [])
