"""
Published numbers: what a paper claims for one row, and under which protocol.

A ledger is a YAML file of claims, `suites/published/` has those of the reference work. A suite
names ledgers, or writes a few numbers itself.
"""

import json
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal, TypeAlias

from pydantic import FiniteFloat, ValidationError

from bench.base.files import is_file
from bench.base.plain_data import as_list, as_mapping
from bench.base.python_files import shipped
from bench.base.text import suggest
from bench.base.validation import Frozen
from bench.base.yaml_document import Problem, read
from bench.errors import SuiteError
from bench.spec.cell import Cell

Metric: TypeAlias = Literal["best", "last", "unstated"]


Value: TypeAlias = bool | int | float | str | list[float] | list[str]
Protocol: TypeAlias = dict[str, Value]  # what is known of how a number came about, by name


class Claim(Frozen):
    """One published number, in percent, and the row that it belongs beside."""

    label: str  # the row's; none: full precision
    backbone: str | None = None  # the row's label of it; None: any
    wa: str  # as printed: 1/1, also 2/32
    schedule: str = "default"
    method: str  # as printed
    acc: FiniteFloat
    top5: FiniteFloat | None = None
    metric: Metric = "best"
    protocol: Protocol = {}
    protocol_source: str = ""
    source: str
    block: str = ""  # the table's label of the net, as it can be read
    aux: str = ""  # what the method adds beside its estimator: loss, module
    note: str = ""  # a correction, or a caution
    caution: str = ""  # what must be known of the whole table that it stands in
    rational: Literal["yes", "no", ""] = ""
    flexible: Literal["yes", "little", "no", ""] = ""
    kind: str = ""  # margin: a difference in points that the text names, no accuracy
    formula: str = ""


def list_differences(protocol: Protocol, cell: Cell) -> list[str]:
    """List where a cell was trained otherwise: `epochs 30, published 1000`."""
    ours = _protocol_of(cell)
    return [
        f"{key} {_text(ours.get(key, 'unknown'))}, published {_text(value)}"
        for key, value in protocol.items()
        if ours.get(key) != value
    ]


def list_unstated(protocol: Protocol) -> list[str]:
    """List what is not known of the settings that move accuracy most."""
    return [key.removesuffix("_size") for key in ("epochs", "batch_size") if key not in protocol]


def read_ledger(name: str, beside: Path) -> list[Claim]:
    """
    Read the ledger `published/name.yaml` in the folder `beside`, else the shipped one.

    A claim takes what it does not say from the entries of `common` that name its label or
    backbone, and then from the file; protocols merge.

    Raises:
        SuiteError: no such ledger, or it is not one, every problem with its line.
    """
    home = shipped("suites") / "published"
    path = next(
        (p for folder in (beside / "published", home) if (p := find_ledger(name, folder))), None
    )
    if path is None:
        message = f"no ledger `{name}`{suggest(name, sorted(p.stem for p in home.glob('*.yaml')))}"
        raise SuiteError(message)
    document = read(path)
    head = as_mapping(document.data) or {}
    shared = {k: v for k, v in head.items() if k not in {"claims", "common"}}
    claims: list[Claim] = []
    wrong: list[Problem] = []
    for index, raw in enumerate(as_list(head.get("claims"))):
        claim = as_mapping(raw) or {}
        rules = [_without_selectors(r) for r in as_list(head.get("common")) if _speaks_of(r, claim)]
        layers = [shared, *rules, claim]
        try:
            claims.append(Claim.model_validate(_layered(layers)))
        except ValidationError as error:
            wrong += [
                Problem(("claims", index, *detail["loc"]), detail["msg"])
                for detail in error.errors(include_url=False)
            ]
    if wrong or not claims:
        raise SuiteError(document.report(wrong or [Problem(("claims",), "names no claim")]))
    return claims


def find_ledger(name: str, folder: Path) -> Path | None:
    """Return the ledger's file in `folder`, if it is there."""
    path = folder / f"{name}.yaml"
    return path if is_file(path) else None


def list_cautions(claims: Iterable[Claim]) -> list[str]:
    """List what must be known of the tables that claims stand in, each once, with its sources."""
    sources: dict[str, dict[str, None]] = {}
    for claim in claims:
        if claim.caution:
            sources.setdefault(claim.caution, {})[claim.source] = None
    return [f"{'; '.join(of)}: {caution}" for caution, of in sources.items()]


