"""
Formulas as papers print them, read as arithmetic: `f(z) = (1 + t) z / (1 + t|z|)`.

A formula is free text. What is read is the part of it that has one meaning: numbers, a letter
for each quantity, + - / ^, powers, roots, |z| and functions with brackets. All else, as sums over
an index, is for people alone.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

import torch
from torch import Tensor

Formula: TypeAlias = Callable[[Mapping[str, Tensor | float]], Tensor]

FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": torch.tanh,
    "sin": torch.sin,
    "cos": torch.cos,
    "exp": torch.exp,
    "log": torch.log,
    "erf": torch.erf,
    "arctan": torch.atan,
    "sign": torch.sign,
    "sqrt": torch.sqrt,
    "σ": torch.sigmoid,
}
GREEK = {"alpha": "α", "beta": "β", "gamma": "γ", "delta": "Δ", "omega": "ω", "lambda_": "λ"}
POWERS = {"²": "2", "³": "3", "⁴": "4"}
FRACTIONS = {"½": "(1/2)", "¼": "(1/4)", "¾": "(3/4)", "π": "(3.141592653589793)"}
OPERATORS, OPENING = ("+", "-", "*", "/", "^"), ("(", "|")
LONGEST = 200  # characters
NUMBER = r"\d+(?:\.\d+)?"


def read_formula(text: str, quantities: list[str]) -> Formula | None:
    """
    Read the right side of `f(z) = ...`, if it can have one meaning alone.

    Args:
        quantities: names that it may use beside z; `alpha` stands for α.
    """
    left, _, right = text.partition("=")
    if left.replace(" ", "") != "f(z)" or len(right) > LONGEST:
        return None
    written = {GREEK.get(name, name): name for name in ("z", *quantities)}
    for sign, plain in FRACTIONS.items():
        right = right.replace(sign, plain)
    right = re.sub(rf"√({NUMBER}|\w)", r"sqrt(\1)", right).replace("√", "sqrt")
    try:
        code = compile(" ".join(_spell(right, written)).strip(), "formula", "eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return None

    def evaluate(values: Mapping[str, Tensor | float]) -> Tensor:
        known = {f"q_{i}": values[n] for i, n in enumerate(written.values()) if n in values}
        known |= {f"f_{i}": f for i, f in enumerate(FUNCTIONS.values())}
        known |= {"absolute": torch.abs, "number": _number}
        return eval(code, {"__builtins__": {}}, known)  # of the words below alone

    return evaluate


def _spell(text: str, written: Mapping[str, str]) -> Iterator[str]:
    """
    Yield the words of a Python expression.

    Raises:
        ValueError: something that is not known, or a division by what may be one factor or two.
    """
    after_value, bars = False, 0
    divided = [False]  # whether what follows may be part of a divisor, within each pair of brackets
    for word in _split(text, written):
        closes = word == ")" or (word == "|" and after_value and bars > 0)
        begins = not (closes or word in OPERATORS or word in POWERS)
        multiplied = begins and after_value
        if (word == ")" and not after_value) or (multiplied and divided[-1]):  # a/2b
            raise ValueError(text)
        yield "*" * multiplied
        if word in OPERATORS[:4]:
            divided[-1] = word == "/"
        elif closes:
            divided = divided[:-1] or [False]
        elif word in OPENING:
            divided.append(False)
        bars += (word == "|") * (-1 if closes else 1)
        yield _words(word, closes=closes, written=written)
        after_value = closes or word in POWERS or (begins and word not in OPENING)
        after_value = after_value and word not in FUNCTIONS
    if bars:
        raise ValueError(text)


def _split(text: str, written: Mapping[str, str]) -> Iterator[str]:
    names = "|".join(map(re.escape, sorted([*FUNCTIONS, *written], key=len, reverse=True)))
    rest = text.strip()
    while rest:
        found = re.match(rf"({NUMBER}|{names}|[-+*/^()|]|[{''.join(POWERS)}])\s*", rest)
        if not found or (found[1] in FUNCTIONS and rest[found.end() :][:1] != "("):
            raise ValueError(rest)
        yield found[1]
        rest = rest[found.end() :]


def _words(word: str, *, closes: bool, written: Mapping[str, str]) -> str:
    if word in written:
        return f"q_{list(written).index(word)}"
    if word in FUNCTIONS:
        return f"f_{list(FUNCTIONS).index(word)}"
    if word == "|":
        return ")" if closes else "absolute("
    if word in POWERS:
        return f"**number({POWERS[word]})"
    return f"number({word})" if word[0].isdigit() else word.replace("^", "**")


def _number(x: float) -> Tensor:
    return torch.tensor(x, dtype=torch.float64)
