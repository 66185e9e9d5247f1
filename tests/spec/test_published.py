"""Published numbers: ledgers read, set beside rows, and judged."""

from pathlib import Path
from typing import Any

import pytest
from samples import cell

from bench.errors import SuiteError
from bench.leaderboard.ranking import rank
from bench.leaderboard.replication import verdict
from bench.leaderboard.stats.intervals import Estimate, estimate, spread
from bench.leaderboard.tables import render
from bench.planning import planner
from bench.spec.published import Claim, describe, list_differences, read_ledger

SUITE = """\
estimators: [ste, reste]
backbones: {resnet20: {width: 2}}
data: {digits: {train: 64, test: 40}}
seeds: 0
include: [{estimator: reste, wa: 1/32}]
train: {epochs: 1, batch_size: 32}
"""
LEDGER = """\
source: a paper
caution: Nothing is stated.
protocol: {data: "digits (train 64, test 40)", epochs: 1}
claims:
  - {label: reste, backbone: resnet20, wa: 1/1, method: Re, acc: 12.5, protocol: {batch_size: 32}}
  - {label: other, backbone: resnet20, wa: 1/1, method: Other, acc: 50, note: a caution}
  - {label: ste, backbone: vgg, wa: 2/32, method: STE, acc: 40}
  - {label: margin(a-b), backbone: resnet20, wa: 1/1, method: a - b, acc: 0.5, kind: margin}
"""


def ledger_of(folder: Path, text: str) -> None:
    """The ledger `mine` of the suites in `folder`."""
    (folder / "published").mkdir()
    (folder / "published" / "mine.yaml").write_text(text, encoding="utf-8")


def claim(**protocol: Any) -> Claim:
    return Claim(
        label="reste",
        wa="1/1",
        method="ReSTE",
        acc=50.0,
        source="x",
        protocol=protocol,
    )


FULL = {"epochs": 2, "batch_size": cell().recipe.batch_size}


def test_a_claim_is_reproduced_within_the_spread_of_one_run() -> None:
    """0.496, 0.500, 0.504: one run more lies within 4.3027·0.004·√(1 + 1/3) = 0.0199."""
    ours = estimate([0.496, 0.500, 0.504])
    assert ours

    assert spread(ours) == pytest.approx(4.30265 * 0.004 * (4 / 3) ** 0.5, rel=1e-5)
    assert verdict(claim(**FULL), cell(), ours, ours) == (
        "reproduced: ours +0.00, spread of one run ±1.99"
    )


@pytest.mark.parametrize(
    ("mean", "half_width", "n", "said"),
    [
        (0.52, 0.001, 4, "differs: ours +2.00, spread of one run ±0.22"),
        (0.45, 0.001, 3, "differs: ours -5.00, spread of one run ±0.20"),
        (0.52, 0.050, 3, "undecided: ours +2.00, spread of one run ±10.00"),
        (0.45, None, 1, "undecided: ours -5.00, and one seed has no spread"),
    ],
)
def test_a_claim_differs_or_is_undecided(
    mean: float, half_width: float | None, n: int, said: str
) -> None:
    """Beyond the spread of one run; a wide spread or one seed decides nothing."""
    ours = Estimate(mean, half_width, n)

    assert verdict(claim(**FULL), cell(), ours, ours) == said


def test_an_unstated_protocol_decides_nothing() -> None:
    """Without the published epochs and batch there is nothing to reproduce."""
    sharp = Estimate(0.5, 0.001, 4)

    assert verdict(claim(epochs=2), cell(), sharp, sharp) == (
        "undecided: published batch not stated; ours +0.00, spread of one run ±0.22"
    )
    assert verdict(claim(**FULL), cell(), None, None) == "not measured yet"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("backbones.resnet18.width=16", "width 16, published 64"),
        ("backbones.resnet18.shortcut=A", "shortcut A, published B"),
        ("estimators.reste.o_end=10", "o_end 10, published 3"),
        ("estimators.reste.small_mode=clamp", "small_mode clamp, published secant"),
        ("estimators.reste.gain=unit", "gain unit, published raw"),
        ("estimators.reste={plugin: ste}", "estimator ste, published reste"),
        ("estimators.reste={W: reste, A: ste}", "estimator W reste, A ste, published reste"),
        ("binarization.standardize=on", "standardize on, published off"),
        ("binarization.sign0=1", "sign0 1, published 0"),
        ("seeds=0", "data digits (resize 32), published cifar10"),
        ("train.momentum=0.8", "momentum 0.8, published 0.9"),
        ("backbones.resnet18.train.epochs=30", "epochs 30, published 2000"),
    ],
)
def test_whatever_is_changed_is_named(change: str, said: str) -> None:
    """Any known value of Table 1's ReSTE row, trained otherwise, makes it not comparable."""
    base = ["data={digits: {resize: 32}}", "estimators.dsq={}"]
    plan = planner.plan(Path("table1"), [*base, change])
    row = next(r for r in plan.rows if (r.label, r.backbone, r.wa) == ("reste", "resnet18", "1/1"))
    assert row.claim

    assert said in list_differences(row.claim.protocol, row.cells[0])


