"""What a suite's `cross` says of its recipe and binary layers, before plugins are built."""

from dataclasses import replace
from typing import Any

from bench.base.plain_data import KeyPath, as_list, as_mapping
from bench.base.yaml_document import Document
from bench.spec.preset import is_override
from bench.spec.suite import Cross


def begin_crossed(document: Document) -> Document:
    """
    Give recipe and binary layers the first of the values that `cross` has of each of their fields.

    A field that an override sets is crossed no longer.
    """
    for part in Cross.model_fields:
        document = _begin(document, part)
    return document


def _begin(document: Document, part: str) -> Document:
    cross = as_mapping(document.data.get("cross")) or {}
    given = as_mapping(cross.get(part))
    if not given or as_mapping(document.data.get(part, {})) is None:
        return document
    crossed: dict[str, Any] = {
        key: values
        for key, values in given.items()
        if not is_override(document.places.get((part, key), ""))
    }
    places: dict[KeyPath, str] = {
        (part, key): document.places.get(("cross", part, key), "") for key in crossed
    }
    # one value in the place of a list is told as what it is, not as a value that is not there
    first = {key: listed[0] for key, v in crossed.items() if (listed := as_list(v) or [v])}
    data = document.data | {"cross": cross | {part: crossed}}
    return replace(document, data=data).completed_by({part: first}, places)
