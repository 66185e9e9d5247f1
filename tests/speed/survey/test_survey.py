"""What `bench perf` and `make bench` measure, and how they put it."""

import json
import math
import time
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import nn

from bench.base import machine
from bench.cli import streams
from bench.cli.streams import UNBOUND
from bench.errors import EnvironmentProblem
from bench.nn.macs import count_cost
from bench.registry import BACKBONES
from bench.speed.survey import (
    cases,
    concurrent,
    memory,
    method_cases,
    networks,
    roofline,
    survey,
    table,
    timing,
)
from bench.speed.survey.cases import LIMIT, Case, Setting
from bench.speed.survey.survey import SurveyReport
from bench.speed.survey.timing import time_in_turn

Ask = Callable[..., tuple[int, str, str]]
CPU = torch.device("cpu")
TINY = Setting(
    CPU,
    threads=1,
    rounds=1,
    shape=(2, 3, 4, 4),
    batch=32,
    params={"width": 2},
    steps=1,
    epoch=2,
)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits of a small machine, and trainings at a time that are not."""
    monkeypatch.setattr(roofline, "count_flops", lambda *_: 1000)
    monkeypatch.setattr(roofline, "SIDES", {"cpu": 8})
    monkeypatch.setattr(roofline, "COPIED", {"cpu": 64})
    monkeypatch.setattr(timing, "ROUND_S", 0.0)
    monkeypatch.setattr(concurrent, "train_in_processes", lambda _at, k, _way: 100.0 * k)
    monkeypatch.setattr(machine, "cores", lambda: 2)


@pytest.mark.slow
@pytest.mark.usefixtures("small")
def test_every_case_is_measured() -> None:
    """Each way of each case works, and has its ratio, part of the limit and memory."""
    told: list[str] = []
    found = survey.run_survey(TINY, survey.list_cases(TINY), lambda text, _: told.append(text))
    groups = {group: [r for r in found.rows if r.group == group] for group in table.HEADS}
    assert groups.pop("method") == []

    assert {group: len(rows) for group, rows in groups.items()} == {
        "estimator": 2 * 2 * 6, "step": 2 * 2 * 3, "epoch": 2, "together": 3,
    }  # fmt: skip
    assert len(told) == 12 + 6 + 1 + 1 + 1
    assert all(r.ratio > 0 and r.seconds > 0 for r in found.rows)
    assert all(r.of_limit for r in (*groups["estimator"], *groups["step"]))
    assert all(r.bytes and r.images_per_s for r in groups["step"])
    assert [r.ratio for r in groups["together"]] == pytest.approx([1, 2, 4])
    assert set(found.rates) == {*roofline.PRECISIONS, "copy"}


def test_ways_take_turns() -> None:
    """A B A B: what slows the machine for a while slows both."""
    order: list[str] = []
    ways = {name: lambda name=name: order.append(name) or float(len(order)) for name in "ab"}
    found = time_in_turn(ways, 3)

    assert order == ["a", "b"] * 3
    assert found == {"a": [1, 3, 5], "b": [2, 4, 6]}


def test_it_is_late() -> None:
    """One round there always is, and no other after its time."""
    assert time_in_turn({"a": lambda: 1.0}, 9, until=0) == {"a": [1]}


def waiting(seconds: float, stop: type[BaseException] | None = None) -> Case:
    """A case that takes so long, and may be stopped in it."""

    def run() -> float:
        time.sleep(seconds)
        if stop:
            raise stop
        return seconds

    return Case("epoch", "net", "step alone", {"step alone": lambda: run}, 1, 1)


@pytest.mark.usefixtures("small")
def test_what_there_is_no_time_for_is_named() -> None:
    """No case begins after the budget; what was measured stays."""
    found = survey.run_survey(TINY, [waiting(0.2)] * 3, budget_s=0.1)

    assert (len(found.rows), found.left_out, found.whole) == (1, ["epoch net"] * 2, True)
    assert "Not measured, for want of time: epoch net; epoch net." in found.caption


@pytest.mark.usefixtures("small")
def test_a_stopped_survey_has_its_rows_and_its_limits() -> None:
    """Ctrl-C in a case ends the survey at once, with the rows and the limits that there are."""
    found = survey.run_survey(TINY, [waiting(0.01), waiting(0.0, KeyboardInterrupt), waiting(9.0)])

    assert (len(found.rows), len(found.left_out), found.whole) == (1, 2, False)
    assert found.rates["copy"] > 0
    assert "since it was stopped" in found.caption


def test_slow_products_are_of_small_matrices(monkeypatch: pytest.MonkeyPatch) -> None:
    """A precision that a processor hardly has takes no minutes; one that it has is at full size."""
    rates = {torch.float16: 1e9, torch.float32: 1e12}  # operations a second, as an EPYC was seen

    def product(n: int, _: torch.device, dtype: torch.dtype) -> tuple[int, torch.dtype]:
        return n, dtype

    def timed(call: tuple[int, torch.dtype], _: torch.device) -> float:
        n, dtype = call
        return 2 * n**3 / rates[dtype]

    monkeypatch.setattr(roofline, "_product", product)
    monkeypatch.setattr(roofline, "time_call", timed)
    assert roofline.choose_side(CPU, torch.float16) == 256
    assert roofline.choose_side(CPU, torch.float32) == roofline.SIDES["cpu"]


def test_ratios_are_of_the_least_times() -> None:
    """A row is as fast as its best round, against the baseline's best and the limit's."""
    case = Case("step", "net", "slow", {}, 2, images=10, memory=lambda way: len(way))
    case = replace(case, ways=dict.fromkeys(("slow", "fast", LIMIT), lambda: lambda: 0.0))
    slow, fast = table.list_results(case, {"slow": [8, 4], "fast": [2, 9], LIMIT: [1, 1]})

    assert (slow.ratio, slow.of_limit, slow.bytes) == (1, 0.25, 4)
    assert (fast.ratio, fast.of_limit, fast.images_per_s) == (2, 0.5, 5)


@pytest.mark.parametrize("name", cases.SHARE)
def test_operations_are_three_times_the_forwards(name: str) -> None:
    """Forward, gradient of the input, gradient of the weights; nobody wants that of the images."""
    plugin = BACKBONES.build(name, {})
    one = count_cost(plugin)
    first = next(m for m in networks.build_skeleton(name, {}).modules() if isinstance(m, nn.Conv2d))
    images = 32 * 32 * first.weight.numel()

    expected = 2 * (3 * (one.binary_macs + one.real_macs) - images)
    assert (
        roofline.count_flops(lambda: networks.build_skeleton(name, {}), networks.IMAGE) == expected
    )


def test_memory_is_counted_once() -> None:
    """What two operations keep counts once, and weights, which are there anyway, do not."""
    layer = nn.Linear(4, 4)
    x = torch.randn(2, 4, requires_grad=True)

    assert memory.count_bytes_kept(layer, lambda: layer(x).sum()) == x.nbytes
    assert memory.count_bytes_kept(layer, lambda: (x * x).sum()) == x.nbytes
    assert memory.count_bytes_kept(layer, lambda: (x * x.exp()).sum()) == 2 * x.nbytes


def test_numbers_of_trainings() -> None:
    """Powers of two: past a CPU's cores by one, and up to 16 on a GPU."""
    for n, expected in ((1, [1, 2]), (2, [1, 2, 4]), (6, [1, 2, 4, 8])):
        assert concurrent.list_counts(CPU, n) == expected
    assert concurrent.list_counts(torch.device("cuda"), 2) == [1, 2, 4, 8, 16]


