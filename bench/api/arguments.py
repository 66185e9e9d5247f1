"""What callers may write for a suite's overrides, and for folders of plugins."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias, cast

from bench.errors import UsageError
from bench.registry import add_folders

Overrides: TypeAlias = Mapping[str, Any] | Iterable[str]
Folders: TypeAlias = Iterable[str | Path]


def spell_overrides(overrides: Overrides) -> list[str]:
    """
    Spell overrides as a command line has them: `{"train.epochs": 3}` is `train.epochs=3`.

    Raises:
        UsageError: they are one text and no list, or a value has no JSON.
    """
    if isinstance(overrides, str):
        message = f"overrides `{overrides}`: expected a list, as in [{overrides!r}], or a mapping"
        raise UsageError(message)
    if not isinstance(overrides, Mapping):
        return [str(word) for word in overrides]
    values = cast("Mapping[str, Any]", overrides)
    return [f"{key}={_spell(key, value)}" for key, value in values.items()]


def _spell(key: str, value: Any) -> str:
    """A value as YAML reads it again; a text as one writes it."""
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        message = f"overrides `{key}`: {error}"
        raise UsageError(message) from None


def look_for_plugins(folders: Folders) -> None:
    """
    Look for plugins in these folders, too, as `bench --plugins` does.

    Raises:
        UsageError: there is no such folder.
    """
    paths = [Path(folder) for folder in folders]
    missing = [path for path in paths if not path.is_dir()]
    if missing:
        message = f"plugins: no folder `{missing[0]}`"
        raise UsageError(message)
    add_folders(paths)
