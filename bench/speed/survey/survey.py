"""A survey of a machine: every case measured there, and what the machine is."""

import math
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import torch

from bench.base import signals
from bench.results.provenance import cpu_name, installed_version
from bench.speed.survey import cases, concurrent, roofline
from bench.speed.survey.cases import Case, Setting
from bench.speed.survey.table import CaseResult, list_results

GIGA = 1e9
Watch: TypeAlias = Callable[[str, list[CaseResult]], None]


@dataclass(frozen=True)
class SurveyReport:
    """What was measured, and on what."""

    machine: str
    torch: str
    threads: int
    rates: dict[str, float]  # operations a second by precision; bytes a second of a `copy`
    rows: list[CaseResult]
    left_out: list[str] = field(default_factory=list[str])  # cases that time did not suffice for
    whole: bool = True  # did nobody stop it?

    @property
    def caption(self) -> str:
        """What the tables' numbers rest on, and what their columns are."""
        threads = f"{self.threads} thread{'s' * (self.threads != 1)}"
        rates = [f"{_short(rate / GIGA)} GFLOP/s in {name}" for name, rate in self.rates.items()]
        rates[-1] = f"copies at {self.rates['copy'] / GIGA:,.1f} GB/s"
        return (
            f"{self.machine}, torch {self.torch}, {threads}; it multiplies matrices and copies: "
            f"{', '.join(rates)}.\n"
            "x: how many times faster, both taken in turn in this run. oracle: masks, pow, sums of "
            "cosines, NCHW, accuracy read back each step, nothing fused "
            "(bench/speed/survey/oracle.py).\n"
            "of copying: time to move what has to be moved, z and dy read, y and dz written, five "
            "passes. of products: time of the step's float32 operations at the rate of large "
            "matrices.\n"
            "held: what a forward keeps for its backward; on a GPU the peak of a step."
            f"{self._gaps}"
        )

    @property
    def _gaps(self) -> str:
        """What is not in the tables, if anything."""
        if not self.left_out:
            return ""
        why = "for want of time" if self.whole else "since it was stopped"
        return f"\nNot measured, {why}: {'; '.join(self.left_out)}."


def _short(number: float) -> str:
    return f"{number:,.0f}" if number >= 10 else f"{number:.2g}"


def _ignore(_text: str, _rows: list[CaseResult]) -> None:
    """For who watches nothing."""


def list_cases(at: Setting) -> list[Case]:
    """All that is measured."""
    return [*cases.list_solo_cases(at), *concurrent.list_concurrent_cases(at)]


def run_survey(
    at: Setting, asked: list[Case], watch: Watch = _ignore, budget_s: float = math.inf
) -> SurveyReport:
    """
    Measure the machine's limits and the cases, or as many as there are until Ctrl-C.

    Args:
        watch: called with what is measured next, and with all rows that there are.
        budget_s: seconds in which to begin the last case; each has its share of what is left, and
            then does no further round.

    Raises:
        BenchError: a training diverged, or died.
    """
    began = time.monotonic()
    watch("the machine's limits", [])
    report = make_report(at, [])
    names = [f"{case.group} {case.name}" for case in asked]
    for i, case in enumerate(asked):
        left_s = budget_s - (time.monotonic() - began)
        if left_s <= 0:
            return replace(report, left_out=names[i:])
        watch(f"[{i + 1}/{len(asked)}] {case.group}: {case.name}", report.rows)
        until = time.monotonic() + left_s / (len(asked) - i)
        try:
            with use_threads(at.threads):
                report.rows.extend(list_results(case, case.measure(until)))
        except (KeyboardInterrupt, signals.Stopped):
            return replace(report, left_out=names[i:], whole=False)
    return report


def make_report(at: Setting, results: list[CaseResult]) -> SurveyReport:
    """A survey of these rows; the machine's limits are measured now."""
    on_gpu = at.device.type == "cuda"
    machine = torch.cuda.get_device_name(at.device) if on_gpu else cpu_name()
    with use_threads(at.threads):
        rates = roofline.measure_rates(at.device)
    return SurveyReport(machine, installed_version("torch"), at.threads, rates, results)


@contextmanager
def use_threads(n: int) -> Generator[None, None, None]:
    """Within, torch computes with that many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)
