"""A survey of a machine: every case measured there, and what the machine is."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from bench.base import signals
from bench.results.provenance import cpu_name, installed_version
from bench.speed.survey import cases, concurrent, roofline
from bench.speed.survey.cases import Case, Setting
from bench.speed.survey.table import CaseResult, list_results

GIGA = 1e9


@dataclass(frozen=True)
class SurveyReport:
    """What was measured, and on what."""

    machine: str
    torch: str
    threads: int
    rates: dict[str, float]  # operations a second by precision; bytes a second of a `copy`
    rows: list[CaseResult]
    whole: bool = True  # was everything measured?

    @property
    def caption(self) -> str:
        """What the tables' numbers rest on, and what their columns are."""
        threads = f"{self.threads} thread{'s' * (self.threads != 1)}"
        rates = [f"{rate / GIGA:,.0f} GFLOP/s in {name}" for name, rate in self.rates.items()]
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
        )


def list_cases(at: Setting) -> list[Case]:
    """All that is measured."""
    return [*cases.list_solo_cases(at), *concurrent.list_concurrent_cases(at)]


def run_survey(at: Setting, asked: list[Case], tell: Callable[[str], None]) -> SurveyReport:
    """
    Measure the cases, or as many as there are until Ctrl-C.

    Args:
        tell: told of each case before it is measured.

    Raises:
        BenchError: a training diverged, or died.
    """
    results: list[CaseResult] = []
    whole = True
    try:
        for i, case in enumerate(asked, 1):
            tell(f"[{i}/{len(asked)}] {case.group}: {case.name}")
            with use_threads(at.threads):
                results += list_results(case, case.measure())
    except (KeyboardInterrupt, signals.Stopped):
        whole = False
    tell("the machine's limits")
    return make_report(at, results, whole=whole)


def make_report(at: Setting, results: list[CaseResult], *, whole: bool = True) -> SurveyReport:
    """A survey of these rows; the machine's limits are measured now."""
    on_gpu = at.device.type == "cuda"
    machine = torch.cuda.get_device_name(at.device) if on_gpu else cpu_name()
    with use_threads(at.threads):
        rates = roofline.measure_rates(at.device)
    return SurveyReport(machine, installed_version("torch"), at.threads, rates, results, whole)


@contextmanager
def use_threads(n: int) -> Generator[None, None, None]:
    """Within, torch computes with that many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)
