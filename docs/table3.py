"""The page on where Table 3 of the ReSTE paper comes from: from ledgers, verdicts computed."""

import math
from collections.abc import Iterator
from pathlib import Path

from bench.nn.contract import Surrogate
from bench.properties.criterion import BASELINES, DEFINITIONS, Criterion
from bench.properties.study import holds_nearly, judge_by, list_turns
from bench.registry import ESTIMATORS
from bench.spec.choices import READINGS
from bench.spec.plan import Properties
from bench.spec.published import (
    Claim,
    list_cautions,
    list_repeats,
    list_unstated,
    read_ledger,
    read_shipped,
)

IMAGES = 10_000  # of CIFAR-10's test split
HEAD = """# Where Table 3 comes from

Table 3 of the ReSTE paper (Wu et al., ICCV 2023) compares six estimators on a binary ResNet-20 and
CIFAR-10, and calls two of their properties *rational* and *flexible*. This page is made from the
ledgers of published numbers (`bench show ledger table3` prints the same) and from the estimators'
own code.
"""
ASKED = """
## Rational and flexible: definition P and six readings

The paper defines both words by sentences. *Definition P* is our exact form of them; it gives all
twelve printed entries, and is what tables show.

- **rational**: |sign z - f(z)| ≤ |sign z - z| at every z, at every value of the knob that training
  visits. Bounds that train are varied.
- **flexible**: at one end of the knob f is the identity, at the other sign, and on the way no z's
  error rises. *Not*: the error does not depend on any parameter. *Little*: anything between.

Each can be read in six ways (`bench check NAME --definition`, of all at once `--study`). b is the
baseline (`--baseline`): the identity, as in the paper, or hardtanh, the clipped STE that the
release trains. f is as printed or as it trains (`--form`). Under an L2 reading flexible asks that
the norm never rises.

| reading | rational asks |
|---|---|
"""
LOOK = """
## Look yourself

- `bench show ledger table3`: the numbers with protocol, notes and where else they are printed.
- `bench check dsq --study`: every reading of one estimator.
- `bench check rbnn t_min=1.4143`: at other parameters, with proofs.
- `bench run table3`: the six under one recipe, five seeds; `bench run table3-mini`: the same on
  digits, in minutes.
- `bench power table3`: how many seeds would tell two rows apart.
"""
NUMBERS = """\
| method | f as printed | type | rational | flexible | acc, % | what is known | the same number |
|---|---|---|---|---|--:|---|---|"""


def page() -> str:
    """The page's Markdown."""
    claims = read_ledger("table3", Path())
    return "\n".join([numbers(claims), definitions(), "", *_verdicts(claims), LOOK])


def numbers(claims: list[Claim]) -> str:
    """What the ledgers say."""
    every = read_shipped()
    parts = [HEAD, *(f"> **Caution.** {caution}" for caution in list_cautions(claims))]
    parts += ["", "## The numbers", "", *_numbers(claims, every), "", *_protocol(claims)]
    return "\n".join(parts)


def definitions() -> str:
    """Definition P, and the six readings."""
    rows = (f"| {name} | {_cell(READINGS[name])} |" for name in DEFINITIONS)
    return "\n".join([ASKED.rstrip(), *rows])


def _numbers(claims: list[Claim], every: list[Claim]) -> Iterator[str]:
    """Each row as printed, and what is known of where it is from."""
    yield NUMBERS
    for claim in claims:
        repeats = dict.fromkeys(f"{r.method}: {r.source}" for r in list_repeats(claim, every))
        cells = (
            *(claim.method, claim.formula, claim.kind, claim.rational, claim.flexible),
            *(f"{claim.acc:.2f}", claim.note, "; ".join(repeats) or "-"),
        )
        yield f"| {' | '.join(map(_cell, cells))} |"


def _protocol(claims: list[Claim]) -> Iterator[str]:
    """What is stated of the training, what is not, and how far the rows stand apart."""
    known = claims[0].protocol.items()
    shared = [(k, v) for k, v in known if all(claim.protocol.get(k) == v for claim in claims)]
    stated = ", ".join(f"{key} {value}" for key, value in shared)
    unstated = ", ".join(list_unstated(claims[0].protocol))
    yield f"Known of all rows, in the words of suites: {stated}."
    yield f"Not stated: {unstated}, and how often a row was run."
    error = [100 * math.sqrt(c.acc / 100 * (1 - c.acc / 100) / IMAGES) for c in claims]
    best = max(claims, key=lambda c: c.acc)
    yield (
        f"The standard error of one accuracy on {IMAGES:,} images is {min(error):.2f} to "
        f"{max(error):.2f} points, if nothing else varies. {best.method} leads by"
    )
    others = sorted((c for c in claims if c is not best), key=lambda c: -c.acc)
    gaps = (f"{best.acc - c.acc:.2f} points over {c.method}" for c in others)
    yield f"{', '.join(gaps)}."


def _verdicts(claims: list[Claim]) -> Iterator[str]:
    """Each estimator under every reading, as computed, and what turns a verdict."""
    readings = DEFINITIONS[:-1]  # no network is trained here
    criteria = [Criterion(name, baseline) for name in readings for baseline in BASELINES]
    criteria.append(Criterion(form="truncated"))
    yield "Rational and flexible of the printed formulas, as computed; ≈: no by at most 1e-8.\n"
    yield f"| estimator | b | {' | '.join(readings)} |"
    yield f"|---|---|{'---|' * len(readings)}"
    turns: list[str] = []
    for claim in claims:
        plugin = ESTIMATORS.build(claim.label, {})
        assert isinstance(plugin, Surrogate)
        found = {criterion: judge_by(plugin, criterion) for criterion in criteria}
        for baseline in BASELINES:
            words = (_words(found[Criterion(name, baseline)]) for name in readings)
            yield f"| {claim.label} | {baseline} | {' | '.join(words)} |"
        turns += [f"- {claim.label}: {_cell(line)}" for line in list_turns(plugin, found)]
    yield "\nOne change of the definition turns these verdicts of p, identity, printed f:\n"
    yield from turns


def _words(found: Properties) -> str:
    return f"{'≈ ' * holds_nearly(found)}{found.rational}, {found.flexible}"


def _cell(text: str) -> str:
    """Text that no table is broken by."""
    for sign, written in (("|", "&#124;"), ("*", "&#42;"), ("_", "&#95;"), ("~", "&#126;")):
        text = text.replace(sign, written)
    return text