@pytest.mark.slow
def test_processes_train_at_a_time() -> None:
    """Two processes begin together, and the images of both count; one that dies is no hang."""
    assert concurrent.train_in_processes(TINY, 2, "eager") > 0
    with pytest.raises(EnvironmentProblem, match="one of 2 trainings at a time died"):
        concurrent.train_in_processes(replace(TINY, params={"breadth": 2}), 2, "eager")


def test_the_command_prints_tables_or_json(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ratios stand before everything else, progress on stderr; JSON has every field."""
    row = table.CaseResult(
        "step", "resnet20 1/1, batch 128", "eager", 2.5, 0.25, 0.5, 256.0, 3 * 2**20
    )
    asked: list[Setting] = []
    budgets: list[float] = []

    def fake(at: Setting, _: list[Case], watch: survey.Watch, budget_s: float) -> SurveyReport:
        asked.append(at)
        budgets.append(budget_s)
        watch("[1/1] step", [])
        watch("[2/2] epoch", [row])
        return SurveyReport("a machine", "2.15", at.threads, {"float32": 2e11, "copy": 1e10}, [row])

    monkeypatch.setattr(survey, "run_survey", fake)
    monkeypatch.setattr(streams.out, "_width", UNBOUND)
    code, printed, err = ask("perf", "--threads", "3", "--quick")
    _, text, _ = ask("perf", "--device", "cpu", "--json", "--compile")

    assert code == 0
    assert "resnet20 1/1, batch 128   eager       2.50               25        256" in printed
    assert "a machine, torch 2.15, 3 threads" in printed
    assert "200 GFLOP/s in float32, copies at 10.0 GB/s" in printed
    assert err.splitlines() == ["[1/1] step", f"  {table.describe(row)}", "[2/2] epoch"]
    assert budgets == [120, math.inf]
    assert json.loads(text)["rows"][0]["ratio"] == 2.5
    assert [at.compiled for at in asked] == [False, True]
    assert asked[0].rounds < asked[1].rounds


def test_a_device_that_is_not_there(ask: Ask) -> None:
    """It is said in one line, before anything is measured."""
    code, printed, err = ask("perf", "--device", "cuda:99")

    assert (code, printed) == (5, "")
    assert "GPU 99 asked for" in err


@pytest.mark.usefixtures("small")
def test_a_method_is_measured_against_ste() -> None:
    """Its steps are counted in those of STE, which has no row of its own."""
    asked = list(method_cases.list_method_cases(replace(TINY, compiled=False), ["ede"]))
    (row,) = survey.run_survey(TINY, asked).rows

    assert (row.group, row.case, row.way) == ("method", "ede", "eager")
    assert row.ratio > 0
