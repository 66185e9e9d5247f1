"""The notebook of the docs in a real kernel, and its stop button."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode

from bench.planning import planner
from bench.results import store
from docs import notebook

ROOT = Path(__file__).parents[2]
LONG = """
estimators: [ste]
backbones: {resnet20: {width: 2}}
data: {digits: {train: 128, test: 50}}
seeds: [0]
train: {epochs: 30, batch_size: 32}
"""
RUN = 'import bench; board = bench.run("long.yaml", checkpoint_every=0.2, jobs=1); board'


def outputs(cell: NotebookNode, kind: str) -> str:
    """What a cell shows of a kind: a stream's name, or a type of data."""
    found = [o.get("text", "") if o.get("name") == kind else o.get("data", {}).get(kind, "")
             for o in cell.outputs]  # fmt: skip
    return "".join(found)


def stop(pid: int, root: Path) -> None:
    """Press stop once a cell has left a checkpoint: every process of the kernel is told."""
    while not [*root.glob("cells/*/checkpoints/*/*")]:
        time.sleep(0.05)
    os.killpg(pid, signal.SIGINT)


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[NotebookClient]:
    """A kernel with the notebook of the docs, in a folder of its own that has a longer suite."""
    home = {"PYTHONPATH": ROOT, "OMP_NUM_THREADS": 1, "IPYTHONDIR": tmp_path / "ipython",
            "JUPYTER_RUNTIME_DIR": tmp_path / "jupyter"}  # fmt: skip
    for name, value in home.items():
        monkeypatch.setenv(name, str(value))
    (tmp_path / "long.yaml").write_text(LONG, "utf-8")
    book: Any = nbformat.read(notebook.NOTEBOOK, as_version=4)  # pyright: ignore
    client = NotebookClient(book, timeout=300, resources={"metadata": {"path": str(tmp_path)}})
    with client.setup_kernel():
        yield client


def execute(client: NotebookClient, source: str) -> NotebookNode:
    """Execute one more cell at the end, which may fail."""
    book: Any = client.nb
    make: Any = nbformat.v4.new_code_cell  # pyright: ignore[reportUnknownMemberType]
    cell = make(source, metadata={"tags": ["raises-exception"]})
    book.cells.append(cell)
    client.execute_cell(cell, len(book.cells) - 1)
    return cell


@pytest.mark.slow
def test_the_notebook_runs_and_its_stop_button_loses_nothing(
    client: NotebookClient, tmp_path: Path
) -> None:
    """
    Every cell shows what the page says. Stopped, a run leaves a checkpoint, and a kernel that goes
    on; run again it ends with one process before the one that came to the end.
    """
    book: Any = client.nb
    for at, cell in enumerate(book.cells):
        client.execute_cell(cell, at)
    told = {kind: [outputs(cell, kind) for cell in book.cells if "outputs" in cell]
            for kind in ("text/plain", "text/markdown", "stdout")}  # fmt: skip
    assert any("<plan of small@" in text for text in told["text/plain"])
    assert any("| estimator |" in text for text in told["text/markdown"])
    assert "did you mean `epochs`?" in told["text/plain"][-1]
    progress = "".join(told["stdout"])
    assert "ste seed 1: ok" in progress
    assert "\x1b" not in progress

    pid = int(outputs(execute(client, "import os; os.getpid()"), "text/plain"))
    assert os.getpgid(pid) == pid
    button = threading.Thread(target=stop, args=(pid, tmp_path / "results"))
    button.start()
    (error,) = [x for x in execute(client, RUN).outputs if x.output_type == "error"]
    button.join()
    assert error.ename == "KeyboardInterrupt"
    assert "1 of 1 cell left, 1 of them checkpointed" in error.evalue

    assert "| ste |" in outputs(execute(client, RUN), "text/markdown")
    (cell,) = planner.plan(tmp_path / "long.yaml").cells
    record = store.find_record(tmp_path / "results", cell)
    assert record
    assert len(record.earlier) == 1


def test_the_page_is_the_notebook_and_every_function() -> None:
    """Its cells in their order, and of each function how it is called."""
    text = notebook.page()

    assert text.startswith("# Python\n")
    assert "```python\nboard = bench.run(" in text
    assert "### board\n\n```python\nbench.board(suite, overrides=()" in text
    assert "bench.run(\n    suite,\n" in text
