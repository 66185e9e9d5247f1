"""How profiles are shown: a table for people, one document for programs."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from bench.base.duration import clock
from bench.base.plain_data import as_list
from bench.fleet.machines_file import Definition
from bench.fleet.profile import Profile


def table(found: Mapping[str, Definition]) -> Table:
    """A line for each profile."""
    lines = Table(box=box.SIMPLE_HEAD)
    for head in ("name", "engine", "where", "asks for"):
        lines.add_column(head, overflow="fold")
    for name, definition in found.items():
        profile = definition.profile
        words = (name, profile.engine, definition.place, ", ".join(_asks_for(profile)))
        lines.add_row(*map(Text, words))
    return lines


def document(found: Mapping[str, Definition]) -> list[dict[str, Any]]:
    """The same, and every key, for programs. Times are in seconds."""
    return [
        {"name": name, "where": one.place, "profile": one.profile.model_dump(mode="json")}
        for name, one in found.items()
    ]


def _asks_for(profile: Profile) -> Iterator[str]:
    """The keys that are not at their defaults, but for the long ones."""
    given = profile.model_dump(mode="json", exclude_defaults=True)
    for field, value in given.items():
        if field in ("time_s", "grace_s"):
            yield f"{field.removesuffix('_s')} {clock(value)}"
        elif field not in ("name", "engine", "setup", "sbatch"):
            yield f"{field} {','.join(map(str, as_list(value) or [value]))}"
