"""What stands for several: matrix and zip of an entry, and what a suite crosses."""

from itertools import product
from pathlib import Path

import pytest
from small_suite import LINES, left_out, params, planned, refused, rows, write

from bench.errors import SuiteError
from bench.planning import planner


def test_a_matrix_makes_a_row_per_value(tmp_path: Path) -> None:
    """A list of values is as many labels, which the rest of the suite can use."""
    plan = planned(
        tmp_path,
        estimators="{reste: {m: 0.2, matrix: {o_end: [1, 2, 3]}}}",
        baseline="reste(o_end=1)",
        exclude="[{estimator: reste(o_end=3), reason: known}]",
    )

    assert rows(plan) == ["reste(o_end=1) 1/1 default", "reste(o_end=2) 1/1 default"]
    assert [(p["o_end"], p["m"]) for p in params(plan)] == [(1.0, 0.2), (2.0, 0.2)]
    assert left_out(plan) == {"reste(o_end=3) x resnet20 x 1/1 x default": "known"}


def test_a_matrix_crosses_its_parameters(tmp_path: Path) -> None:
    """Two lists of values are their product, plugins and schedules no exception."""
    plan = planned(
        tmp_path, estimators="{any: {matrix: {plugin: [ede, rbnn], schedule: [exp, linear]}}}"
    )

    assert [row.label for row in plan.rows] == [
        f"any(plugin={p},schedule={s})" for p, s in product(("ede", "rbnn"), ("exp", "linear"))
    ]
    assert [p["schedule"] for p in params(plan)] == ["exp", "linear"] * 2


def test_a_backbone_of_a_matrix_has_a_label(tmp_path: Path) -> None:
    """A row of a backbone's matrix can be excluded and included by its label, like any other."""
    plan = planned(
        tmp_path,
        backbones="{resnet20: {matrix: {width: [2, 4]}}}",
        exclude="[{backbone: resnet20(width=4), reason: too wide}]",
        include="[{estimator: none, wa: 32/32, backbone: resnet20(width=2)}]",
    )

    assert [(row.label, row.backbone) for row in plan.rows] == [
        ("ste", "resnet20(width=2)"),
        ("none", "resnet20(width=2)"),
    ]


def test_zip_takes_values_side_by_side(tmp_path: Path) -> None:
    """The first of each list, then the second of each, and each of these with all of a matrix."""
    entry = "{reste: {zip: {o_end: [2, 3], t: [1.2, 1.5]}, matrix: {m: [0.1, 0.2]}}}"
    rows = planned(tmp_path, estimators=entry).rows

    assert [row.label for row in rows] == [
        "reste(o_end=2,t=1.2,m=0.1)", "reste(o_end=2,t=1.2,m=0.2)",
        "reste(o_end=3,t=1.5,m=0.1)", "reste(o_end=3,t=1.5,m=0.2)",
    ]  # fmt: skip
    params = [row.cells[0].weights.params for row in rows if row.cells[0].weights]
    assert [(p["o_end"], p["t"], p["m"]) for p in params][1] == (2, 1.2, 0.2)


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ("zip: {o_end: [2, 3], t: [1]}", "needs lists of one length, has o_end 2, t 1"),
        ("zip: {o_end: 2}", "must map parameters to lists of values"),
        ("zip: {o_end: [2]}, matrix: {o_end: [3]}", "stands in the zip, too, as [2]; say it once"),
    ],
)
def test_a_zip_that_cannot_be_is_an_error(tmp_path: Path, entry: str, told: str) -> None:
    """Lists of two lengths, no lists, and a parameter said twice are told with their place."""
    (line,) = refused(tmp_path, estimators=f"{{reste: {{{entry}}}}}")

    assert told in line
    assert "estimators.reste" in line


CROSSED = {"train": "{batch_size: 64}", "cross": "{train: {epochs: [1, 3], lr: [0.1, 0.2]}}"}


def test_a_crossed_recipe_is_an_axis(tmp_path: Path) -> None:
    """Every backbone trains with every combination; an override of one value takes their place."""
    crossed = planned(tmp_path, **CROSSED).rows
    alone = planned(tmp_path, "train.epochs=3", **CROSSED).rows

    assert [row.backbone for row in crossed] == [
        f"resnet20(epochs={e},lr={lr})" for e in (1, 3) for lr in (0.1, 0.2)
    ]
    assert [(row.recipe.epochs, row.recipe.lr) for row in crossed][2] == (3, 0.1)
    assert [row.backbone for row in alone] == ["resnet20(lr=0.1)", "resnet20(lr=0.2)"]
    assert [row.cells for row in alone] == [row.cells for row in crossed[2:]]


