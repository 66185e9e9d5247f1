"""Plain data, as YAML and JSON give it: mappings, lists, and paths of keys into them."""

from collections.abc import Hashable, Iterator, Mapping
from typing import Any, TypeAlias, cast

KeyPath: TypeAlias = tuple[Hashable, ...]


def as_mapping(value: Any) -> dict[str, Any] | None:
    """`value` if it is a mapping, else None."""
    return value if isinstance(value, dict) else None  # pyright: ignore


def as_list(value: Any) -> list[Any]:
    """The items of a list, none of anything else."""
    return value if isinstance(value, list) else []  # pyright: ignore


def flatten(value: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """`{"recipe": {"lr": 0.1}}` as `recipe.lr` and 0.1."""
    for key, inner in value.items():
        if isinstance(inner, dict):
            yield from flatten(cast("dict[str, Any]", inner), f"{above}{key}.")
        else:
            yield above + key, inner


def dotted(path: KeyPath) -> str:
    """`estimators.reste.o_end`."""
    return " ".join(".".join(str(key) for key in path).split())
