"""
Published numbers: what a paper claims for one row, and under which protocol.

A ledger is a YAML file of claims, `suites/published/` has those of the reference work. A suite
names ledgers, or writes a few numbers itself.
"""

from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, TypeAlias

from pydantic import FiniteFloat, ValidationError

from bench.cell import Cell, Frozen
from bench.document import Problem, items, mapping, read, suggest
from bench.errors import SuiteError

Metric: TypeAlias = Literal["best", "last", "unstated"]


class Protocol(Frozen):
    """What is known of how a number came about; None: not stated."""

    data: str | None = None
    epochs: int | None = None
    batch_size: int | None = None
    optimizer: str | None = None
    lr: float | None = None
    momentum: float | None = None
    weight_decay: float | None = None
    warmup: int | None = None
    lr_rule: str | None = None
    backbone: str | None = None  # a plugin's name, and some of its parameters:
    width: int | None = None
    bireal: bool | None = None
    order: str | None = None

    def against(self, cell: Cell) -> list[str]:
        """Where a cell was trained otherwise: `epochs 30, published 1000`."""
        ours = _facts(cell)
        return [
            f"{key} {_text(ours[key])}, published {_text(value)}"
            for key, value in self.model_dump(exclude_none=True).items()
            if ours.get(key, value) != value
        ]

    @property
    def unstated(self) -> list[str]:
        """Of what moves accuracy most, what is not known."""
        return [
            k.replace("_size", "") for k in ("epochs", "batch_size") if getattr(self, k) is None
        ]


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
    protocol: Protocol = Protocol()
    protocol_source: str = ""
    source: str
    block: str = ""  # the table's label of the net, as it can be read
    aux: str = ""  # what the method adds beside its estimator: loss, module
    note: str = ""  # a correction, or a caution
    rational: Literal["yes", "no", ""] = ""
    flexible: Literal["yes", "little", "no", ""] = ""
    kind: str = ""  # margin: a difference in points that the text names, no accuracy
    formula: str = ""


def ledger(name: str, beside: Path) -> list[Claim]:
    """
    The claims of the ledger `published/name.yaml` in the folder `beside`, else of the shipped one.

    Raises:
        SuiteError: no such ledger, or it is not one, every problem with its line.
    """
    home = Path(str(files("suites"))) / "published"
    paths = [folder / f"{name}.yaml" for folder in (beside / "published", home)]
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        message = f"no ledger `{name}`{suggest(name, sorted(p.stem for p in home.glob('*.yaml')))}"
        raise SuiteError(message)
    document = read(path)
    head = mapping(document.data) or {}
    shared = {k: head[k] for k in ("source", "metric") if k in head}
    found: list[Claim] = []
    wrong: list[Problem] = []
    for index, raw in enumerate(items(head.get("claims"))):
        own = mapping(raw) or {}
        above, below = own.get("protocol", {}), mapping(head.get("protocol")) or {}
        protocol = below | above if mapping(above) is not None else above
        try:
            found.append(Claim.model_validate({**shared, **own, "protocol": protocol}))
        except ValidationError as error:
            wrong += [
                Problem(("claims", index, *detail["loc"]), detail["msg"])
                for detail in error.errors(include_url=False)
            ]
    if wrong or not found:
        raise SuiteError(document.report(wrong or [Problem(("claims",), "names no claim")]))
    return found


def _facts(cell: Cell) -> dict[str, Any]:
    """A cell's side of a protocol."""
    params = {k: v for k, v in cell.data.params.items() if k in CUTS and v is not None}
    cuts = ", ".join(f"{k} {v}" for k, v in params.items())
    data = f"{cell.data.name} ({cuts})" if cuts else cell.data.name
    facts = {**cell.recipe.model_dump(), **cell.backbone.params}
    return facts | {"data": data, "backbone": cell.backbone.name}


CUTS = {"train", "test", "resize", "held_out"}  # what makes another task of a data set


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