def test_another_protocol_is_not_comparable() -> None:
    """What is known of the published training and was different in ours is named."""
    other = claim(epochs=1000, data="cifar10", backbone="resnet20", lr=0.1)
    said = verdict(other, cell(), None, None)

    assert said == "not comparable: epochs 2, published 1000; data digits, published cifar10"


def test_a_claim_names_its_metric() -> None:
    """A last-epoch number is set against our last epoch, any other against our best."""
    last, best = Estimate(0.4, 0.001, 2), Estimate(0.5, 0.001, 2)
    at_last = claim(**FULL).model_copy(update={"metric": "last"})

    assert verdict(at_last, cell(), last, best).startswith("differs: ours -10.00")
    assert verdict(claim(**FULL), cell(), last, best).startswith("reproduced: ours +0.00")


def test_ledgers_join_rows_and_nothing_is_silently_absent(tmp_path: Path) -> None:
    """A claim stands beside its row; one without a row is listed, with the reason."""
    ledger_of(tmp_path, LEDGER)
    (tmp_path / "x.yaml").write_text(SUITE + "published: mine\n")
    plan = planner.plan(tmp_path / "x.yaml")
    board = rank(plan, [])
    text = render.text(board, "md")

    assert {(r.label, r.wa): r.claim and r.claim.acc for r in plan.rows} == {
        ("ste", "1/1"): None,
        ("reste", "1/1"): 12.5,
        ("reste", "1/32"): None,
    }
    assert [(a.claim.method, a.reason) for a in plan.absent] == [
        ("Other", "not built"),
        ("STE", "not in this suite"),
    ]
    assert "| - | Other | - |" in text
    assert "| not built |" in text
    assert "a caution" in text
    assert [(s.backbone, s.wa) for s in board.sections][-1] == ("vgg", "2/32")


def test_several_ledgers_may_be_named(tmp_path: Path) -> None:
    """`published: [mine, table3]`: those beside the suite go first."""
    ledger_of(tmp_path, LEDGER)
    (tmp_path / "x.yaml").write_text(SUITE + "published: [mine, table3]\n")
    plan = planner.plan(tmp_path / "x.yaml")
    ste = next(row for row in plan.rows if row.label == "ste")

    assert ste.claim
    assert ste.claim.acc == 84.44


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("source: x\n", "mine.yaml:1:1: claims: names no claim"),
        ("claims: 3\n", "mine.yaml:1:1: claims: names no claim"),
        ("[1]\n", "names no claim"),
        ("claims:\n  - {label: a}\n", "mine.yaml:2:5: claims.0.wa: Field required"),
        (LEDGER.replace("acc: 50", "acc: high"), "mine.yaml:6:64: claims.1.acc: Input should be"),
        (LEDGER.replace("{batch_size: 32}", "[32]"), "claims.0.protocol: Input should be"),
    ],
)
def test_a_wrong_ledger_is_told_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    """A ledger's problems name its file, line and key; nothing ends in a traceback."""
    ledger_of(tmp_path, text)
    with pytest.raises(SuiteError) as caught:
        read_ledger("mine", tmp_path)

    assert said in str(caught.value)


def test_a_ledger_can_be_read(tmp_path: Path) -> None:
    """`bench show ledger`: number, method, row, metric and source; protocol and note below."""
    ledger_of(tmp_path, LEDGER)
    text = "\n".join(describe(read_ledger("mine", tmp_path)))

    assert "  12.50  Re: reste x resnet20 x 1/1 x default (best, a paper)" in text
    assert "data digits (train 64, test 40), epochs 1, batch_size 32" in text
    assert "note: a caution" in text
    assert text.startswith("caution: a paper: Nothing is stated.\n")
    assert "   0.50  a - b: margin(a-b)" in text


def test_a_missing_ledger_is_told_where_it_is_named(tmp_path: Path) -> None:
    """The suite's line, the name, and one that is near."""
    (tmp_path / "x.yaml").write_text(SUITE + "published: tabel1\n")
    with pytest.raises(SuiteError) as caught:
        planner.plan(tmp_path / "x.yaml")

    assert "x.yaml:7:1: published: no ledger `tabel1`; did you mean `table1`?" in str(caught.value)
