r"""
Formulas as mathematics: `f(z) = k tanh(tz)` as `$f(z) = k\,\tanh(tz)$`.

A formula is free text. What is set as mathematics is what plainly is: letters that stand for
quantities, functions by name, sums, powers, indices. All else, as words of a sentence, stays text.
"""

import re
from collections.abc import Iterator

from bench.leaderboard.tables.latex_text import MATHS, formula

OWN = ("tanh", "sin", "cos", "exp", "log", "min", "max", "arctan")
OPERATORS = ("sign", "clamp", "erf", "mean", "median", "std", "conv", "prox", "kurtosis", "loss")
SHORT = ("of", "or", "by", "in", "if", "is")  # words that are no product of two letters
INDICES = ("eff",)  # words that stand below a letter
PLAIN = "+-=/()[]|.,:<>'!;*"
RAISED = {"²": "2", "³": "3", "⁴": "4"}
FRACTIONS = {"½": "1}{2", "¼": "1}{4", "¾": "3}{4"}
LARGE = {"Σ": r"\sum ", "∑": r"\sum ", "∏": r"\prod ", "∫": r"\int "}
SPELLED = (
    {name: rf"\{name} " for name in OWN}
    | {name: rf"\mathrm{{{name}}}" for name in OPERATORS}
    | {sign: rf"\frac{{{parts}}}" for sign, parts in FRACTIONS.items()}
    | {sign: f"{word} " for sign, word in MATHS.items() if sign != "√"}
    | {"{": r"\{", "}": r"\}"}
    | LARGE
)
SUM = re.compile(r"[Σ∑]_\{(\w)=(\w+)\.\.(\w+)\}")
WORD = re.compile(r"[A-Za-z]+|\d+(?:\.\d+)?| +|.", re.DOTALL)
SUP = re.compile(r"\^(?:\(([^()]*)\)|\{([^{}]*)\}|(\w))")
SUB = re.compile(r"_(?:\{([^{}]*)\}|(\w+))")
LONGEST = 200  # characters


def mathematics(text: str) -> str:
    """Set a formula: each part between commas as mathematics if it is that, else as text."""
    return ", ".join(map(_part, _between_commas(" ".join(text.split()))))


def _between_commas(text: str) -> list[str]:
    """What stands between commas that are in no brackets."""
    parts, depth = [""], 0
    for piece in re.split(r"(, |[()\[\]{}])", text):
        depth += (piece in {"(", "[", "{"}) - (piece in {")", "]", "}"})
        if piece == ", " and depth == 0:
            parts.append("")
        else:
            parts[-1] += piece
    return parts


def _part(text: str) -> str:
    try:
        return f"${''.join(_set(text)).strip()}$" if len(text) <= LONGEST else formula(text)
    except ValueError:
        return formula(text)


def _set(text: str) -> Iterator[str]:
    """
    Yield what LaTeX takes in mathematics.

    Raises:
        ValueError: a word or sign that is none of mathematics, or two powers of one thing.
    """
    rest, brackets = text, 0
    taken: set[str] = set()
    while rest:
        script, length, kind = _script(rest)
        if length:
            if kind & taken:
                raise ValueError(text)  # a power of a power
            taken = taken | kind if kind else set[str]()
            yield script
        else:
            word = WORD.match(rest)
            assert word
            length = word.end()
            taken = {"^"} if word[0] == "'" else set[str]()
            brackets += {"(": 1, ")": -1}.get(word[0], 0)
            yield _space(text, rest, length) if word[0].isspace() else _word(word[0])
        rest = rest[length:]
        if brackets < 0:
            raise ValueError(text)
    if brackets:
        raise ValueError(text)


def _script(rest: str) -> tuple[str, int, set[str]]:
    """What is raised or lowered at the start of `rest`, its length, and which of them it is."""
    if found := SUM.match(rest):
        low, high = f"{found[1]}={found[2]}", found[3]
        return rf"\sum_{{{low}}}^{{{high}}} ", found.end(), {"^", "_"}
    if rest[0] in RAISED or rest[0] == "₊":
        kind = "_" if rest[0] == "₊" else "^"
        return f"{kind}{{{RAISED.get(rest[0], '+')}}}", 1, {kind}
    if found := SUP.match(rest):
        return f"^{{{_inner(found[1] or found[2] or found[3] or '')}}}", found.end(), {"^"}
    if found := SUB.match(rest):
        inner = found[1] or found[2] or ""
        said = rf"\mathrm{{{inner}}}" if inner in INDICES else _inner(inner)
        return f"_{{{said}}}", found.end(), {"_"}
    if found := re.match(r"√(\d+|[A-Za-z])", rest):
        return rf"\sqrt{{{found[1]}}}", found.end(), set()
    return "", 0, set()


def _inner(text: str) -> str:
    """What is raised or lowered, in which nothing is again."""
    said = "".join(_set(text))
    if not said or "^" in said or "_" in said:
        raise ValueError(text)
    return said


def _space(text: str, rest: str, length: int) -> str:
    """A space between two factors is seen, and no other."""
    before, after = text[: -len(rest)][-1:], rest[length : length + 1]
    factors = (before.isalnum() or before in ")|]") and (after.isalnum() or after in "(|[√")
    return r"\," if factors and before and after else " "


def _word(word: str) -> str:
    if said := SPELLED.get(word):
        return said
    number = word.replace(".", "").isdigit() and word.isascii()
    product = word.isascii() and word.isalpha() and len(word) <= 2 and word not in SHORT
    if word in PLAIN or number or product:
        return word
    raise ValueError(word)
