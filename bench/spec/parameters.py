"""Parameters of a plugin or data set: read from `KEY=VALUE` words, and described a line each."""

import json
import math
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

from bench.base.plain_data import as_mapping
from bench.base.validation import misuse
from bench.base.yaml_document import parse_settings

Model = TypeVar("Model", bound=BaseModel)
LIMITS = {
    "exclusiveMinimum": "above {}",
    "minimum": "at least {}",
    "exclusiveMaximum": "below {}",
    "maximum": "at most {}",
    "multipleOf": "multiple of {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "pattern": "matching {}",
}


def build(model: type[Model], name: str, words: list[str]) -> Model:
    """
    Build the `model` with the parameters that `words` set, `KEY=VALUE` each, the value in YAML.

    Args:
        model: the plugin or data set.
        name: what errors call it.
        words: as a command line gives them.

    Raises:
        UsageError: a word without `=`, no such parameter, or a value that it does not take.
        SuiteError: a value that is not YAML.
    """
    values = parse_settings(words, _example(model))
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise misuse(name, error, model) from None


def _example(model: type[BaseModel]) -> str:
    """Write one of the model's own parameters as an example for errors."""
    fields = ((k, f) for k, f in model.model_fields.items() if f.default is not None)
    return next((f"{k}={_default(f)}" for k, f in fields if not f.is_required()), "o_end=10")


def describe(model: type[BaseModel]) -> str:
    """Write an aligned line for each parameter: name, default, what it takes, what it means."""
    schema = model.model_json_schema(by_alias=False)
    rows = [
        (
            name,
            _default(field),
            describe_type(schema["properties"][name], schema),
            field.description or "",
        )
        for name, field in model.model_fields.items()
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(f"{x:{n}}" for x, n in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(f"  {line.rstrip()}" for line in lines) or "  none"


def _default(field: FieldInfo) -> str:
    """Write a field's default as a suite does."""
    return (
        "required" if field.is_required() else to_yaml(field.get_default(call_default_factory=True))
    )


def to_yaml(value: Any) -> str:
    """Write a value in YAML."""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and not math.isfinite(value):
        return ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"
    return json.dumps(value, ensure_ascii=False, default=_jsonable)


def _jsonable(value: Any) -> Any:
    """Turn what JSON has no word for into what it has."""
    return to_jsonable_python(value, fallback=repr)


def describe_type(schema: dict[str, Any], root: dict[str, Any]) -> str:
    """
    Put a JSON Schema into words: `integer, at least 2`, `on | off`.

    Args:
        schema: of one parameter.
        root: of the model, whose `$defs` the other refers to.
    """
    if "$ref" in schema:
        return describe_type(root["$defs"][schema["$ref"].rpartition("/")[2]], root)
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return " | ".join(describe_type(option, root) for option in schema[several])
    if "enum" in schema or "const" in schema:
        return " | ".join(map(to_yaml, schema.get("enum") or [schema["const"]]))
    if "prefixItems" in schema:
        items = ", ".join(describe_type(item, root) for item in schema["prefixItems"])
        return f"[{items}]"
    limits = [phrase.format(to_yaml(schema[k])) for k, phrase in LIMITS.items() if k in schema]
    return ", ".join([_kind(schema, root), *limits])


def _kind(schema: dict[str, Any], root: dict[str, Any]) -> str:
    """Name a JSON type, and that of a list's items."""
    kind = schema.get("type", "anything")
    if kind == "boolean":
        return "true | false"
    items = as_mapping(schema.get("items"))
    return f"list of {describe_type(items, root)}" if kind == "array" and items else str(kind)
