"""
What fails of the checks of a suite's estimators, looked at when it is planned.

An estimator is checked as `bench check --quick` does, at the parameters that the suite gives it.
Verdicts are kept by what the code says, so that a plugin is checked once. A stranger's estimator is
checked in a process of its own, which it may end, or keep too long, without harm to the plan.
"""

import json
import math
import multiprocessing
import os
import random
import resource
import signal
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Self, TypeVar

import numpy as np
import torch

from bench.base.answer_cache import Question, keep, recall
from bench.base.child_processes import start_process
from bench.nn.contract import Estimator
from bench.planning.axes import PluginConfig, Roles
from bench.properties.check import check_estimator
from bench.properties.claim import tell
from bench.registry import ESTIMATORS, add_folders
from bench.results.source_digest import numerics

T = TypeVar("T")

LONGEST = 300  # characters of what is told of one
PATIENCE_S = 60.0  # of a processor, for the checks of one estimator, a start of torch included
LONGEST_S = 600.0  # by the clock, for one that waits; a busy machine is no fault of a plugin
_known: dict[tuple[str, ...], Any] = {}  # by what is asked and code, of this process


class Checker:
    """Checks the plugins of one suite; closed, it leaves no process behind."""

    def __init__(self) -> None:
        self._process: BaseProcess | None = None
        self._line: Connection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def failed(self, roles: Roles) -> list[str]:
        """Name each check of the estimators of a row that fails, and what is wrong."""
        configs = {repr((c.name, c.plugin)): c for c in roles.values()}.values()
        return [failed for config in configs for failed in self._of_estimator(config)]

    def _of_estimator(self, config: PluginConfig) -> list[str]:
        """What fails of an estimator at its parameters, as it is kept, or checked now."""
        name, plugin = config.name, config.plugin
        params = plugin.ref(name).params

        def look() -> list[str]:
            origin = ESTIMATORS.origins().get(name)
            ours = origin is not None and origin.shipped
            return check(name, plugin) if ours else self._ask(name, params)

        return once(("checks", name, json.dumps(params, sort_keys=True)), config.digest, look)

    def _ask(self, name: str, params: dict[str, Any]) -> list[str]:
        """Have an estimator checked in the process of strangers' code."""
        if self._line is None:
            self._start()
        assert self._line
        assert self._process
        try:
            self._line.send((name, params))
            if self._line.poll(LONGEST_S):
                return self._line.recv()
            wrong = f"takes longer than {LONGEST_S / 60:.0f} minutes"
        except (EOFError, OSError):
            self._process.join(LONGEST_S)
            wrong = f"ends its process (exit code {self._process.exitcode})"
            if self._process.exitcode == -signal.SIGXCPU:
                wrong = f"takes longer than {PATIENCE_S:.0f} s"
        self._end()
        return [_told(name, "check", wrong)]

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._line, theirs = context.Pipe()
        folders = tuple(ESTIMATORS.folders)
        given = theirs, folders, PATIENCE_S
        self._process = context.Process(target=_answer, args=given, daemon=True)
        start_process(self._process)
        theirs.close()

    def _end(self) -> None:
        if self._line:
            self._line.close()
        if self._process:
            self._process.kill()
            self._process.join()
        self._line = self._process = None


def _answer(line: Connection, folders: tuple[Path, ...], patience_s: float) -> None:
    """
    Check one estimator after another, until nobody asks; what they print is lost.

    The system ends the process by SIGXCPU where one takes longer than `patience_s` of a processor.
    """
    signal.signal(signal.SIGXCPU, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    with Path(os.devnull).open("r+b") as nothing:
        for descriptor in (0, 1, 2):
            os.dup2(nothing.fileno(), descriptor)
    torch.set_num_threads(1)
    add_folders(folders)
    while True:
        try:
            name, params = line.recv()
        except EOFError:
            return
        until = math.ceil(time.process_time() + patience_s)
        if most == resource.RLIM_INFINITY or until < most:
            resource.setrlimit(resource.RLIMIT_CPU, (until, most))
        try:
            found = check(name, ESTIMATORS.build(name, params))
        except Exception as error:  # it could be built a moment ago
            found = [_told(name, "check", tell(error))]
        line.send(found)


def check(name: str, plugin: Estimator) -> list[str]:
    """Name each check of an estimator that fails, and what is wrong."""
    with own_generators():
        try:
            report = check_estimator(plugin, quick=True)
        except (Exception, SystemExit) as error:  # whatever a stranger's code does
            return [_told(name, "check", f"raises {type(error).__name__}: {error}")]
    return [_told(name, each.name, each.detail) for each in report.checks if not each.ok]


def once(words: tuple[str, ...], digest: str, look: Callable[[], T]) -> T:
    """
    What is found of the code of that digest: as it is kept, or as it is found now.

    Args:
        words: what is asked.
        digest: of the plugin's code; nothing: it cannot be told when that changes.
        look: finds it, as JSON can hold it.
    """
    key = (*words, digest)
    if key not in _known:
        made_by = (digest, *(f"{k} {v}" for k, v in sorted(numerics().items())))
        question = Question(words, made_by if digest else None)  # else nobody can tell a change
        kept = recall(question, json.loads)
        if kept is None:
            kept = look()
            keep(question, json.dumps(kept))
        _known[key] = kept
    return _known[key]


def _told(name: str, check: str, detail: str) -> str:
    return f"{name}: {check}: {' '.join(detail.split())}"[:LONGEST]


@contextmanager
def own_generators() -> Generator[None, None, None]:
    """Leave the global random generators as they were, and cuDNN's choice of algorithms."""
    states = random.getstate(), np.random.get_state(), torch.backends.cudnn.deterministic  # noqa: NPY002
    try:
        with torch.random.fork_rng(devices=()):
            yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002
        torch.backends.cudnn.deterministic = states[2]
