"""Stages and teachers are cells: chains of cells, who goes into them, and what cannot be."""

import re
from pathlib import Path

import pytest
from chains import SUITE, write
from samples import cell

from bench.errors import SuiteError
from bench.planning.planner import plan
from bench.spec.cell import Cell, Parent
from bench.spec.filters import select
from bench.spec.plan import Plan


def planned(home: Path, *overrides: str, suite: str = SUITE) -> Plan:
    return plan(write(home, suite), overrides)


def refused(home: Path, *overrides: str, suite: str = SUITE) -> list[str]:
    """What is said of the suite, places left out."""
    with pytest.raises(SuiteError) as caught:
        planned(home, *overrides, suite=suite)
    lines = str(caught.value).splitlines()
    return [re.split(r"(?=(?:estimators|teachers)\.)", line)[-1] for line in lines]


def parts(found: Plan) -> list[tuple[str, str]]:
    """Every cell that may train: its row's label and its part."""
    return [(row.label, part) for row, part, _ in found.walk_cells()]


def phases(of: Cell) -> list[str]:
    """The phase of the method in each role."""
    return [ref.params["phase"] for ref in (of.weights, of.activations) if ref]


def test_ids_of_cells_without_parents_are_what_they_were() -> None:
    """What is not said is not written, so that no record loses its cell."""
    assert cell().id == "7266184cccb3"
    assert cell(start=None, teacher=None).id == cell().id
    assert Cell.model_validate_json(cell().model_dump_json()) == cell()


def test_a_cell_covers_its_ancestry() -> None:
    """Its id changes with a parent, or with which weights of it are taken; JSON keeps both."""
    first, teacher = cell(recipe=cell().recipe.model_copy(update={"lr": 0.5})), cell(weights=None)
    start = Parent(cell=first)
    last = cell(start=start, teacher=Parent(cell=teacher))
    best = cell(start=Parent(cell=first, which="best"), teacher=Parent(cell=teacher))

    assert len({cell().id, last.id, best.id, cell(start=start).id}) == 4
    assert Cell.model_validate_json(last.model_dump_json()) == last
    assert last.ancestry() == [first, teacher]
    assert last.stages == [first, last]
    assert last.at_seed(3).ancestry() == [first.at_seed(3), teacher.at_seed(3)]
    assert last.sibling(last.at_seed(3))
    assert not last.sibling(best)


def test_a_key_is_blind_to_code_all_the_way_up() -> None:
    """What a person means by a chain stays, whatever versions and sources made its cells."""
    first = cell()
    other = first.model_copy(update={"numerics": {"bench/nn/sign.py": "ab"}})
    kept = cell(start=Parent(cell=first))

    assert kept.key == cell(start=Parent(cell=other)).key
    assert kept.key != cell().key
    assert kept.key != cell(start=Parent(cell=first, which="best")).key
    assert kept.key != cell(teacher=Parent(cell=first)).key


def test_stages_and_a_teacher_make_a_chain(tmp_path: Path) -> None:
    """A row's cells are the last stage's; the others hang on them, at their seed."""
    found = planned(tmp_path, "seeds=[0,1]", "estimators.toy.keep=best")
    (row,) = found.rows
    last = row.cells[1]
    assert last.start
    assert last.teacher
    first, teacher = last.start.cell, last.teacher.cell

    assert [c.seed for c in row.cells] == [0, 1]
    assert {c.seed for c in last.ancestry()} == {1}
    assert last.start.which == "best"
    assert phases(first) == ["first", "first"]
    assert (first.recipe.epochs, first.recipe.lr) == (1, 0.05)
    assert phases(last) == ["last", "last"]
    assert (last.recipe.epochs, last.recipe.lr) == (2, 0.1)
    assert first.teacher == last.teacher
    assert teacher.wa == "32/32"
    assert (teacher.backbone, teacher.recipe) == (last.backbone, last.recipe)
    assert [c.id for c in found.cells] == [c.id for c in row.cells]
    assert [c.wa for c in found.possible] == ["32/32", "1/1", "1/1"] * 2
    assert parts(found) == [("toy", "teacher"), ("toy", "stage 1 of 2"), ("toy", "")] * 2


def test_a_real_stage_is_full_precision(tmp_path: Path) -> None:
    """It has the stage's epochs, and no teacher."""
    (last,) = planned(tmp_path, "estimators.toy.real_first=true").cells
    assert last.start

    assert last.start.cell.wa == "32/32"
    assert last.start.cell.recipe.epochs == 1
    assert last.start.cell.parents == {}