def test_crossed_binary_layers_are_an_axis(tmp_path: Path) -> None:
    """What binary layers do is crossed with the recipe; an override takes the values' place."""
    cross = "{train: {epochs: [1, 3]}, binarization: {gradients: [float32, bfloat16]}}"
    rows = planned(tmp_path, **(CROSSED | {"cross": cross})).rows
    asked = "binarization.gradients=bfloat16"
    alone = planned(tmp_path, asked, **(CROSSED | {"cross": cross})).rows

    assert [row.backbone for row in rows] == [
        f"resnet20(epochs={e},gradients={g})" for e in (1, 3) for g in ("float32", "bfloat16")
    ]
    assert [row.cells[0].binarization.gradients for row in rows] == ["float32", "bfloat16"] * 2
    assert [row.cells for row in alone] == [row.cells for row in rows[1::2]]


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ({"cross": "{binarization: {gradient: [1]}}", **LINES}, "did you mean `gradients`?"),
        (
            {"cross": "{binarization: {gradients: [bfloat16], scale_at: [pre]}}", **LINES},
            "gradients: bfloat16 needs scale_at: post",
        ),
        ({"binarization": "5"}, "binarization: "),
        ({"cross": "{train: {epoch: [1, 3]}}", **LINES}, "unknown key; did you mean `epochs`?"),
        ({"cross": "{train: {epochs: [1, x]}}"}, "must be a valid integer"),
        ({"cross": "{train: {epochs: 3}}"}, "cross.train.epochs: must be a valid list"),
        ({"estimators": "{ste: {train: {epochs: 3}}}"}, "the suite crosses it; say it once"),
        ({"backbones": "{resnet20: {train: {lr: 1}}}"}, "the suite crosses it; say it once"),
        (
            {"estimators": "{ste: {structure: {resnet20: {train: {lr: 1}}}}}"},
            "estimators.ste.structure.resnet20.train.lr: the suite crosses it; say it once",
        ),
        ({"train": "{batch_size: 64, lr: 1}"}, "say it there, in `cross.train.lr`, alone"),
        ({"tune": "{train: {lr: [0.1, 1]}}"}, "the suite crosses it, so it is not chosen"),
    ],
)
def test_a_cross_that_cannot_be_is_an_error(
    tmp_path: Path, lines: dict[str, str], told: str
) -> None:
    """What is no list of values of the recipe, and what is said twice."""
    (line,) = refused(tmp_path, **(CROSSED | lines))

    assert told in line


def test_a_suite_crosses_what_its_base_sets_but_sets_nothing_that_it_crosses(
    tmp_path: Path,
) -> None:
    """The nearer file's axis takes the place of a value; a value that would be dropped is told."""
    write(tmp_path, train="{epochs: 2, batch_size: 64}").rename(tmp_path / "base.yaml")
    nearer = tmp_path / "nearer.yaml"
    nearer.write_text("extends: base\ncross: {train: {epochs: [1, 3]}}\n", encoding="utf-8")
    last = tmp_path / "last.yaml"
    last.write_text("extends: nearer\ntrain: {epochs: 5}\n", encoding="utf-8")

    assert [row.cells[0].recipe.epochs for row in planner.plan(nearer).rows] == [1, 3]
    with pytest.raises(SuiteError, match=r"last.yaml:2:9: .*nearer.yaml:2:\d+ crosses it"):
        planner.plan(last)


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ({"train": "{epochs: [1, 3]}"}, "`cross: {train: {epochs: [...]}}`"),
        ({"binarization": "{scale: [none]}"}, "`cross: {binarization: {scale: [...]}}`"),
        ({"estimators": "{ste: {clip: [1]}}"}, "`estimators: {ste: {matrix: {clip: [...]}}}`"),
        ({"backbones": "{vgg_small: {width: [1]}}"}, "{vgg_small: {matrix: {width: [...]}}}`"),
    ],
)
def test_a_list_where_one_value_stands_is_told_how_to_take_each(
    tmp_path: Path, lines: dict[str, str], told: str
) -> None:
    """The line says what is wrong, and what to write for each value in turn."""
    (line,) = refused(tmp_path, **lines)

    assert "must be " in line
    assert line.endswith(told)


def test_a_wrong_value_of_a_matrix_has_its_place(tmp_path: Path) -> None:
    """A misspelled parameter and a value out of bounds are told where the matrix has them."""
    lines = refused(
        tmp_path,
        estimators="{reste: {matrix: {o_edn: [2, 3]}}, b: {plugin: reste, zip: {o_end: [0, 3]}}}",
    )

    assert lines == [
        "x.yaml:1:31: estimators.reste.matrix.o_edn: unknown key; did you mean `o_end`?",
        "x.yaml:1:73: estimators.b.zip.o_end: must be greater than or equal to 1, got 0",
    ]


def test_a_cross_of_too_many_is_told_by_its_own_key(tmp_path: Path) -> None:
    """A thousand points are the most; more is said of `cross`, which is what the file has."""
    many = f"[{', '.join(map(str, range(2, 42)))}]"
    (line,) = refused(
        tmp_path, cross=f"{{train: {{lr: {many}, batch_size: {many}}}}}", train="{epochs: 1}"
    )

    assert line == "x.yaml:6:1: cross: has more than 1,000 combinations"
