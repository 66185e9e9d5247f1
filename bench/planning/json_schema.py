"""The JSON Schema of a suite file, installed plugins and their parameters included."""

import json
from typing import Any

from bench.base.answer_cache import Question, keep, recall
from bench.errors import PluginError
from bench.planning.matrix import MANY
from bench.registry import BACKBONES, DATA, ESTIMATORS, REGISTRIES, Registry, plugins_state
from bench.spec.preset import preset_names
from bench.spec.suite import Suite

TEACHER = {"type": "string", "description": "A label of backbones or teachers to learn from."}


def make_schema() -> dict[str, Any]:
    """
    Make the schema by which editors complete names, check parameters and mark wrong keys.

    It is kept from an earlier call, or made by importing all plugins; where one is broken, they
    are imported each time.
    """
    states = plugins_state()
    question = Question(("schema",), None if states is None else (*states, *preset_names()))
    kept: dict[str, Any] | None = recall(question, json.loads)
    if kept is not None:
        return kept
    schema = _suite_schema()
    if all(_loads(registry) for registry in REGISTRIES):
        keep(question, json.dumps(schema))
    return schema


def _loads(registry: Registry[Any]) -> bool:
    """Can every plugin be used whose name is free?"""
    for name in (name for name, origin in registry.origins().items() if not origin.problem):
        try:
            registry.load(name)
        except PluginError:
            return False
    return True


def _suite_schema() -> dict[str, Any]:
    """Extend the schema of the model by plugins, short forms, and what `extends` may leave out."""
    root = Suite.model_json_schema()
    fields = root["properties"]
    fields["estimators"] = _axis(ESTIMATORS, root["$defs"], by_role=True)
    fields["backbones"] = _axis(BACKBONES, root["$defs"], by_role=False)
    fields["teachers"] = {"$ref": "#/properties/backbones"}
    fields["data"] = _data(root["$defs"])
    fields["preset"] = {"anyOf": [{"enum": preset_names()}, {"type": "null"}], "default": None}
    fields["plugins"] = _one_or_more({"type": "string"})
    names = _one_or_more({"type": "string", "examples": ["table1", "table2", "table3"]})
    fields["published"] = {"anyOf": [*names["anyOf"], {"$ref": "#/$defs/Published"}]}
    fields["seeds"] = _seeds()
    for name in ("wa", "schedules"):
        fields[name] = _one_or_more(fields[name]["items"])
    _allow_short_forms(root["$defs"])
    _allow_own_recipe_and_data(root)
    said = {"required": ["train"], "properties": {"train": {"required": ["epochs"]}}}
    crossed = {"required": ["cross"], "properties": {"cross": said}}
    needed = {"required": root.pop("required"), "if": crossed, "else": said}
    root |= {"if": {"required": ["extends"]}, "else": needed}
    root["title"] = "A signbench suite"
    root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    return root


def _allow_short_forms(definitions: dict[str, Any]) -> None:
    """Let a list of one be written as the one, which is how suites are parsed."""
    tuned, published = (definitions[name]["properties"] for name in ("Tune", "Published"))
    tuned["seeds"] = _seeds()
    published["ledgers"] = _one_or_more(published["ledgers"]["items"])
    recipe = definitions["Recipe"]["properties"]
    for name in ("lr_steps", "lr_factor", "no_decay"):
        recipe[name] = {"default": recipe[name]["default"], **_one_or_more(recipe[name]["items"])}
    include = definitions["Include"]["properties"]
    include["seeds"] = {"anyOf": [*_seeds()["anyOf"], {"type": "null"}]}
    for name, value in definitions["Exclude"]["properties"].items():
        if name != "reason":
            options = value["anyOf"]
            items = next(option for option in options if option.get("type") == "array")["items"]
            value["anyOf"] = [*_one_or_more(items)["anyOf"], {"type": "null"}]


def _allow_own_recipe_and_data(root: dict[str, Any]) -> None:
    """Let a backbone's entry say how and on what it trains."""
    recipe = {"$ref": "#/$defs/Recipe"}
    del root["$defs"]["Recipe"]["required"]  # another suite, or the whole one, may say it
    for option in root["properties"]["backbones"]["anyOf"][1]["properties"].values():
        option["anyOf"][0]["anyOf"][0]["properties"] |= {
            "train": recipe,
            "data": root["properties"]["data"],
        }


