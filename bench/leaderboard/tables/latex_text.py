"""Text as LaTeX sets it, whatever it is, in ASCII; what LaTeX has no sign for as a code point."""

import re
import unicodedata
from unicodedata import name

from bench.base.text import printable

SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#",
    "%": r"\%", "_": r"\_", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", "`": r"\`{}",
    '"': "{''}", "[": "{[}", "]": "{]}", "*": "{*}",
    "–": r"\textendash{}", "—": r"\textemdash{}", "…": r"\ldots{}", "†": r"\dag{}",
    "‡": r"\ddag{}", "§": r"\S{}", "¶": r"\P{}", "©": r"\copyright{}",
    "‘": r"\textquoteleft{}", "’": r"\textquoteright{}", "“": r"\textquotedblleft{}",
    "”": r"\textquotedblright{}", "ß": r"\ss{}", "æ": r"\ae{}", "Æ": r"\AE{}", "ø": r"\o{}",
    "Ø": r"\O{}", "œ": r"\oe{}", "Œ": r"\OE{}", "ł": r"\l{}", "Ł": r"\L{}", "ı": r"\i{}",
    "⁄": "/", "°": r"\textsuperscript{\ensuremath{\circ}}", "‐": "-", "‑": "-", "‒": "-",
}  # fmt: skip
NAMES = {
    "±": "pm", "×": "times", "·": "cdot", "÷": "div", "√": "surd", "∞": "infty",
    "≤": "leq", "≥": "geq", "≠": "neq", "≈": "approx", "≡": "equiv", "∼": "sim", "∝": "propto",
    "∈": "in", "∉": "notin", "∑": "Sigma", "∏": "Pi", "∫": "int", "∂": "partial", "∇": "nabla",
    "→": "to", "←": "leftarrow", "↔": "leftrightarrow", "⇒": "Rightarrow", "↑": "uparrow",
    "↓": "downarrow", "∀": "forall", "∃": "exists", "∅": "emptyset", "∪": "cup", "∩": "cap",
    "⊂": "subset", "⊙": "odot", "⊕": "oplus", "⊗": "otimes", "‖": "Vert", "′": "prime",
    "⌊": "lfloor", "⌋": "rfloor", "⌈": "lceil", "⌉": "rceil", "⟨": "langle", "⟩": "rangle",
    "ϵ": "epsilon", "ϑ": "vartheta", "ϕ": "phi", "ℓ": "ell", "∘": "circ", "•": "bullet",
}  # fmt: skip
SMALL = {c: name(c).split()[-1].lower() for c in "αβγδεζηθικμνξπρςστυφχψω"}
CAPITAL = {c: name(c).split()[-1].title() for c in "ΓΔΘΞΠΣΥΦΨΩ"}
LAMBDAS = {"λ": "lambda", "Λ": "Lambda"}  # which Unicode spells otherwise
WORDS = NAMES | SMALL | CAPITAL | LAMBDAS
MATHS = {"−": "-"} | {sign: f"\\{word}" for sign, word in WORDS.items()}
LATIN = dict(zip("ΑΒΕΖΗΙΚΜΝΟΡΤΧο", "ABEZHIKMNOPTXo", strict=True))  # Greek letters that look so
ACCENTS = {
    "\u0300": "`", "\u0301": "'", "\u0302": "^", "\u0303": "~", "\u0308": '"', "\u0304": "=",
    "\u0306": "u", "\u0307": ".", "\u030a": "r", "\u030b": "H", "\u030c": "v", "\u0327": "c",
}  # fmt: skip


def escaped(text: str) -> str:
    """Text that stands in LaTeX as it was written, whatever it is."""
    signs = "".join(map(_sign, " ".join(printable(text).split())))
    return re.sub("-(?=-)", "-{}", signs)  # no dash


def prose(text: str) -> str:
    """The same of a sentence: what is between backticks is code."""
    words = re.split("`([^`]*)`", text)
    return "".join(
        rf"\texttt{{{escaped(w)}}}" if i % 2 else _spaced(w) for i, w in enumerate(words)
    )


def formula(text: str) -> str:
    """The same of a formula: raised is what stands in `^(...)`, lowered what in `_{...}`."""
    words = re.split(r"([\^_])(?:\(([^()]*)\)|\{([^{}]*)\})", text)
    said = _spaced(words[0])
    for mark, round_, curly, rest in zip(*(words[i::4] for i in range(1, 5)), strict=True):
        where = "super" if mark == "^" else "sub"
        said += rf"\text{where}script{{{escaped(round_ or curly or '')}}}{_spaced(rest)}"
    return said


def number(text: str) -> str:
    """A number with a minus, and a power of ten, as they are set."""
    text = re.sub(r"(?<![\w.])-(?=\.?\d)", "−", text)
    mantissa, e, exponent = text.partition("e")
    if not e or not re.fullmatch(r"[+-]\d+", exponent):
        return escaped(text)
    return rf"{escaped(mantissa)}\ensuremath{{\times10^{{{int(exponent)}}}}}"


def comment(text: str) -> str:
    """Text for one line after `%`."""
    return " ".join(printable(text).split()).encode("ascii", "backslashreplace").decode()


def _spaced(text: str) -> str:
    """Escaped, with a space where the text has one at its ends."""
    words = escaped(text)
    before = " " if text[:1].isspace() else ""
    after = " " if words and text[-1:].isspace() else ""
    return before + words + after


def _sign(sign: str) -> str:
    """One character."""
    if sign in SPECIAL:
        return SPECIAL[sign]
    if sign in MATHS:
        return rf"\ensuremath{{{MATHS[sign]}}}"
    return sign if sign.isascii() else LATIN.get(sign) or _composed(sign)


def _composed(sign: str) -> str:
    """A character that Unicode makes of others; else its code point."""
    words = unicodedata.decomposition(sign).split()
    kind = words.pop(0) if words and words[0].startswith("<") else ""
    parts = [chr(int(word, 16)) for word in words]
    if kind in {"<super>", "<sub>"}:
        return rf"\text{kind[1:-1]}script{{{''.join(map(_sign, parts))}}}"
    if len(parts) == 2 and parts[1] in ACCENTS:
        base = parts[0]
        return rf"\{ACCENTS[parts[1]]}{{{base}}}" if base.isascii() else _sign(base)
    if kind or len(parts) == 1:
        return "".join(map(_sign, parts))
    return rf"\texttt{{U+{ord(sign):04X}}}"
