"""What mutations start from: a tiny suite, what its runs left, and a call of `bench`."""

import contextlib
import io
import signal
import sys

import torch

from bench.cli import app
from bench.errors import UsageError
from bench.execution import cell_run
from bench.execution.job import Job
from bench.planning import planner
from bench.registry import REGISTRIES
from bench.results import store
from bench.spec.plan import Plan
from bench.train import checkpoint_folders
from fuzz import reports
from fuzz.box import Box

TINY = """
estimators: {ste: {}, reste: {o_end: 2, schedule: linear}, apart: {W: reste, A: ste}}
backbones: {resnet20: {width: 2}}
data: {digits: {train: 64, test: 50}}
wa: [1/1]
seeds: [0]
baseline: ste
include: [{estimator: none, wa: 32/32}]
published: table3
train: {epochs: 2, batch_size: 32, lr: 0.1, histograms: [1]}
"""
CODES = {0, 1, 2, 3, 4, 5}


def measured(box: Box) -> tuple[Plan, list[str]]:
    """
    A tiny suite that ran once in this process: its plan, and a record of each cell.

    `box.known["files"]` is all that is left of it, two checkpoints of each cell included, by name.
    """
    if "measured" not in box.known:
        path = box.put("tiny.yaml", TINY)
        fresh()
        plan = planner.plan(path)
        store.save_plan(box.results, plan)
        clear, checkpoint_folders.remove_all = checkpoint_folders.remove_all, lambda _: None
        for cell in plan.cells:
            cell_run.run(Job(cell, box.results, "cpu", 1, 0, False, box.inside, (), (), 0.0))
        checkpoint_folders.remove_all = clear
        there = [path for path in box.results.rglob("*") if path.is_file()]
        files = {str(p.relative_to(box.results)): p.read_bytes() for p in there}
        texts = [files[f"cells/{cell.slug}/record.json"].decode() for cell in plan.cells]
        box.known["files"], box.known["measured"] = files, (plan, texts)
        box.clear()
    return box.known["measured"]


def restore(box: Box, start: str) -> None:
    """Such files of the tiny suite as begin with that."""
    for name, content in box.known["files"].items():
        if name.startswith(start):
            path = box.results / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


def fresh() -> None:
    """Plugins of the last input are gone."""
    for registry in REGISTRIES:
        registry.folders.clear()
        registry._loaded.clear()  # pyright: ignore[reportPrivateUsage]
    torch.set_num_threads(1)


def command(argv: list[str]) -> None:
    """
    One call of `bench` in this process.

    Raises:
        AssertionError: an exit code that means nothing, a traceback, or a terminal's commands.
    """
    out, err, code = io.StringIO(), io.StringIO(), 0
    before, signals = sys.argv, (signal.SIGINT, signal.SIGTERM)
    handlers = [signal.getsignal(number) for number in signals]
    sys.argv = ["bench", *argv]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            app.main()
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 0
    finally:
        sys.argv = before
        for number, handler in zip(signals, handlers, strict=True):
            signal.signal(number, handler)
    if code not in CODES or "Traceback" in err.getvalue():
        message = f"exit code {code} of {argv}: {err.getvalue()}"
        raise AssertionError(message)
    for text in (out.getvalue(), err.getvalue()):
        reports.sound(text)
    if code:
        raise UsageError(err.getvalue() or out.getvalue())
