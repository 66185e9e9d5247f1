r"""Every number of a board by a name: a `\newcommand` each, as a paper's text takes them in."""

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from unicodedata import name

from bench.leaderboard.board import AnyRow, MeasuredRow, PublishedRow
from bench.leaderboard.columns.column import half_width
from bench.leaderboard.columns.selection import defined
from bench.leaderboard.tables.latex_text import number

DIGITS = {digit: name(digit).split()[-1].title() for digit in "0123456789"}


def definitions(rows: Iterable[AnyRow]) -> Iterator[str]:
    r"""
    A `\newcommand` for every number of the rows.

    A name is made of letters alone. Names that would be equal get a digest of what they stand for,
    all of them, so that a row that joins cannot give an old name another meaning.
    """
    words = {(_key(row), what): word for row in rows for what, word in _numbers(row)}
    names = {(key, what): _name(key) + what for key, what in words}
    taken = Counter(names.values())
    for (key, what), word in words.items():
        plain_name = names[key, what]
        alone = taken[plain_name] == 1
        unique = plain_name if alone else plain_name + _letters(repr((key, what)))
        yield rf"\newcommand{{\{unique}}}{{{number(word)}}}"


def _key(row: AnyRow) -> tuple[str, ...]:
    tuned = "tuned" if isinstance(row, MeasuredRow) and row.tuned else ""
    source = row.claim.source if isinstance(row, PublishedRow) else ""
    return row.name, row.backbone, row.wa, tuned, row.label, row.schedule, source


def _name(key: tuple[str, ...]) -> str:
    """Letters of what a row is called: `benchReste ResnetTwoZero OneOne`, without the spaces."""
    return "bench" + "".join(map(_camel, key[:4]))


def _camel(text: str) -> str:
    letters = unicodedata.normalize("NFKD", text)
    parts: list[str] = re.findall("[A-Za-z]+|[0-9]", letters)
    return "".join(DIGITS.get(part, part[:1].upper() + part[1:]) for part in parts)


def _letters(text: str) -> str:
    """Eight letters that stand for a text."""
    digest = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:8]
    return "".join(chr(ord("A") + int(digit, 16)) for digit in digest)


def _numbers(row: AnyRow) -> Iterator[tuple[str, str]]:
    """What a row says in numbers, by the end of their names."""
    for column in defined():
        value = column.value(row)
        flat = column.flat(value)
        if flat is not None and flat == flat:
            yield column.macro, column.write(flat)
            if width := half_width(value):
                yield f"{column.macro}Pm", width
