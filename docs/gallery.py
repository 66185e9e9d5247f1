"""A page for each shipped estimator and method, from its file: rule, parameters, reference."""

import html
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from bench.plugin import Estimator, Surrogate
from bench.properties import check_text, verdicts
from bench.properties.check import describe_knob
from bench.registry import ESTIMATORS
from bench.spec.plan import Properties
from docs import plot, tables

BIBLIOGRAPHY = Path(__file__).with_name("references.bib")
INDEX = """# Estimators

An *estimator* is what takes the place of d sign/dz, and nothing else; a *method* changes more. Each
page is made from the plugin's file. [Write one](../methods.md).

## Estimators

The six classics, later ones, and controls of our own. [How to read the
verdicts](../leaderboard.md#rational-flexible). In brackets: of f as it trains, where that differs.

| name | f | type | rational | flexible |
|---|---|---|---|---|
"""
METHODS = """
## Methods

W/A: the bits of the trained network. Beside f: what it has that an estimator has not.

| name | what it is | W/A | beside f |
|---|---|---|---|
"""
MEANINGS = {
    "gain": "`unit` divides f by its slope at 0",
    "schedule": "the knob's path; `bench list schedules`",
}
FLEXIBLE = {"yes": "yes", "little": "little", "not": "no"}


@dataclass(frozen=True)
class Rule:
    """A plugin's docstring, taken apart."""

    title: str
    block: str  # forward, value, backward, knob
    prose: str
    reference: str


def rule(doc: str) -> Rule:
    """The parts of the docstring that every shipped estimator has."""
    parts = [part for part in doc.strip().split("\n\n") if part.strip()]
    indented = [part for part in parts if part.startswith("    ")]
    (reference,) = [part for part in parts if part.startswith("Reference:")]
    prose = [part for part in parts[1:] if part not in indented and part != reference]
    block = textwrap.dedent("\n\n".join(indented))
    return Rule(parts[0], block, "\n\n".join(prose), reference.removeprefix("Reference:").strip())


def shipped() -> list[str]:
    """Estimators that are part of the program, strangers' left aside."""
    return [name for name, o in ESTIMATORS.origins().items() if o.shipped]


def pages() -> Iterator[tuple[str, str]]:
    """Path and text of every file: pages, figures, and the list of all."""
    estimators: list[str] = []
    methods: list[str] = []
    for name in shipped():
        plugin = ESTIMATORS.build(name, {})
        if isinstance(plugin, Surrogate):
            yield f"estimators/{name}.md", page(name, plugin)
            for mode, ink in plot.INKS.items():
                yield f"estimators/{name}-{mode}.svg", plot.draw(plugin, ink)
            estimators.append(_row(name, plugin))
        else:
            yield f"estimators/{name}.md", method_page(name, plugin)
            methods.append(_method_row(name, plugin))
    lists = INDEX + "\n".join(estimators) + "\n" + METHODS + "\n".join(methods) + "\n"
    yield "estimators/index.md", lists


def method_page(name: str, method: Estimator) -> str:
    """The Markdown of one method."""
    said = rule(import_module(type(method).__module__).__doc__ or "")
    return "\n\n".join(
        [
            f"# {name}",
            _escaped(said.title),
            f"```text\n{said.block}\n```",
            _escaped(said.prose),
            *(f"- {_escaped(fact)}" for fact in _facts(method)),
            "## Parameters",
            tables.of_model(type(method), MEANINGS),
            "## Reference",
            _escaped(said.reference),
            *(f"```bibtex\n{entry}\n```" for entry in bibtex(name)),
        ]
    )


def _facts(method: Estimator) -> Iterator[str]:
    """What a suite's author has to know of a method."""
    yield f"W/A of the trained network: {_bits(method)}."
    if method.aux not in {"", "-"}:
        yield f"Beside the gradient of sign it has: {method.aux}."
    if method.fixes:
        words = ", ".join(f"{k}: {v}" for k, v in method.fixes.items())
        yield f"It decides these options of binary layers itself: {words}."
    if method.teacher:
        yield "It learns from a full-precision network, which a run trains first."
    if len(stages := method.stages()) > 1:
        yield f"It trains in {len(stages)} stages, each a cell of its own."


