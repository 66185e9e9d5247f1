"""LaTeX of a board: everything escaped, every number named, and it compiles."""

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from samples import board_of, board_of_four, board_of_ledger

from bench.errors import UsageError
from bench.leaderboard.board import AnyRow, Board, EstimatorText
from bench.leaderboard.tables import latex_macros, latex_text, render
from bench.leaderboard.tables.latex_formula import mathematics
from bench.leaderboard.tables.paper import STYLES

HOSTILE = [
    "_ & % $ # { } ~ ^ \\", "\\input{/etc/passwd}", "\\end{table}", "% gone", "[x] *", "--- ?` !`",
    "\"quoted\" 'so' `code` ``", "naïve Ångström ǖ ąė Łódź ß", "Σ α ω √ ² ₃ ± ½ ﬁ … “x” ‘y’ → ≤ 5°",
    "مرحبا עברית", "中文 한국어", "😀👩‍👧", "a\tb\nc\x1b[31m\u202ered\x00",
    "^(a_{b", "_{x}^(y)^{z}",
]  # fmt: skip
ALLOWED = re.compile(
    r"\\[A-Za-z]+(\{\})?"  # a command
    r"|\\[{}$&#%_]"  # a character that would be one
    r"|\\[`'^~\"=.]\{[ -~]?\}"  # an accent
    r"|[^\\$&#%_^~\n]"
)
LINE = board_of().sections[0].measured[0]
PAGE = r"""\documentclass[twocolumn]{article}
\usepackage[letterpaper,textwidth=487pt,textheight=650pt,columnsep=19pt]{geometry}
\usepackage{booktabs}
\IfFileExists{threeparttable.sty}{\usepackage{threeparttable}}{
  \newenvironment{threeparttable}{}{}
  \newenvironment{tablenotes}[1][]{\begin{itemize}}{\end{itemize}}
}
\begin{document}
%s
\end{document}
"""

FORMULAS = {
    "f(z) = k tanh(tz)": r"$f(z) = k\,\tanh (tz)$",
    "f(z) = (4/π) Σ_{i=0..n} sin((2i+1)ωz)/(2i+1)": (
        r"$f(z) = (4/\pi )\,\sum_{i=0}^{n}  \sin ((2i+1)\omega z)/(2i+1)$"
    ),
    "f(z) = k (-sign(z) ¾ t²z² + √3 tz)": (
        r"$f(z) = k\,(-\mathrm{sign}(z)\,\frac{3}{4}\,t^{2}z^{2} + \sqrt{3}\,tz)$"
    ),
    "f(z) = sign(z) |z|^(1/o), o learned": (r"$f(z) = \mathrm{sign}(z)\,|z|^{1/o}$, o learned"),
    "w_eff = E sign(w)": r"$w_{\mathrm{eff}} = E\,\mathrm{sign}(w)$",
    "w_eff = sign(clamp(z, -Q, Q))": (
        r"$w_{\mathrm{eff}} = \mathrm{sign}(\mathrm{clamp}(z, -Q, Q))$"
    ),
    "w ← -w where w m > τ": (
        r"w \ensuremath{\leftarrow} -w where w m \textgreater{} \ensuremath{\tau}"
    ),
    "z²^(3)": r"z\textsuperscript{2}\textsuperscript{3}",
    "z'": "$z'$",
}


def hostile() -> Board:
    """The ordinary board, every text of it replaced by one that LaTeX would take for markup."""
    plain = board_of()
    first = plain.sections[0].measured[0]
    lines = [
        replace(
            first,
            label=text,
            estimator=EstimatorText(text, text),
            confounds=[text],
            seeds=replace(first.seeds, lost={text: 1}),
        )
        for text in HOSTILE
    ]
    section = replace(plain.sections[0], backbone=HOSTILE[0], recipe=HOSTILE[1], rows=lines)
    return replace(plain, suite=HOSTILE[0], sections=[section], notes=HOSTILE)


