"""What boards say of networks: bits as counted, methods that fix options, what they have beside."""

import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from samples import cell, record, row

from bench.leaderboard.board import Board, MeasuredRow
from bench.leaderboard.cell_trace import Mentions, trace_cell
from bench.leaderboard.ranking import rank
from bench.leaderboard.tables import render
from bench.leaderboard.tables.trace_text import facts
from bench.results.cell_folders import CellFolder
from bench.results.equilibrium import indicators
from bench.results.record import Extras, LayerIndicators, Levels, Record
from bench.spec.cell import Binarization, Cell, Parent, Recipe, Ref
from bench.spec.plan import Plan, RoleInfo, Row

PLAIN: dict[str, Any] = {
    "weights": 2, "inputs": 3, "weight_zeros": 0.0, "input_zeros": 0.01, "products": 1,
    "images": 100, "unlike": {},
}  # fmt: skip
NONE = {"parameters_trained": 0, "parameters_kept": 0, "product_macs": 0, "other_macs": 0}


def levels(**change: Any) -> Levels:
    return Levels.model_validate(PLAIN | change)


def extras(**change: Any) -> Extras:
    return Extras.model_validate(NONE | change)


def of(label: str, wa: str = "1/1", **more: Any) -> Cell:
    ref = Ref(name=label)
    real = wa.endswith("/32")
    bits = "" if wa in {"1/1", "1/32"} else wa
    fields = {"weights": ref, "activations": None if real else ref, "bits": bits}
    return cell(**fields | more)


def measured(of_cell: Cell, accs: list[float], **more: Any) -> Record:
    curves = {"train_loss": [1.0] * len(accs), "test_acc": accs, "lr": [0.1] * len(accs)}
    return record(of_cell, curves=curves, **more)


def board(rows: Mapping[str, tuple[Row, list[Record]]]) -> Board:
    plan = Plan(
        suite="s", source="s.yaml", source_digest="0", baseline="ste",
        rows=[one for one, _ in rows.values()],
    )  # fmt: skip
    return rank(plan, [r for _, records in rows.values() for r in records])


def built(label: str, wa: str = "1/1", *, chain: bool = False, **more: Any) -> tuple[Row, Any]:
    """A row of two seeds; `more` is said of its records."""
    start = {"start": Parent(cell=of("none", recipe=Recipe(epochs=3)))} if chain else {}
    cells = [of(label, wa, **start).at_seed(seed) for seed in (0, 1)]
    records = [measured(c, [0.5, 0.6 + c.seed / 100], **more) for c in cells]
    records += [measured(c.start.cell, [0.2]) for c in cells if c.start]
    return row(label, cells, wa), records


def words(shown: Board, head: str) -> list[str]:
    """What stands under a head in Markdown; nothing if there is no such column."""
    found: list[str] = []
    place = None
    for line in render.text(shown, "md").splitlines():
        parts = [part.strip() for part in line.split("|")]
        if head in parts:
            place = parts.index(head)
        elif not line.startswith("|"):
            place = None
        elif place is not None and "---" not in line and ":-" not in line:
            found.append(parts[place].replace("\\", ""))
    return found


def rows_of(shown: Board) -> dict[str, MeasuredRow]:
    return {row.label: row for row in shown.measured}


def test_a_plain_board_has_no_new_columns() -> None:
    cases: list[dict[str, Any]] = [{}, {"levels": levels(), "extras": extras()}]
    for more in cases:
        text = render.text(board({"ste": built("ste", **more)}), "md")
        for head in ("bits, counted", "binary", "param", "MACs", "epochs |", "beside"):
            assert head not in text