def _bits(method: Estimator) -> str:
    return f"{method.bits('W')}/{method.bits('A')}"


def _method_row(name: str, method: Estimator) -> str:
    beside = method.aux if method.aux not in {"", "-"} else ""
    kind = method.kind.removeprefix("method: ")
    return f"| [{name}]({name}.md) | {_escaped(kind)} | {_bits(method)} | {beside} |"


def page(name: str, estimator: Surrogate) -> str:
    """The Markdown of one estimator."""
    said = rule(import_module(type(estimator).__module__).__doc__ or "")
    ((text, _),) = check_text.render_reports([name], quick=True)
    entries = bibtex(name)
    return "\n\n".join(
        [
            f"# {name}",
            f"{_escaped(said.title)}",
            f"```text\n{said.block}\n```",
            _escaped(said.prose),
            *(
                f"![f and f' of {name} along its schedule]({name}-{mode}.svg#only-{mode})"
                for mode in plot.INKS
            ),
            "## Parameters",
            f"Knob: {_escaped(describe_knob(estimator))}.",
            tables.of_model(type(estimator), MEANINGS),
            "## Verdicts",
            _verdicts(estimator),
            f"This is what `bench check {name}` computes; where it can be proved, it is:",
            f"```text\n{text}\n```",
            "## Reference",
            _escaped(said.reference),
            *(f"```bibtex\n{entry}\n```" for entry in entries),
        ]
    )


def bibtex(name: str) -> list[str]:
    """The bibliography's entries whose keywords name the estimator."""
    text = BIBLIOGRAPHY.read_text(encoding="utf-8")
    entries = re.findall(r"^@.*?^}", text, re.DOTALL | re.MULTILINE)
    return [entry for entry in entries if name in keywords(entry)]


def keywords(entry: str) -> list[str]:
    """The estimators that an entry is for."""
    return re.split(r",\s*", re.findall(r"keywords\s*=\s*{(.*?)}", entry)[0])


def _judged(estimator: Surrogate) -> dict[str, Properties]:
    """Each verdict by what it is of."""
    trained = {role: verdicts.judge_trained(estimator, role) for role in ("W", "A")}
    found = {"as printed": verdicts.judge_printed(estimator)}
    if trained["W"] == trained["A"]:
        return found | {"as it trains": trained["W"]}
    return found | {f"as it trains, {role}": p for role, p in trained.items()}


def _verdicts(estimator: Surrogate) -> str:
    lines = ["| f | rational | flexible | where not |", "|---|---|---|---|"]
    for name, found in _judged(estimator).items():
        witnesses = [found.rational_witness, found.flexible_witness]
        where = "; ".join(w.text for w in witnesses if w)
        flexible = FLEXIBLE[found.flexible]
        lines.append(f"| {name} | {found.rational} | {flexible} | {_escaped(where)} |")
    return "\n".join(lines)


def _row(name: str, estimator: Surrogate) -> str:
    printed, trained = verdicts.judge_printed(estimator), verdicts.judge_trained(estimator, "W")
    words = [_both(printed.rational, trained.rational)]
    words.append(_both(FLEXIBLE[printed.flexible], FLEXIBLE[trained.flexible]))
    cells = f"[{name}]({name}.md)", _escaped(estimator.formula), estimator.kind, *words
    return f"| {' | '.join(cells)} |"


def _both(printed: str, trained: str) -> str:
    return printed if printed == trained else f"{printed} ({trained})"


def _escaped(text: str) -> str:
    """Mathematics that Markdown leaves alone; `names in backticks` stay code."""
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(part if part.startswith("`") else _plain(part) for part in parts)


def _plain(text: str) -> str:
    text = re.sub(r"([\\*_\[\]])", r"\\\1", html.escape(text, quote=False))
    return text.replace("|", "&#124;")