@given(st.text(max_size=40))
@example("".join(HOSTILE))
@settings(max_examples=25, deadline=None)
def test_no_text_is_markup(text: str) -> None:
    """Whatever the text, it is ASCII, its braces match, and no character of it is a command."""
    for said in (latex_text.escaped(text), latex_text.formula(text), latex_text.prose(text)):
        assert said.isascii()
        assert ALLOWED.sub("", said) == ""
        bare = re.sub(r"\\[{}]", "", said)
        depth = [bare[:i].count("{") - bare[:i].count("}") for i in range(len(bare) + 1)]
        assert min(depth) == depth[-1] == 0
    assert "\n" not in latex_text.comment(text)


def test_what_latex_has_a_sign_for_is_that_sign() -> None:
    """Formulas, accents and minus signs as LaTeX sets them; the rest as code points."""
    assert latex_text.escaped("α² ≤ √Ω") == (
        r"\ensuremath{\alpha}\textsuperscript{2} \ensuremath{\leq} "
        r"\ensuremath{\surd}\ensuremath{\Omega}"
    )
    assert latex_text.escaped("é Å") == r"\'{e} \r{A}"
    assert latex_text.escaped("😀") == r"\texttt{U+1F600}"
    assert latex_text.formula("|z|^(1/o)") == r"\textbar{}z\textbar{}\textsuperscript{1/o}"
    assert latex_text.formula("Σ_{i=0}^{k} x") == (
        r"\ensuremath{\Sigma}\textsubscript{i=0}\textsuperscript{k} x"
    )
    assert latex_text.prose("see `a_b` here") == r"see \texttt{a\_b} here"
    assert latex_text.number("-1.10e-05") == r"\ensuremath{-}1.10\ensuremath{\times10^{-5}}"
    assert latex_text.number("1–2") == r"1\textendash{}2"


def names(lines: Sequence[AnyRow]) -> dict[str, str]:
    """Every definition, by its name."""
    found = [
        re.fullmatch(r"\\newcommand\{\\([A-Za-z]+)\}\{(.*)\}", x)
        for x in latex_macros.definitions(lines)
    ]
    assert all(found)
    assert len({match[1] for match in found if match}) == len(found)
    return {match[1]: match[2] for match in found if match}


@given(st.lists(st.text(max_size=12), max_size=6, unique=True))
@example(["ab", "a b", "a-b", "é", "e", "中", "文", "x1", "x-1", "xOne"])
@settings(max_examples=15, deadline=None)
def test_every_number_has_a_name_of_its_own(labels: list[str]) -> None:
    """Names are letters, no two are equal, and none depends on the order of the rows."""
    lines = [replace(LINE, label=label) for label in labels]

    assert names(lines) == names(lines[::-1])


def test_numbers_have_the_names_that_a_paper_writes() -> None:
    """Label, net, W/A and what it is; names that would be equal are both made longer."""
    lines = board_of().sections[0].measured
    found = names(lines)

    assert found["benchResteResnetTwoZeroOneOneAcc"] == "54.00"
    assert found["benchResteResnetTwoZeroOneOneAccPm"] == "6.57"
    assert found["benchSteResnetTwoZeroOneOnePublished"] == "84.44"
    both = names([*lines, replace(lines[0], label="RESTE"), replace(lines[0], label="re-ste")])
    assert "benchReSteResnetTwoZeroOneOneAcc" in both
    assert "benchRESTEResnetTwoZeroOneOneAcc" in both
    assert "benchResteResnetTwoZeroOneOneAcc" in both
    alike = names([lines[0], replace(lines[0], label="reste!")])
    assert "benchResteResnetTwoZeroOneOneAcc" not in alike
    assert len(alike) == 2 * len(names(lines[:1]))


