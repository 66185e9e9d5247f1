"""What is asked of a board's text: a style, columns, a part."""

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from bench.errors import UsageError

TablePart: TypeAlias = Literal["macros", "table", "notes"]
PARTS: tuple[TablePart, ...] = get_args(TablePart)


@dataclass(frozen=True)
class TableChoice:
    """What to print of a board; nothing said: its own layout, whole."""

    style: str = ""  # `paper:table3` and the like
    columns: tuple[str, ...] = ()  # keys of columns, in their order; none: the format's own
    part: TablePart | Literal[""] = ""  # of LaTeX

    def refuse(self, form: str, *fields: str) -> None:
        """
        Refuse what a format has not.

        Raises:
            UsageError: one of the fields is asked for, or two that exclude each other.
        """
        for name in fields:
            if getattr(self, name):
                message = f"--format {form} has no --{name}"
                raise UsageError(message)
        if self.style and self.columns:
            message = "--columns and --style: a style has its own columns; give one of them"
            raise UsageError(message)
