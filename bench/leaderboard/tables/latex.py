r"""
A sheet as LaTeX: a booktabs tabular for each part, and a `\newcommand` for every number.

The output is plain ASCII, so it compiles under any engine and encoding. What LaTeX has no sign for
is written as its code point.
"""

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from unicodedata import name

from bench.base.text import printable
from bench.leaderboard.board import Line
from bench.leaderboard.tables.layout import Row, Sheet, Table, chance, expense, percent

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
DIGITS = {digit: name(digit).split()[-1].title() for digit in "0123456789"}
COSTS = {"Speed": "images/s", "Step": "step/STE", "Peak": "peak, MiB", "Energy": "kJ"}
NOTE = r"\par\smallskip{\footnotesize\raggedright %s\par}"
SHRINK = r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%"


def text(sheet: Sheet) -> str:
    r"""The whole file, to be read with `\input`."""
    title = comment(sheet.title)
    lines = [
        f"% signbench: {title}",
        r"% Needs \usepackage{booktabs,graphicx}. First every number by its name, then the tables.",
        "% Two files that name one row define it twice: read one of them between braces.",
    ]
    rows = [row for part in sheet.parts for table in part.tables for row in table.rows]
    lines += definitions([line for row in rows for line in row.lines])
    for part in sheet.parts:
        caption = ". ".join(escaped(word) for word in (part.title, part.caption) if word)
        label = re.sub("[^A-Za-z0-9]+", "-", f"{sheet.title} {part.title}").strip("-")
        lines += [r"\begin{table}[htbp]", r"\centering", rf"\caption{{{caption}}}"]
        lines += [rf"\label{{bench:{label}}}"]
        for table in part.tables:
            lines += _tabular(table)
        lines += [NOTE % prose(note) for note in part.notes]
        lines += [r"\end{table}"]
    items = [rf"\item {prose(note)}" for note in [*sheet.summary, *sheet.notes]]
    lines += [r"\begin{itemize}\footnotesize", *items, r"\end{itemize}"]
    return "\n".join(lines) + "\n"


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


def definitions(lines: list[Line]) -> Iterator[str]:
    r"""
    A `\newcommand` for every number of the lines.

    A name is made of letters alone. Names that would be equal get a digest of what they stand for,
    all of them, so that a row that joins cannot give an old name another meaning.
    """
    found = {(_key(line), what): value for line in lines for what, value in _numbers(line)}
    names = {(key, what): _name(key) + what for key, what in found}
    taken = Counter(names.values())
    for (key, what), value in found.items():
        plain_name = names[key, what]
        alone = taken[plain_name] == 1
        unique = plain_name if alone else plain_name + _letters(repr((key, what)))
        yield rf"\newcommand{{\{unique}}}{{{number(value)}}}"


def _spaced(text: str) -> str:
    """Escaped, with a space where the text has one at its ends."""
    words = escaped(text)
    return " " * text[:1].isspace() + words + " " * (bool(words) and text[-1:].isspace())


def _tabular(table: Table) -> Iterator[str]:
    kinds = "".join("r" if column.kind == "number" else "l" for column in table.columns)
    yield r"\par\smallskip"
    yield SHRINK
    yield rf"\begin{{tabular}}{{@{{}}{kinds}@{{}}}}"
    yield r"\toprule"
    yield " & ".join(escaped(column.head) for column in table.columns) + r" \\"
    yield r"\midrule"
    for row in table.rows:
        yield from [r"\midrule"] * row.rule
        ids = comment(" ".join(i for line in row.lines for i in line.cells))
        yield f"{' & '.join(_words(row, table))} \\\\ % {ids}".rstrip()
    yield r"\bottomrule"
    yield r"\end{tabular}}"


def _words(row: Row, table: Table) -> Iterator[str]:
    how = {"text": escaped, "formula": formula, "number": number}
    for i, (word, column) in enumerate(zip(row.words, table.columns, strict=True)):
        said = how[column.kind](word)
        yield rf"\textbf{{{said}}}" if i in row.bold else said


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


def _key(line: Line) -> tuple[str, ...]:
    tuned = "tuned" * bool(line.chosen)
    source = line.claim.source if line.claim and line.absent else ""
    return line.name, line.backbone, line.wa, tuned, line.label, line.schedule, source


def _name(key: tuple[str, ...]) -> str:
    """Letters of what a line is called: `benchReste ResnetTwoZero OneOne`, without the spaces."""
    return "bench" + "".join(map(_camel, key[:4]))


def _camel(text: str) -> str:
    letters = unicodedata.normalize("NFKD", text)
    parts: list[str] = re.findall("[A-Za-z]+|[0-9]", letters)
    return "".join(DIGITS.get(part, part[:1].upper() + part[1:]) for part in parts)


def _letters(text: str) -> str:
    """Eight letters that stand for a text."""
    digest = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:8]
    return "".join(chr(ord("A") + int(digit, 16)) for digit in digest)


def _numbers(line: Line) -> Iterator[tuple[str, str]]:
    """What a line says in numbers, by the end of their names."""
    estimates = {"Acc": line.acc, "Best": line.best, "TopFive": line.top5}
    estimates |= {"Untuned": line.untuned, "Delta": line.difference}
    for what, value in estimates.items():
        mean, _, spread = percent(value, "+" if what == "Delta" else "").partition(" ± ")
        yield from [(what, mean)] * bool(value)
        yield from [(f"{what}Pm", spread)] * bool(spread)
    others = {
        "N": line.n, "Lost": sum(line.lost.values()),
        "RankFirst": line.place and line.place.first, "RankLast": line.place and line.place.last,
        "P": line.p, "E": line.e, "S": line.s,
        "Published": line.claim and line.claim.acc,
        "PublishedTopFive": line.claim and line.claim.top5,
    }  # fmt: skip
    forms = {"P": chance, "E": "{:.4g}".format, "S": "{:.2e}".format}
    forms |= {"Published": "{:.2f}".format, "PublishedTopFive": "{:.2f}".format}
    for what, value in others.items():
        if value is not None and value == value:
            yield what, forms.get(what, str)(value)
    for what, head in COSTS.items():
        if (word := expense(line, head)) != "-":
            yield what, word
