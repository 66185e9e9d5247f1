r"""
A board as LaTeX: a booktabs tabular for each part, and a `\newcommand` for every number.

The output is plain ASCII, so it compiles under any engine and encoding. What LaTeX has no sign for
is written as its code point.
"""

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from unicodedata import name

from bench.base.text import printable
from bench.leaderboard.board import AnyRow, Board, MeasuredRow, PublishedRow
from bench.leaderboard.columns.column import half_width
from bench.leaderboard.columns.groups import STACKED
from bench.leaderboard.columns.selection import defined
from bench.leaderboard.tables import paper
from bench.leaderboard.tables.layout import Layout, Table, TextRow, arranged

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
NOTE = r"\par\smallskip{\footnotesize\raggedright %s\par}"
SHRINK = r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%"


def write(board: Board, style: str = "") -> str:
    """
    Tables that stand under each other: beside each other they fit no page.

    Raises:
        UsageError: no such style, or none for this board.
    """
    return text(paper.layout(board, style) if style else arranged(board, STACKED))


def text(layout: Layout) -> str:
    r"""The whole file, to be read with `\input`."""
    title = comment(layout.title)
    lines = [
        f"% signbench: {title}",
        r"% Needs \usepackage{booktabs,graphicx}. First every number by its name, then the tables.",
        "% Two files that name one row define it twice: read one of them between braces.",
    ]
    rows = [row for part in layout.parts for table in part.tables for row in table.rows]
    lines += definitions([row for texts in rows for row in texts.rows])
    for part in layout.parts:
        caption = ". ".join(escaped(word) for word in (part.title, part.caption) if word)
        label = re.sub("[^A-Za-z0-9]+", "-", f"{layout.title} {part.title}").strip("-")
        lines += [r"\begin{table}[htbp]", r"\centering", rf"\caption{{{caption}}}"]
        lines += [rf"\label{{bench:{label}}}"]
        for table in part.tables:
            lines += _tabular(table)
        lines += [NOTE % prose(note) for note in part.notes]
        lines += [r"\end{table}"]
    said = [*layout.answers, *layout.summary, *layout.notes]
    items = [rf"\item {prose(note)}" for note in said]
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


def _spaced(text: str) -> str:
    """Escaped, with a space where the text has one at its ends."""
    words = escaped(text)
    before = " " if text[:1].isspace() else ""
    after = " " if words and text[-1:].isspace() else ""
    return before + words + after


def _tabular(table: Table) -> Iterator[str]:
    kinds = "".join("r" if column.kind == "number" else "l" for column in table.columns)
    yield r"\par\smallskip"
    yield SHRINK
    yield rf"\begin{{tabular}}{{@{{}}{kinds}@{{}}}}"
    yield r"\toprule"
    yield " & ".join(escaped(column.head) for column in table.columns) + r" \\"
    yield r"\midrule"
    for row in table.rows:
        if row.rule:
            yield r"\midrule"
        yield f"{' & '.join(_words(row, table))} \\\\ % {comment(row.cells)}".rstrip()
    yield r"\bottomrule"
    yield r"\end{tabular}}"


def _words(row: TextRow, table: Table) -> Iterator[str]:
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
