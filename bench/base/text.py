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
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # how what a spreadsheet computes begins


def printable(text: str) -> str:
    """`text` with every control character but tab and newline as a picture: ESC is `␛`."""
    return CONTROLS.sub(_picture, text)


def no_formula(text: str) -> str:
    """`text` as a cell of CSV; what a spreadsheet would compute has an apostrophe before it."""
    if not text.startswith(FORMULA):
        return text
    try:
        float(text)
    except ValueError:
        return f"'{text}"
    return text  # a negative number


def count(n: int, noun: str) -> str:
    """`1 cell`, `2 cells`, `3,000 cells`."""
    return f"{n:,} {noun}{'s' * (n != 1)}"


# what other programs call what we call otherwise
SYNONYMS = {
    "learningrate": "lr",
    "initlr": "lr",
    "baselr": "lr",
    "batch": "batch_size",
    "bs": "batch_size",
    "wd": "weight_decay",
    "numepochs": "epochs",
    "nepochs": "epochs",
    "maxepochs": "epochs",
    "optim": "optimizer",
    "scheduler": "lr_rule",
    "lrscheduler": "lr_rule",
    "lrschedule": "lr_rule",
    "warmupepochs": "warmup",
    "criterion": "loss",
    "seed": "seeds",
    "model": "backbones",
    "models": "backbones",
    "network": "backbones",
    "networks": "backbones",
    "methods": "estimators",
    "dataset": "data",
    "bits": "wa",
    "numclasses": "classes",
    "imagesize": "image",
    "resolution": "image",
}
MOST_TOLD = 20  # words that are told where none is near


def suggest(word: str, known: Iterable[str]) -> str:
    """
    `; did you mean `x`?`, or the known words where none is near.

    Capitals, hyphens and underscores make no difference; some words of other programs are known.
    """
    words = [str(w) for w in known]
    plain = {_plain(w): w for w in reversed(words)}
    meant = SYNONYMS.get(_plain(word))
    if meant in words:
        return f"; did you mean `{meant}`?"
    if _plain(word) in plain:
        return f"; did you mean `{plain[_plain(word)]}`?"
    if near := difflib.get_close_matches(_plain(word), plain, n=1, cutoff=0.5):
        return f"; did you mean `{plain[near[0]]}`?"
    more = f", ... ({len(words)} in all)" if len(words) > MOST_TOLD else ""
    return f"; known: {', '.join(words[:MOST_TOLD])}{more}" if words else ""


def _plain(word: str) -> str:
    return re.sub(r"[\s_.-]", "", word.casefold())


def _picture(found: "re.Match[str]") -> str:
    code = ord(found[0])
    return (
        chr(0x2400 + code) if code < 0x20 else "␡" if code == 0x7F else "\N{REPLACEMENT CHARACTER}"
    )