def test_a_table_says_what_it_rests_on() -> None:
    """Run ids beside their row, tiers apart, bold and intervals as in the other formats."""
    shown = render.text(board_of_four(), "tex")
    rows = shown.splitlines()
    (row,) = [text for text in rows if text.startswith(r"1\textendash{}2 & alike")]
    clear = render.text(board_of_four({"a": {0: 0.9, 1: 0.91}, "b": {0: 0.1, 1: 0.11}}), "tex")

    assert row.endswith(r"\\ % " + " ".join(board_of_four().sections[0].measured[0].cells))
    assert rows[rows.index(next(x for x in rows if "worse &" in x)) - 1] == r"\midrule"
    assert r"81.50 \ensuremath{\pm} 0.92" in row
    assert r"\textbf{a} & \textbf{90.50" in clear
    assert r"\textbf{" not in shown
    assert "lost: lost on resnet20, 1/1, 1 of 4 seeds, diverged: the loss" in shown


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="no pdflatex; `make system` installs it")
def test_it_compiles(tmp_path: Path) -> None:
    """An ordinary board, every style of the paper and a hostile board, in two columns."""
    files = {"board": render.text(board_of(), "tex")}
    for style in STYLES:
        name = style.removeprefix("paper:")
        files[name] = render.text(board_of_ledger(name), "tex", style)
    fitting = len(files)
    files["formulas"] = "\n\n".join(map(mathematics, [*FORMULAS, *HOSTILE]))
    files["hostile"] = render.text(hostile(), "tex")
    for name, text in files.items():
        (tmp_path / f"{name}.tex").write_text(text, encoding="ascii")
    pages = [rf"\begingroup\input{{{name}}}\clearpage\endgroup" for name in files]
    inputs = "\n".join([*pages[:fitting], r"\typeout{WHAT FITS}", *pages[fitting:]])
    (tmp_path / "page.tex").write_text(PAGE % inputs, encoding="ascii")
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "page.tex"],
        cwd=tmp_path, capture_output=True, check=False,
    )  # fmt: skip
    log = (tmp_path / "page.log").read_text(encoding="latin-1")

    assert done.returncode == 0, log[-2000:]
    assert (tmp_path / "page.pdf").stat().st_size > 10_000
    assert "Missing character" not in log
    tables, _, _ = log.partition("WHAT FITS")
    assert "in alignment" not in tables  # none is wider than its place


def test_parts_can_be_had_alone() -> None:
    """Macros for a preamble, tables with their notes, or what is said of the whole board."""
    board = board_of_four()
    macros, table, notes = (render.text(board, "tex", part=p) for p in ("macros", "table", "notes"))

    assert {x.partition("{")[0] for x in macros.splitlines() if x[0] != "%"} == {r"\newcommand"}
    assert r"\newcommand" not in table
    assert r"\begin{itemize}" not in table
    assert "resizebox" not in table
    assert r"\item Not settled: alike and ste may each be the best." in table.splitlines()
    assert notes.splitlines()[1].startswith(r"\begin{itemize}")
    with pytest.raises(UsageError, match="--format md has no --part"):
        render.text(board, "md", part="table")


def test_columns_are_chosen() -> None:
    """In their order, in one table of a column's width; none that there is not."""
    board = board_of_four()
    text = render.text(board, "tex", columns=["n", "acc"], part="table")

    assert r"estimator & n & acc, \% \\" in text
    assert r"\begin{table}[tbp]" in text
    assert "| estimator | acc, % |" in render.text(board, "md", columns=["acc"])
    with pytest.raises(UsageError, match="no column `acq`; did you mean `acc`"):
        render.text(board, "md", columns=["acq"])
    with pytest.raises(UsageError, match="--format csv has no --columns"):
        render.text(board, "csv", columns=["acc"])
    with pytest.raises(UsageError, match="give one of them"):
        render.text(board, "md", "paper:table3", ["acc"])


@pytest.mark.parametrize(("text", "said"), FORMULAS.items())
def test_formulas_are_mathematics(text: str, said: str) -> None:
    """Letters, functions, sums, powers and roots are; words of a sentence, and odd powers, not."""
    assert mathematics(text) == said


@given(st.text("zt({|^_})²√Σ', =.19aeff\\$&#", max_size=20))
@settings(max_examples=60, deadline=None)
def test_no_formula_breaks_a_table(text: str) -> None:
    """Whatever it says, its braces match and its dollars come in pairs."""
    said = re.sub(r"\\[{}$&#_]", "", mathematics(text))

    assert said.isascii()
    assert said.count("$") % 2 == 0
    assert said.count("{") == said.count("}")
    assert not set("&#") & set(said)
    assert not re.search(r"\^\{[^{}]*\}'?\^", said)
