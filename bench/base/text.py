"""
Text of strangers made printable: control characters are shown, and command no terminal.

Labels, formulas, reasons, paths and logs come from suites, plugins, records and file names. What
goes to a terminal passes a `Terminal`, what goes into a file or a pipe `printable`.
"""

import difflib
import re
from collections.abc import Iterable

# All but tab and newline, what reorders a line, and halves of surrogate pairs.
CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    """`text` with every control character but tab and newline as a picture: ESC is `␛`."""
    return CONTROLS.sub(_picture, text)


def count(n: int, noun: str) -> str:
    """`1 cell`, `2 cells`, `3,000 cells`."""
    return f"{n:,} {noun}{'s' * (n != 1)}"


def suggest(word: str, known: Iterable[str]) -> str:
    """`; did you mean `x`?`, or the known words where none is near."""
    words = [str(w) for w in known]
    close = difflib.get_close_matches(word, words, n=1, cutoff=0.5)
    if close:
        return f"; did you mean `{close[0]}`?"
    return f"; known: {', '.join(words)}" if words else ""


def _picture(found: "re.Match[str]") -> str:
    code = ord(found[0])
    return (
        chr(0x2400 + code) if code < 0x20 else "␡" if code == 0x7F else "\N{REPLACEMENT CHARACTER}"
    )
