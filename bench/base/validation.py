"""
Validated values, and what pydantic finds wrong with them in the words of who wrote them.

Here is the base class of everything that the harness validates: suites, cells, plans, records.
"""

import re
from collections.abc import Hashable, Iterator, Mapping
from functools import cached_property
from types import UnionType
from typing import Annotated, Any, Self, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo, field_validator
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from bench.base.plain_data import KeyPath, dotted
from bench.base.text import suggest
from bench.base.yaml_document import Problem
from bench.errors import UsageError

LONGEST_VALUE = 60  # characters of a wrong value that an error shows


class Frozen(BaseModel):
    """A validated value: unknown keys are errors, nothing changes after birth."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Copy it, with the fields of `update`; what a property keeps is not the copy's."""
        made = super().model_copy(update=update, deep=deep)
        for name in vars(made).keys() - type(made).model_fields.keys():
            if isinstance(getattr(type(made), name, None), cached_property):
                del vars(made)[name]
        return made


class Settable(BaseModel):
    """What people set fields of: `true` is no number there, though pydantic takes it for 1."""

    @field_validator("*", mode="before")
    @classmethod
    def _refuse_truth(cls, value: Any, info: ValidationInfo) -> Any:
        if isinstance(value, bool) and info.field_name:
            kinds = {*_kinds(cls.model_fields[info.field_name].annotation)}
            if kinds & {int, float} and bool not in kinds:
                message = f"expected a number, got `{str(value).lower()}`"
                raise ValueError(message)
        return value


def _kinds(annotation: Any) -> Iterator[Any]:
    """What a field may be, alternatives each for itself; not what is in a list."""
    if get_origin(annotation) in {Union, UnionType, Annotated}:
        for part in get_args(annotation):
            yield from _kinds(part)
    elif isinstance(annotation, Hashable):
        yield annotation


def problems(error: ValidationError, path: KeyPath, model: type[BaseModel]) -> list[Problem]:
    """
    Say what is wrong with the value at `path` of a document, which should be a `model`.

    Returns one problem for each of the error's details, at the place of the value that it is about.
    """
    return [_problem(detail, path, model) for detail in error.errors(include_url=False)]


def misuse(name: str, error: ValidationError, model: type[BaseModel]) -> UsageError:
    """Make of the same the error of a command line that gives parameters of `name`, a line each."""
    lines: list[str] = []
    for problem in problems(error, (), model):
        place = f"{dotted(problem.path)}: " if problem.path else ""
        lines.append(f"{name}: {place}{problem.message}")
    return UsageError("\n".join(lines))


def _problem(detail: ErrorDetails, path: KeyPath, model: type[BaseModel]) -> Problem:
    """Word one of pydantic's details."""
    where = (*path, *detail["loc"])
    value, kind = detail["input"], detail["type"]
    context: dict[str, Any] = detail.get("ctx", {})
    if kind == "extra_forbidden":
        known = _field_names(model, detail["loc"][:-1])
        return Problem(where, f"unknown key{suggest(str(detail['loc'][-1]), known)}")
    if kind == "missing":
        return Problem(where, "required, and not there")
    if kind == "literal_error":
        expected = str(context["expected"]).replace("'", "`")
        choices = re.findall(r"`([^`]*)`", expected)
        hint = suggest(str(value), choices)
        hint = hint if "did you" in hint else ""  # all the choices are named anyway
        return Problem(where, f"must be {expected}, got {_shown(value)}{hint}")
    if kind == "value_error":
        return Problem(where, str(context["error"]))
    text = detail["msg"].replace("Input should be ", "must be ")
    return Problem(where, f"{text[:1].lower()}{text[1:]}, got {_shown(value)}")


def _shown(value: Any) -> str:
    """Show a wrong value on one line, cut if it is long."""
    text = f"`{' '.join(value.split())}`" if isinstance(value, str) else repr(value)
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 3] + "..."


def _field_names(model: type[BaseModel], loc: tuple[int | str, ...]) -> list[str]:
    """Name the fields of the model that stands at `loc` inside `model`; none if none does."""
    for key in loc:
        field = _fields(model).get(str(key))
        if field is None:  # an index, a mapping's key or a member of a union: it names no field
            continue
        nested = next(_models(field.annotation), None)
        if nested is None:
            return []
        model = nested
    return list(_fields(model))


def _fields(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """The fields of a model by the names that are written."""
    return {str(f.validation_alias or name): f for name, f in model.model_fields.items()}


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield the models that an annotation names: `Tune` of `Tune | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)
