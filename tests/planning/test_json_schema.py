"""The JSON Schema that editors check suites with."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from bench.base.python_files import shipped
from bench.base.yaml_document import parse
from bench.planning.json_schema import make_schema
from bench.registry import ESTIMATORS

SUITES = sorted(shipped("suites").glob("*.yaml"))
TEXT = """\
estimators: {ste: {clip: 2}}
backbones: resnet20
data: digits
seeds: 0
train: {epochs: 3}
"""
COLOURED = """
from enum import Enum

from bench.plugin import Surrogate

class Colour(Enum):
    RED = "red"

class Mine(Surrogate):
    formula = "f(z) = z"
    kind = "identity function"
    colour: Colour = Colour.RED

    def value(self, z, _, /):
        return z
"""


def wrong(data: Any) -> list[str]:
    """Where the schema finds fault with a suite's data, the deepest places."""
    validator = _validator(tuple(ESTIMATORS.folders))
    return sorted({place for error in validator.iter_errors(data) for place in _deepest(error)})


@cache
def _validator(_folders: tuple[Path, ...]) -> Any:
    """The schema with the plugins of these folders; to make it takes a quarter of a second."""
    return jsonschema.Draft202012Validator(make_schema())


def _deepest(error: Any) -> Iterator[str]:
    if not error.context:
        yield ".".join(str(key) for key in error.absolute_path) + f": {error.message}"
    for cause in error.context or ():
        yield from _deepest(cause)


def with_line(line: str) -> Any:
    """A good suite's data with one line of it replaced or added."""
    key = line.split(":", maxsplit=1)[0]
    rest = [old for old in TEXT.splitlines() if not old.startswith(f"{key}:")]
    return parse("\n".join([*rest, line]), "x.yaml").data


def test_the_schema_is_one() -> None:
    """It is valid JSON, valid draft 2020-12, and says so."""
    found = json.loads(json.dumps(make_schema(), allow_nan=False))
    jsonschema.Draft202012Validator.check_schema(found)

    assert found["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize("path", SUITES, ids=lambda path: path.stem)
def test_shipped_suites_validate(path: Path) -> None:
    """Every shipped suite is what the schema describes, and names it to the editor."""
    text = path.read_text(encoding="utf-8")

    assert text.startswith("# yaml-language-server: $schema=suite.schema.json\n")
    assert wrong(parse(text, str(path)).data) == []


def test_the_shipped_schema_is_current() -> None:
    """The file beside the suites is what `make schema` writes there."""
    shipped = (SUITES[0].parent / "suite.schema.json").read_text(encoding="utf-8")

    assert json.loads(shipped) == make_schema()


@pytest.mark.parametrize(
    "line",
    [
        "estimators: ste",
        "estimators: [ste, ede]",
        "estimators: {ste: , ede: {t_max: 5}}",
        "estimators: {mine: ste, b: {plugin: reste, matrix: {o_end: [1, 2]}}}",
        "estimators: {mixed: {W: reste, A: {plugin: ste, clip: 2}}}",
        "estimators: {reste: {o_end: 2, schedule: linear, matrix: {m: [0, 0.1]}}}",
        "estimators: {ste: {plugin: reste, o_end: 2}}",
        "estimators: {strange: {plugin: strange, x: 1}}",
        "backbones: {resnet20: {width: 8}, net: {plugin: resnet20, width: 4}}",
        "data: {digits: {train: 100}}",
        "wa: 1/1",
        "wa: [1/1, 32/32]",
        "schedules: [default, exp]",
        "seeds: [0, 1]",
        "seeds: 0..4",
        "include: [{estimator: none, wa: 32/32, seeds: 0..1}]",
        "exclude: [{estimator: ste, wa: [1/1], schedule: exp, reason: no}]",
        "published: {source: me, acc: {ste: 84.44}}",
        "binarization: {scale: none, sign0: 1}",
        "plugins: here",
        "baseline:",
    ],
)
def test_what_a_suite_may_say_validates(line: str) -> None:
    """The schema marks nothing that the loader takes, shorthands included."""
    assert wrong(with_line(line)) == []


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("estimators: {ste: {clp: 2}}", "estimators.ste: Additional properties are not allowed"),
        ("estimators: {ste: {clip: 0}}", "estimators.ste.clip: 0 is less than or equal to"),
        ("estimators: {ede: {schedule: fast}}", "estimators.ede.schedule: 'fast' is not one of"),
        ("backbones: {resnet20: {width: 3}}", "backbones.resnet20.width: 3 is not a multiple"),
        ("data: digitz", "data: 'digitz' is not one of"),
        ("data: {digits: , cifar10: }", "data: {'digits': None, 'cifar10': None} has too many"),
        ("wa: 9/9", "wa: '9/9' does not match"),
        ("seeds: 0-4", "seeds: '0-4' does not match"),
        ("seeds: -1", "seeds: -1 is less than the minimum"),
        ("train: {epoch: 3}", "train: 'epochs' is a required property"),
        ("exclude: [{estimator: ste}]", "exclude.0: 'reason' is a required property"),
        ("schedule: exp", ": Additional properties are not allowed ('schedule' was unexpected)"),
    ],
)
def test_what_a_suite_may_not_say_is_marked(line: str, fault: str) -> None:
    """A wrong parameter of a plugin, or a wrong key or value of the suite, fails where it is."""
    assert any(found.startswith(fault) for found in wrong(with_line(line)))


def test_a_key_that_is_missing_is_marked() -> None:
    """Five keys make a suite."""
    assert wrong({}) == [
        f": '{key}' is a required property"
        for key in ("backbones", "data", "estimators", "seeds", "train")
    ]


def test_a_broken_plugin_breaks_no_schema(tmp_path: Path) -> None:
    """A plugin that cannot be imported is left out, the others stay."""
    (tmp_path / "odd.py").write_text("1/0")
    (tmp_path / "mine.py").write_text(COLOURED)
    ESTIMATORS.add_folder(tmp_path)
    known = make_schema()["properties"]["estimators"]["anyOf"][1]["properties"]

    assert known.keys() == {*ESTIMATORS.names()} - {"odd"}
    assert known.keys() > {"mine", "ste"}


def test_a_plugins_own_types_are_in_the_schema(tmp_path: Path) -> None:
    """A parameter of a type that the plugin defines is checked like any other."""
    (tmp_path / "mine.py").write_text(COLOURED)
    ESTIMATORS.add_folder(tmp_path)

    assert wrong(with_line("estimators: {mine: {colour: red}}")) == []
    assert wrong(with_line("estimators: {mine: {colour: blue}}")) != []
