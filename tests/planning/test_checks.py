"""Plugins are checked where they are planned, and a run refuses those that fail."""

import io
import math
from pathlib import Path

import pytest
from rich.console import Console

from bench.base import answer_cache
from bench.errors import PluginError, SuiteError
from bench.execution.request import RunRequest, prepare
from bench.leaderboard.ranking import rank
from bench.leaderboard.tables import render
from bench.leaderboard.tables.formats import TableFormat
from bench.planning import checks, networks, planner
from bench.spec.plan import Plan

pytestmark = pytest.mark.checks
HALF = """
import os
import torch
from bench.plugin import Surrogate


class Half(Surrogate):
    formula = "f(z) = tanh z"
    kind = "tanh-like"

    def value(self, z, _, /):
        return torch.tanh(z)

    def slope(self, z, _, /):
        {body}
        return (1 - torch.tanh(z) ** 2) / 2
"""
NET = """
from bench.plugin import Backbone


class Net(Backbone):
    def build(self, num_classes, channels, layers):
        return layers.conv(channels, num_classes, 3, groups=1, dilation=2)
"""
SHY = """
import torch
from bench.plugin import Backbone, Network


class Sum(torch.nn.Module):
    def forward(self, x):
        return x * float(x.sum() > 0)


class Shy(Backbone):
    def build(self, num_classes, channels, layers):
        return Network(Sum(), torch.nn.Flatten(), torch.nn.LazyLinear(num_classes))
"""
FAILS = (
    "half: slope is the derivative of value: W, p = 0.0, z = 0: slope 0.5, difference quotient 1"
)


def planned(folder: Path, suite: str, body: str = "pass") -> Plan:
    """The plan of the tiny suite, changed, with plugins beside it."""
    home = folder / "plugins"
    home.mkdir(exist_ok=True)
    (home / "half.py").write_text(HALF.format(body=body), encoding="utf-8")
    (home / "net.py").write_text(NET, encoding="utf-8")
    (home / "shy.py").write_text(SHY, encoding="utf-8")
    path = folder / "tiny.yaml"
    path.write_text(f"{suite}\nplugins: [./plugins]\n", encoding="utf-8")
    return planner.plan(path)


def test_a_shipped_plugin_holds(tiny: Path) -> None:
    """Nothing fails of what is shipped, and its rows say nothing."""
    plan = planner.plan(tiny)

    assert plan.failed_checks == {}
    plan.refuse_failed_checks(plan.cells)


@pytest.mark.slow
def test_a_plugin_that_fails_is_marked_and_refused(tiny: Path, tmp_path: Path) -> None:
    """Plan, every format of the table and the refusal of a run name it; --unchecked runs it."""
    suite = tiny.read_text("utf-8").replace("[ste, reste]", "[ste, half]")
    plan = planned(tmp_path, suite)
    path, root = tmp_path / "tiny.yaml", tmp_path / "r"

    assert plan.failed_checks == {FAILS: ["half"]}
    with pytest.raises(PluginError, match=r"half: slope is .*; `bench check` .* --unchecked"):
        prepare(RunRequest(path, root))
    assert prepare(RunRequest(path, root, filter_="estimator=ste")).chosen
    assert len(prepare(RunRequest(path, root, unchecked=True)).chosen) == 2
    board = rank(plan, [])
    for form in ("md", "csv", "tex", "json", "html"):
        assert "slope is the derivative of value" in render.text(board, form)
    for form in ("md", "tex", "html"):
        assert "half (fails check)" in render.text(board, form)
    said = Console(width=200, file=io.StringIO())
    render.render(board, TableFormat.TERMINAL, said)
    assert "half (fails check)" in said.file.getvalue()  # type: ignore[attr-defined]