def list_repeats(claim: Claim, claims: Iterable[Claim]) -> list[Claim]:
    """List where other sources print the same number for that network and W/A."""
    same = claim.acc, claim.backbone, claim.wa
    return [
        other
        for other in claims
        if other.source != claim.source
        and other.kind != "margin"
        and (other.acc, other.backbone, other.wa) == same
    ]


def read_shipped() -> list[Claim]:
    """Read all ledgers that ship."""
    files = sorted((shipped("suites") / "published").glob("*.yaml"))
    return [claim for path in files for claim in read_ledger(path.stem, path.parent.parent)]


def describe(claims: list[Claim]) -> Iterator[str]:
    """Write `bench show ledger`: cautions, then each claim with its protocol, note and repeats."""
    yield from (f"caution: {caution}" for caution in list_cautions(claims))
    every = read_shipped()
    for claim in claims:
        top5 = "" if claim.top5 is None else f" / {claim.top5:.2f}"
        row = f"{claim.label} x {claim.backbone or 'any'} x {claim.wa} x {claim.schedule}"
        yield f"{claim.acc:7.2f}{top5}  {claim.method}: {row} ({claim.metric}, {claim.source})"
        if claim.protocol:
            words = ", ".join(f"{k} {_text(v)}" for k, v in claim.protocol.items())
            yield f"{'':9}{words}"
        if claim.note:
            yield f"{'':9}note: {claim.note}"
        repeats = dict.fromkeys(f"{r.method}, {r.source}" for r in list_repeats(claim, every))
        if repeats:
            yield f"{'':9}the same number: {'; '.join(repeats)}"


def _speaks_of(rule: Any, claim: dict[str, Any]) -> bool:
    """Does an entry of `common` speak of this claim?"""
    keys = [k for k in ("label", "backbone") if k in (as_mapping(rule) or {})]
    named = bool(keys) and all(k in claim for k in keys)
    return named and all(fnmatchcase(str(claim[k]), str(rule[k])) for k in keys)


def _without_selectors(rule: dict[str, Any]) -> dict[str, Any]:
    """Return what an entry of `common` says, without whom it says it of."""
    return {k: v for k, v in rule.items() if k not in {"label", "backbone"}}


def _layered(layers: list[dict[str, Any]]) -> dict[str, Any]:
    """Make one claim of several layers, of which a later one goes first; protocols merge."""
    claim: dict[str, Any] = {}
    for layer in layers:
        earlier, later = claim.get("protocol", {}), layer.get("protocol", {})
        both = as_mapping(later) is not None and as_mapping(earlier) is not None
        claim = claim | layer | {"protocol": earlier | later if both else later}
    return claim


def _protocol_of(cell: Cell) -> dict[str, Any]:
    """Return how a cell trains, by the names that suites and protocols use."""
    usual = WHOLE.get(cell.data.name, {})
    cuts = {
        k: v
        for k, v in cell.data.params.items()
        if v is not None and (k in CUTS or (k in usual and v != usual[k]))
    }
    words = ", ".join(f"{k} {v}" for k, v in cuts.items())
    facts = {k: v for k, v in cell.data.params.items() if k not in CUTS}
    facts |= {**dict(cell.recipe), **dict(cell.binarization), **cell.backbone.params}
    facts = {k: json.loads(json.dumps(v)) for k, v in facts.items()}  # lists, as ledgers have them
    facts |= {"data": f"{cell.data.name} ({words})" if words else cell.data.name}
    return facts | {"backbone": cell.backbone.name} | _estimator(cell)


def _estimator(cell: Cell) -> dict[str, Any]:
    """Return name and parameters of the estimator; of both roles, where they differ."""
    refs = {"W": cell.weights, "A": cell.activations}
    roles = {r: {"estimator": ref.name, **ref.params} for r, ref in refs.items() if ref}
    facts: dict[str, Any] = {}
    for key in dict.fromkeys(k for params in roles.values() for k in params):
        values = {r: params.get(key) for r, params in roles.items()}
        same = len({repr(v) for v in values.values()}) == 1
        words = ", ".join(f"{r} {_text(v)}" for r, v in values.items())
        facts[key] = next(iter(values.values())) if same else words
    return facts


CUTS = {"train", "test", "resize", "held_out", "name"}  # what makes another task of a data set
WHOLE: dict[str, dict[str, Any]] = {"imagenet": {"classes": 1000, "image": 224}}  # anything else


def _text(value: Any) -> str:
    """Write a value of a protocol."""
    return f"{value:g}" if isinstance(value, float) else str(value)