def test_bits_are_counted() -> None:
    shown = board(
        {
            "ste": built("ste", levels=levels()),
            "two": built("two", levels=levels(inputs=2, products=2)),
            "three": built(
                "three", levels=levels(weights=3, weight_zeros=0.3, unlike={1: "weights of 3"})
            ),
            "real": built("real", levels=levels(inputs=4, unlike={1: "inputs of more than 3"})),
        }
    )
    bits = {label: one.network.bits for label, one in rows_of(shown).items()}
    assert bits == {"ste": "1/1", "two": "1/1 x2", "three": "2/1", "real": "1/>1"}
    assert sorted(words(shown, "bits, counted")) == ["1/1", "1/1 x2", "1/>1", "2/1"]
    assert "no, because inputs of more than 3" in words(shown, "binary in evaluation")


@pytest.mark.parametrize(
    ("wa", "found", "bits"),
    [
        ("2/32", {"weights": 3, "inputs": None}, "2/32"),
        ("1/2", {"inputs": 4}, "1/2"),
        ("4/4", {"weights": 16, "inputs": 15}, "4/4"),
        ("8/8", {"weights": 257, "inputs": 2}, ">8/1"),
    ],
)
def test_more_bits_are_counted(wa: str, found: dict[str, Any], bits: str) -> None:
    shown = board({"x": built("x", wa, levels=levels(**found))})
    assert rows_of(shown)["x"].network.bits == bits
    assert ("bits, counted" in render.text(shown, "md")) == (bits != wa)


def test_a_network_that_is_less_binary_than_it_says_is_not_ranked() -> None:
    shown = board(
        {
            "ste": built("ste", levels=levels()),
            "late": built("late", levels=levels(unlike={0: "weights of more than 3 values in a"})),
            "real": built("real", levels=levels(unlike={1: "weights of more than 3 values in a"})),
        }
    )
    found = rows_of(shown)
    assert [found[x].comparison.rank is None for x in ("ste", "late", "real")] == [
        False, False, True,
    ]  # fmt: skip
    assert found["late"].network.binary == "yes, but not in 1 of 2 epochs"
    assert found["real"].network.binary == "no, because weights of more than 3 values in a"
    text = render.text(shown, "md")
    assert "not ranked: real on resnet20, 1/1, weights of more than 3 values in a" in text


def test_the_best_epoch_is_one_that_was_binary() -> None:
    of_cell = of("late")
    found = measured(of_cell, [0.9, 0.5, 0.6], best_epoch=2, levels=levels(unlike={0: "real"}))
    assert found.best_acc == 0.6
    never = {0: "real", 1: "real", 2: "real"}
    found = measured(of_cell, [0.9, 0.5, 0.6], best_epoch=0, levels=levels(unlike=never))
    assert (found.best_acc, found.last_acc) == (None, 0.6)
    assert measured(of_cell, [0.9, 0.5], best_epoch=None).best_acc == 0.9  # an older record


def test_what_a_method_has_beyond_ste_is_told() -> None:
    more = extras(parameters_trained=1672, parameters_kept=40, product_macs=36_864, other_macs=12)
    shown = board(
        {
            "ste": built("ste", levels=levels(), extras=extras()),
            "much": built("much", levels=levels(), extras=more, chain=True),
        }
    )
    assert words(shown, "+param.") == ["1,672", "0"]
    assert words(shown, "+param. kept") == ["40", "0"]
    assert words(shown, "+MACs") == ["36,864 product, 12 other", "0"]
    assert words(shown, "epochs") == ["5", "2"]
    assert words(shown, "all of it, s") == ["2", "1"]
    lines = json.loads(render.text(shown, "json"))["sections"][0]["lines"]
    assert [line["parameters_trained"] for line in lines] == [1672, 0]
    assert lines[0]["levels"]["inputs"] == 3
    flat = list(csv.DictReader(io.StringIO(render.text(shown, "csv"))))
    assert [line["bits"] for line in flat] == ["1/1", "1/1"]
    for form in ("tex", "html"):
        assert "36,864 product" in render.text(shown, form)