def test_a_teacher_is_the_cell_of_a_full_precision_row(tmp_path: Path) -> None:
    """So a suite that has the row, or another suite, has trained it; it is told as that row's."""
    found = planned(tmp_path, "wa=[32/32,1/1]")
    real, toy = found.rows
    assert toy.cells[0].teacher

    assert toy.cells[0].teacher.cell == real.cells[0]
    assert parts(found) == [("none", ""), ("toy", "stage 1 of 2"), ("toy", "")]
    assert real.cells[0] == planned(tmp_path, "wa=[32/32]", "estimators=[ste]").cells[0]
    assert [c.wa for c in select(found, "estimator=toy")] == ["32/32", "1/1", "1/1"]


def test_a_suite_names_a_teacher(tmp_path: Path) -> None:
    """A backbone of the suite, or one of `teachers` with a recipe of its own."""
    suite = SUITE + "teachers: {big: {plugin: resnet20, width: 4, train: {epochs: 3}}}\n"
    (last,) = planned(tmp_path, "estimators.toy.teacher=big", suite=suite).cells
    assert last.teacher
    teacher = last.teacher.cell

    assert (teacher.backbone.params["width"], teacher.recipe.epochs, teacher.wa) == (4, 3, "32/32")
    found = planned(
        tmp_path, "backbones.wide={plugin: resnet20, width: 4}", "estimators.toy.teacher=wide"
    )
    assert {c.teacher.cell.backbone.params["width"] for c in found.cells if c.teacher} == {4}
    assert ("toy", "teacher") in parts(found)
    matrix = planned(
        tmp_path,
        "backbones.wide={plugin: resnet20, width: 4}",
        "estimators.toy.matrix={teacher: [wide, resnet20]}",
    )
    assert {row.label for row in matrix.rows} == {"toy(teacher=wide)", "toy(teacher=resnet20)"}


def test_images_held_out_from_a_pupil_are_held_out_from_its_teacher(tmp_path: Path) -> None:
    """A teacher that had seen them would tell."""
    tune = "tune={train: {lr: [0.1, 0.2]}, held_out: 0.25, seeds: [9]}"
    found = planned(tmp_path, tune)
    (held_out,) = found.rows[0].trials[1].held_out
    assert held_out.teacher
    assert held_out.start

    assert held_out.recipe.lr == 0.2
    assert held_out.teacher.cell.data == held_out.data != found.cells[0].data
    assert held_out.teacher.cell.recipe.lr == 0.1
    assert held_out.teacher.cell.seed == held_out.start.cell.seed == 9
    assert ("toy", "held out, lr=0.2, stage 1 of 2") in parts(found)


def test_what_cannot_be_a_chain_is_told_before_anything_trains(tmp_path: Path) -> None:
    """A line each: unknown teachers, none to learn from, half a method, fields, recipes."""
    assert refused(tmp_path, "estimators.toy.teacher=resnet2O") == [
        "estimators.toy.teacher: no `resnet2O` among backbones and teachers; "
        "did you mean `resnet20`?"
    ]
    assert refused(tmp_path, "estimators={ste: {teacher: resnet20}}") == [
        "estimators.ste.teacher: ste learns from no teacher"
    ]
    assert refused(tmp_path, "estimators={half: {W: ste, A: toy}}") == [
        "estimators.half: toy trains with more than a gradient: it goes into both roles"
    ]
    assert refused(tmp_path, "teachers={resnet20: {width: 4}}") == [
        "teachers.resnet20: is the label of a backbone, too; choose another"
    ]
    assert refused(tmp_path, "train.epochs=4", "train.histograms=[3]") == [
        "estimators.toy: stage 1 of 2 of toy: histograms names epoch 3, epochs run from 0 to 0"
    ]
    other = "teachers={big: {plugin: resnet20, width: 4, data: {digits: {train: 64, resize: 16}}}}"
    assert refused(tmp_path, other, "estimators.toy.teacher=big")


def test_stages_that_cannot_be_are_told(tmp_path: Path) -> None:
    """Fields that a method has not, a last stage in full precision, no stages at all."""
    path = write(tmp_path)
    code = tmp_path / "plugins" / "toy.py"
    text = code.read_text(encoding="utf-8")
    cases = {
        'Stage({"phse": 1}), Stage()': "stage 1 of 2 of {}: it has no field `phse`; did you mean",
        'Stage({"phase": "no"}), Stage()': "stage 1 of 2 of {}: phase: must be `first` or `last`",
        "Stage(), Stage(real=True)": "the last stage of {} is full precision, which is the row",
        "": "stages of {} must be 1 to 20 of `Stage`",
        "Stage(lr=-1), Stage()": "stage 1 of 2 of {}: lr: must be greater than 0",
    }
    for number, (stages, said) in enumerate(cases.items()):
        name = f"toy{number}"
        found = text.replace("if self.real_first:", f"return ({stages})\n        if 0:")
        (tmp_path / "plugins" / f"{name}.py").write_text(found, encoding="utf-8")
        with pytest.raises(SuiteError) as caught:
            plan(path, [f"estimators=[{name}]"])
        assert said.format(name) in str(caught.value)
