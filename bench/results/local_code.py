"""
Whether a local plugin is the code that a record was made by.

A record may be anybody's, so it does not choose which of this user's files are run: only one that
says what its own said.
"""

from pathlib import Path
from typing import Any

from bench.errors import UsageError
from bench.registry import Registry
from bench.results.source_digest import list_refs, source
from bench.spec.cell import Cell, DataRef, Ref


def refuse_other_code(cell: Cell) -> None:
    """
    Nothing, unless a plugin of a recorded cell is a file here that is not the one it trained with.

    Raises:
        UsageError: one is another file; nothing was imported.
    """
    for _, registry, ref in list_refs(cell):
        if file := other_code(registry, ref):
            message = (
                f"`{file}` is not the `{ref.name}` that {cell.slug} was trained with; "
                "it is not run for it, name the folder of that one with --plugins"
            )
            raise UsageError(message)


def other_code(registry: Registry[Any], ref: Ref | DataRef) -> Path | None:
    """The local file that has the name of a recorded plugin, and says something else."""
    origin = registry.origins().get(ref.name)
    file = origin.file if origin else None
    return file if file and source(registry, ref.name) != ref.source else None