def _axis(registry: Registry[Any], definitions: dict[str, Any], *, by_role: bool) -> dict[str, Any]:
    """
    Describe an axis: names, or labels mapped to the parameters of the plugin that they name.

    Args:
        registry: of the axis' plugins.
        definitions: of the whole schema; those that the plugins refer to are added.
        by_role: may a label have a plugin for each role?
    """
    known: dict[str, Any] = {}
    for name in registry.names():
        try:
            parameters = registry.load(name).model_json_schema()
        except PluginError:
            continue  # broken: `bench list` says why
        definitions |= parameters.pop("$defs", {})
        own = parameters.get("properties", {})
        own |= {"plugin": {"enum": [name]}, **{key: {"type": "object"} for key in MANY}}
        own |= {"teacher": TEACHER, **_own_settings()} if by_role else {}
        known[name] = _or_null(_entry(parameters, own, by_role=by_role))
    labelled: dict[str, Any] = {"type": ["object", "string"]}
    if by_role:
        labelled["description"] = "A label of its own: plugin: NAME and parameters, or W and A."
    return {
        "description": f"{registry.package} by name, or labels mapped to parameters.",
        "anyOf": [
            _one_or_more({"type": "string", "examples": list(known)}),
            {"type": "object", "properties": known, "additionalProperties": labelled},
        ],
    }


def _data(definitions: dict[str, Any]) -> dict[str, Any]:
    """Describe a data set; definitions that its parameters refer to are added."""
    known: dict[str, Any] = {}
    for name in DATA.names():
        try:
            parameters = DATA.load(name).model_json_schema()
        except PluginError:
            continue
        definitions |= parameters.pop("$defs", {})
        known[name] = _or_null(parameters)
    names = {"enum": list(known)}
    return {
        "description": "One data set, by name or with its parameters.",
        "anyOf": [
            names,
            {"type": "array", "items": names, "minItems": 1, "maxItems": 1},
            _mapping_of_one(known),
        ],
    }


def _entry(parameters: dict[str, Any], own: dict[str, Any], *, by_role: bool) -> dict[str, Any]:
    """Describe what may stand at a plugin's name: its own parameters, or another plugin."""
    strict = parameters | {"properties": own}
    another = {"type": "object", "required": ["plugin"]}  # a label that is some plugin's name
    options = [strict, another]
    if by_role:
        options.append({"type": "object", "required": ["W", "A"]})
    return {"anyOf": options}


def _own_settings() -> dict[str, Any]:
    """Describe in what structure and by what recipe an estimator's rows may train."""
    return {
        "preset": {"enum": preset_names(), "description": "Whose structure and recipe it has."},
        "train": {"$ref": "#/$defs/Recipe"},
        "structure": {
            "type": "object",
            "description": "Parameters of backbones, by label, in rows of this estimator.",
            "additionalProperties": {"type": "object"},
        },
    }


def _mapping_of_one(properties: dict[str, Any]) -> dict[str, Any]:
    """Describe a mapping with one of these keys."""
    return {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        "minProperties": 1,
        "maxProperties": 1,
    }


def _or_null(value: dict[str, Any]) -> dict[str, Any]:
    """Describe a value that may be left empty."""
    return {"anyOf": [value, {"type": "null"}]}


def _one_or_more(items: dict[str, Any]) -> dict[str, Any]:
    """Describe a list, and its one item in place of the list."""
    return {"anyOf": [items, {"type": "array", "items": items, "minItems": 1}]}


def _seeds() -> dict[str, Any]:
    """Describe seeds: one, a list, or a range with both ends."""
    number = {"type": "integer", "minimum": 0}
    span = {"type": "string", "pattern": r"^\d+\.\.\d+$", "examples": ["0..4"]}
    alone = number | {"maximum": 1}  # a greater one might mean how many
    return {"anyOf": [alone, span, {"type": "array", "items": number, "minItems": 1}]}