def seen(error: float) -> LayerIndicators:
    values: dict[str, Any] = {key: [error, error] for key in LayerIndicators.model_fields}
    numbers = {"n": [4, 4], "zeros": [0, 0], "n_grad": 4, "grad_var": [0.5, 0.5], "histograms": []}
    return LayerIndicators.model_validate(values | numbers | {"layer": "a", "role": "W"})


def test_a_method_without_f_has_no_error() -> None:
    ste, method = of("ste"), of("method")
    assert indicators(measured(method, [0.5, 0.6], indicators=[seen(0.0)])) == (None, 0.5)
    info = RoleInfo(plugin="method", formula="w", kind="method", has_f=False, aux="loss")
    its = row("method", [method]).model_copy(update={"roles": {"W": info, "A": info}})
    shown = board(
        {
            "ste": (row("ste", [ste]), [measured(ste, [0.5, 0.6], indicators=[seen(0.3)])]),
            "method": (its, [measured(method, [0.5, 0.6], indicators=[seen(0.0)])]),
        }
    )
    assert sorted(words(shown, "e (paper)")) == ["0.3", "no f"]
    assert sorted(words(shown, "s (paper)")) == ["5.00e-01", "5.00e-01"]
    assert "no f" in words(shown, "rational")
    assert sorted(words(shown, "beside")) == ["-", "loss"]
    assert rows_of(shown)["method"].scores.e is None
    alone = board({"method": (its, [measured(method, [0.5, 0.6], indicators=[seen(0.0)])])})
    assert words(alone, "e (paper)") == []


def test_rows_whose_method_fixes_options_stand_in_one_section() -> None:
    ste, ste_records = built("ste")
    own = of("method", binarization=Binarization(scale="none"))
    fixing = row("method", [own]).model_copy(update={"fixes": {"scale": "none", "padding": 0}})
    shown = board({"method": (fixing, [measured(own, [0.5])]), "ste": (ste, ste_records)})
    (section,) = shown.sections
    assert {one.label for one in section.rows} == {"ste", "method"}
    assert "scale" not in section.recipe
    assert "own options of method: scale none" in shown.notes


def test_rows_of_other_bits_stand_in_other_sections() -> None:
    shown = board({"a": built("a", "1/1"), "b": built("b", "2/2"), "c": built("c", "1/2")})
    assert [section.wa for section in shown.sections] == ["1/1", "2/2", "1/2"]
    assert all(row.comparison.rank == 1 for row in shown.measured)


def test_steps_of_more_bits_are_timed_by_ste_of_one() -> None:
    ste, ste_records = built("ste", images_per_s=100.0)
    more, records = built("more", "2/2", images_per_s=50.0)
    shown = board({"ste": (ste, ste_records), "more": (more, records)})
    assert rows_of(shown)["more"].resources.step_ratio == pytest.approx(2)


def test_a_trace_tells_what_was_counted() -> None:
    of_cell = of("late")
    late = measured(of_cell, [0.9, 0.5, 0.6], best_epoch=2, levels=levels(unlike={0: "real"}))
    folder = CellFolder(Path("cells") / of_cell.slug, late)
    found = dict(facts(trace_cell(folder, Mentions(Path("nowhere"), []))))
    assert found["outcome"] == "test accuracy 60.00 % after epoch 3, best 60.00 % after epoch 3"
    assert found["counted"] == (
        "weights 2 values a filter (0.0 % zeros), inputs 3 a channel (1.0 % zeros), otherwise in "
        "1 epoch, last 1: real"
    )


@pytest.mark.parametrize(
    "change",
    [
        {"weights": -1}, {"inputs": 10**30}, {"weight_zeros": 1.5}, {"input_zeros": float("nan")},
        {"unlike": {0: "two\nlines"}}, {"unlike": {-1: "before"}}, {"unlike": {0: "long" * 100}},
    ],
)  # fmt: skip
def test_counts_that_cannot_be_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        levels(**change)
