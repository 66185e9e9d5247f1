"""What a suite's `cross` says of its recipe, before plugins are built."""

from dataclasses import replace
from typing import Any

from bench.base.plain_data import KeyPath, as_list, as_mapping
from bench.base.yaml_document import Document
from bench.spec.preset import overrides_recipe


def begin_crossed(document: Document) -> Document:
    """
    Give the recipe the first of the values that `cross` has of each of its fields.

    A field that an override of the recipe sets is crossed no longer.
    """
    cross = as_mapping(document.data.get("cross")) or {}
    train = as_mapping(cross.get("train"))
    if not train or as_mapping(document.data.get("train", {})) is None:
        return document
    crossed: dict[str, Any] = {
        key: values
        for key, values in train.items()
        if not overrides_recipe(("train", key), document.places.get(("train", key), ""))
    }
    places: dict[KeyPath, str] = {
        ("train", key): document.places.get(("cross", "train", key), "") for key in crossed
    }
    first = {key: listed[0] for key, values in crossed.items() if (listed := as_list(values))}
    data = document.data | {"cross": cross | {"train": crossed}}
    return replace(document, data=data).completed_by({"train": first}, places)