@pytest.mark.slow
def test_code_that_ends_its_process_harms_no_plan(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stranger's code that dies or hangs while it is checked fails its check, and that alone."""
    suite = tiny.read_text("utf-8").replace("[ste, reste]", "[ste, half]")

    assert planned(tmp_path, suite, "os._exit(3)").failed_checks == {
        "half: check: ends its process (exit code 3)": ["half"]
    }
    monkeypatch.setattr(checks, "PATIENCE_S", 9.0)
    assert planned(tmp_path, suite, "while True: pass").failed_checks == {
        "half: check: takes longer than 9 s": ["half"]
    }


def test_a_network_that_cannot_be_built_is_told_before_it_trains(
    tiny: Path, tmp_path: Path
) -> None:
    """A backbone is built and called on images of its data when it is planned: all errors stand."""
    suite = tiny.read_text("utf-8").replace("resnet20: {width: 2}", "net: {}\n  mobile: {width: 2}")
    suite = suite.replace("[ste, reste]", "[ste, bwnh]").replace("wa: [1/1]", "wa: [1/32, 32/32]")
    with pytest.raises(SuiteError) as caught:
        planned(tmp_path, suite)

    lines = [line.removeprefix(str(tmp_path)) for line in str(caught.value).splitlines()]
    images = "cannot be built for images of 8x8x1, 10 classes"
    assert lines == [
        f"/tiny.yaml:4:3: backbones.net: {images}: gives (1, 10, 8, 8) for an image, "
        "must be (1, 10)",
        f"/tiny.yaml:5:3: backbones.mobile: {images}: WatchingConv2d, this method's convolution, "
        "has no groups",
    ]


def test_what_networks_cost_is_planned(tiny: Path, tmp_path: Path) -> None:
    """Each row has the cost of its network and images, but of one that needs memory to run."""
    suite = tiny.read_text("utf-8").replace(
        "resnet20: {width: 2}", "resnet20: {width: 2}\n  shy: {}"
    )
    binary, real, shy, _ = planned(
        tmp_path, suite.replace("wa: [1/1]", "wa: [1/1, 32/32]").replace("[ste, reste]", "[ste]")
    ).rows
    weights = 9 * (6 * 2 * 2 + 2 * 4 + 5 * 4 * 4 + 4 * 8 + 5 * 8 * 8)

    assert binary.cost
    assert real.cost
    assert binary.cost.binary_weights == weights
    assert binary.cost.bits("1/1") == weights + 32 * (binary.cost.parameters - weights)
    assert real.cost.bits("32/32") == 32 * real.cost.parameters
    assert real.cost.binary_macs == 0
    assert real.cost.real_macs == binary.cost.real_macs + binary.cost.binary_macs
    assert shy.cost is None


def test_networks_are_built_without_their_data(tmp_path: Path) -> None:
    """Of a data set that is not there, but known, what networks cost is planned, and what fails."""
    path = Path("table3-mini")
    data = "data={cifar100: {}}"
    row = planner.plan(path, [data], tmp_path, unseen=True).rows[0]
    assert row.missing
    assert row.cost
    assert row.cost.real_macs == 32 * 32 * 9 * 3 * 8 + 32 * 100
    with pytest.raises(SuiteError, match=r"vgg_small: takes images of 16x16, these are 32x32"):
        planner.plan(path, [data, "backbones={vgg_small: {image: 16}}"], tmp_path, unseen=True)


def test_a_verdict_is_kept(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same code at the same parameters is checked once, by whichever process."""
    asked: list[str] = []
    monkeypatch.setattr(answer_cache, "STARTED", math.inf)  # plugins of other tests are younger
    monkeypatch.setattr(checks, "_known", {})
    monkeypatch.setattr(checks, "check", lambda name, _: asked.append(name) or ["it fails"])
    look = networks._look  # pyright: ignore[reportPrivateUsage]
    monkeypatch.setattr(networks, "_look", lambda net: asked.append(net.backbone.name) or look(net))
    first = planner.plan(tiny)
    monkeypatch.setattr(checks, "_known", {})  # as another process has it
    second = planner.plan(tiny)

    assert sorted(asked) == ["resnet20", "reste", "ste"]
    assert first.failed_checks == second.failed_checks == {"it fails": ["ste", "reste"]}
