"""The JSON Schema of a suite file, installed plugins and their parameters included."""

import json
from typing import Any

from bench.base.answer_cache import Question, keep, recall
from bench.data.sources import SOURCES
from bench.errors import PluginError
from bench.registry import BACKBONES, ESTIMATORS, Registry
from bench.spec.suite import Suite


def schema() -> dict[str, Any]:
    """
    For editors: names are completed, parameters checked, wrong keys marked as one types.

    Kept from an earlier call, or made by importing all plugins; a broken one is imported each time.
    """
    registries = (ESTIMATORS, BACKBONES)
    question = Question(("schema",), tuple(x for registry in registries for x in registry.state()))
    kept = recall(question)
    if kept is not None:
        return json.loads(kept)
    made = _schema()
    if all(_loads(registry) for registry in registries):
        keep(question, json.dumps(made))
    return made


def _loads(registry: Registry[Any]) -> bool:
    """Can every plugin be used whose name is free?"""
    for name in (name for name, origin in registry.origins().items() if not origin.problem):
        try:
            registry.load(name)
        except PluginError:
            return False
    return True


def _schema() -> dict[str, Any]:
    root = Suite.model_json_schema()
    fields = root["properties"]
    fields["estimators"] = _axis(ESTIMATORS, root["$defs"], apart=True)
    fields["backbones"] = _axis(BACKBONES, root["$defs"], apart=False)
    fields["data"] = {
        "description": "One data set, by name or with its parameters.",
        "anyOf": [
            {"enum": list(SOURCES)},
            {"type": "array", "items": {"enum": list(SOURCES)}, "minItems": 1, "maxItems": 1},
            _mapping({n: _or_null(s.model_json_schema()) for n, s in SOURCES.items()}),
        ],
    }
    fields["plugins"] = _one_or_more({"type": "string"})
    names = _one_or_more({"type": "string", "examples": ["table1", "table2", "table3"]})
    fields["published"] = {"anyOf": [*names["anyOf"], {"$ref": "#/$defs/Published"}]}
    fields["seeds"] = _seeds()
    for name in ("wa", "schedules"):
        fields[name] = _one_or_more(fields[name]["items"])
    _relax(root["$defs"])
    _own(root)
    needed = {"required": root.pop("required"), "properties": {"train": {"required": ["epochs"]}}}
    root |= {"if": {"required": ["extends"]}, "else": needed}
    root["title"] = "A signbench suite"
    root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    return root


def _relax(definitions: dict[str, Any]) -> None:
    """Let lists of one be written as the one, as the loader does."""
    tuned, published = (definitions[name]["properties"] for name in ("Tune", "Published"))
    tuned["seeds"] = _seeds()
    published["ledgers"] = _one_or_more(published["ledgers"]["items"])
    include = definitions["Include"]["properties"]
    include["seeds"] = {"anyOf": [*_seeds()["anyOf"], {"type": "null"}]}
    for name, value in definitions["Exclude"]["properties"].items():
        if name != "reason":
            items = next(o for o in value["anyOf"] if o.get("type") == "array")["items"]
            value["anyOf"] = [*_one_or_more(items)["anyOf"], {"type": "null"}]


def _own(root: dict[str, Any]) -> None:
    """A backbone's entry may say how and on what it trains."""
    recipe = {"$ref": "#/$defs/Recipe"}
    del root["$defs"]["Recipe"]["required"]  # another suite, or the whole one, may say it
    for option in root["properties"]["backbones"]["anyOf"][1]["properties"].values():
        option["anyOf"][0]["anyOf"][0]["properties"] |= {
            "train": recipe,
            "data": root["properties"]["data"],
        }


def _axis(registry: Registry[Any], definitions: dict[str, Any], *, apart: bool) -> dict[str, Any]:
    """Names, or labels mapped to the parameters of the plugin that they name."""
    known: dict[str, Any] = {}
    for name in registry.names():
        try:
            parameters = registry.load(name).model_json_schema()
        except PluginError:
            continue  # broken: `bench list` says why
        definitions |= parameters.pop("$defs", {})
        own = parameters.get("properties", {})
        own |= {"plugin": {"enum": [name]}, "matrix": {"type": "object"}}
        known[name] = _or_null(_listable(parameters, own, apart))
    labelled: dict[str, Any] = {"type": ["object", "string"]}
    if apart:
        labelled["description"] = "A label of its own: plugin: NAME and parameters, or W and A."
    return {
        "description": f"{registry.package} by name, or labels mapped to parameters.",
        "anyOf": [
            _one_or_more({"type": "string", "examples": list(known)}),
            {"type": "object", "properties": known, "additionalProperties": labelled},
        ],
    }


def _listable(parameters: dict[str, Any], own: dict[str, Any], apart: bool) -> dict[str, Any]:
    strict = parameters | {"properties": own}
    another = {"type": "object", "required": ["plugin"]}  # a label that is some plugin's name
    by_role = {"type": "object", "required": ["W", "A"]}
    return {"anyOf": [strict, another, *([by_role] if apart else [])]}


def _mapping(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        "minProperties": 1,
        "maxProperties": 1,
    }


def _or_null(one: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [one, {"type": "null"}]}


def _one_or_more(items: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [items, {"type": "array", "items": items, "minItems": 1}]}


def _seeds() -> dict[str, Any]:
    number = {"type": "integer", "minimum": 0}
    span = {"type": "string", "pattern": r"^\d+\.\.\d+$", "examples": ["0..4"]}
    return {"anyOf": [number, span, {"type": "array", "items": number, "minItems": 1}]}
