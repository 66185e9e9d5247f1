"""Parameters, read from words and described in words."""

import math
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, model_validator

from bench.errors import UsageError
from bench.registry import BACKBONES, DATA, ESTIMATORS
from bench.spec.parameters import build, describe, to_yaml


class Empty(BaseModel):
    pass


class Inner(BaseModel):
    x: int = 1


class Many(BaseModel):
    """Every kind of field that a plugin might have."""

    needed: Annotated[int, Field(ge=2, multiple_of=2, description="there is no default")]
    far: Annotated[float, Field(gt=0)] = math.inf
    mode: Literal["on", "off"] = "on"
    one: Literal["only"] = "only"
    flag: bool = False
    pair: tuple[float, float] = (0.5, 1.0)
    some: Annotated[list[int], Field(min_length=1)] = [1, 2]
    perhaps: Annotated[int | None, Field(le=9)] = None
    inner: Inner = Inner()
    anything: Any = Field(default_factory=dict)

    @model_validator(mode="after")
    def _fits(self) -> "Many":
        if self.needed > 100:
            message = "needed must fit"
            raise ValueError(message)
        return self


def test_a_line_for_each_parameter() -> None:
    """Name, default as a suite writes it, what it takes, what it means; aligned."""
    assert describe(Many).splitlines() == [
        "  needed    required    integer, at least 2, multiple of 2  there is no default",
        "  far       .inf        number, above 0",
        "  mode      on          on | off",
        "  one       only        only",
        "  flag      false       true | false",
        "  pair      [0.5, 1.0]  [number, number]",
        "  some      [1, 2]      list of integer, at least 1 items",
        "  perhaps   null        integer, at most 9 | null",
        '  inner     {"x": 1}    object',
        "  anything  {}          anything",
    ]
    assert describe(Empty) == "  none"


@pytest.mark.parametrize("model", [
    *map(ESTIMATORS.load, ESTIMATORS.names()), *map(BACKBONES.load, BACKBONES.names()),
    *map(DATA.load, DATA.names()),
])  # fmt: skip
def test_no_python_is_shown(model: type[BaseModel]) -> None:
    """Every shipped plugin and data set: no type, no repr, and a line for each field."""
    lines = describe(model).splitlines()

    assert [line.split()[0] for line in lines] == ([*model.model_fields] or ["none"])
    assert not any(word in line for line in lines for word in ("typing", "<class", "None", "anyth"))


def test_words_become_values() -> None:
    """Values are YAML."""
    found = build(Many, "many", ["needed=4", "some=[3]", "far=.inf", "mode=off"])

    assert (found.needed, found.some, found.far, found.mode) == (4, [3], math.inf, "off")


@pytest.mark.parametrize(("words", "message"), [
    (["needed"], "`needed`: expected KEY=VALUE, as in far=.inf"),
    (["=2"], "`=2`: expected KEY=VALUE"),
    ([], "many: needed: required, and not there"),
    (["needed=2", "mod=off"], "many: mod: unknown key; did you mean `mode`?"),
    (["needed=2", "mode=of"], "many: mode: must be `on` or `off`, got `of`; did you mean `off`?"),
    (["needed=102"], "many: needed must fit"),
])  # fmt: skip
def test_mistakes(words: list[str], message: str) -> None:
    """Each says where and what, and what was meant."""

    class Strict(Many, extra="forbid"):
        pass

    with pytest.raises(UsageError) as error:
        build(Strict, "many", words)
    assert str(error.value).startswith(message)


@pytest.mark.parametrize(("value", "words"), [
    (True, "true"), (None, "null"), (1e-8, "1e-08"), (-math.inf, "-.inf"), (math.nan, ".nan"),
    ("relu_bn", "relu_bn"), ((1, 2.5), "[1, 2.5]"),
])  # fmt: skip
def test_values_as_a_suite_writes_them(value: Any, words: str) -> None:
    """YAML's scalars, strings bare."""
    assert to_yaml(value) == words
