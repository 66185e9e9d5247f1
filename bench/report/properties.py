"""Rational and flexible of each estimator of a suite: verdicts, witnesses, and proofs if asked."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from bench.cell import Ref, Role
from bench.plan import Properties
from bench.trace import RowTrail


@dataclass(frozen=True)
class Proof:
    """A claim that was proved, or why it was not."""

    proved: bool
    text: str


@dataclass(frozen=True)
class Proofs:
    """By the form of f: the printed one (None), or the one that trains in a role."""

    of: dict[Role | None, list[Proof]]
    remark: str  # why there are none


Prove: TypeAlias = Callable[[Ref], Proofs]
FLEXIBLE = {"yes": "flexible", "little": "little flexible", "not": "not flexible"}
FORM = {True: "the printed formula", False: "f as it trains"}


@dataclass(frozen=True)
class Reading:
    """The verdicts on one form of f."""

    form: str
    found: Properties
    proofs: list[Proof]

    @property
    def verdict(self) -> str:
        """In words."""
        rational = "rational" if self.found.rational == "yes" else "not rational"
        return f"{rational}, {FLEXIBLE[self.found.flexible]}"

    @property
    def witnesses(self) -> list[str]:
        """Where it fails."""
        both = self.found.rational_witness, self.found.flexible_witness
        heads = "not rational", FLEXIBLE[self.found.flexible]
        return [f"{head}: {w.text}" for head, w in zip(heads, both, strict=True) if w]


@dataclass(frozen=True)
class Exhibit:
    """The estimators of one row, as configured, and all rows that train with them."""

    id: str
    title: str
    formulas: list[str]
    params: dict[str, str]  # by estimator
    readings: list[Reading]
    remarks: list[str]  # why there is no proof
    rows: list[str] = field(default_factory=list[str])


def exhibits(rows: Iterable[RowTrail], prove: Prove | None) -> dict[str, Exhibit]:
    """The estimators of each row, by `key`; rows that share them share an exhibit."""
    proved: dict[str, Proofs] = {}
    found: dict[str, Exhibit] = {}
    for row in rows:
        if not (mine := key(row)):
            continue
        for ref in _refs(row).values():
            if prove and ref.model_dump_json() not in proved:
                proved[ref.model_dump_json()] = prove(ref)
        if mine not in found:
            found[mine] = _exhibit(f"properties-{len(found) + 1}", row, proved)
        where = f"{row.line.name}, {row.line.backbone}, W/A {row.line.wa}"
        found[mine].rows.append(where + f", tuned: {row.line.chosen}" * bool(row.line.chosen))
    return found


def key(row: RowTrail) -> str:
    """What tells the estimators of a row from those of others; "" where nothing is binary."""
    return " ".join(f"{role} {ref.model_dump_json()}" for role, ref in _refs(row).items())


def _refs(row: RowTrail) -> dict[Role, Ref]:
    both: dict[Role, Ref | None] = {"W": row.sample.weights, "A": row.sample.activations}
    return {role: ref for role, ref in both.items() if ref}


def _exhibit(name: str, row: RowTrail, proved: dict[str, Proofs]) -> Exhibit:
    refs = _refs(row)
    remarks = (proved[x].remark for ref in refs.values() if (x := ref.model_dump_json()) in proved)
    return Exhibit(
        id=name,
        title=" and ".join(dict.fromkeys(ref.name for ref in refs.values())),
        formulas=list(dict.fromkeys(info.formula for info in row.roles.values() if info.formula)),
        params={ref.name: _told(ref.params) for ref in refs.values()},
        readings=list(_readings(row, refs, proved)),
        remarks=list(dict.fromkeys(filter(None, remarks))),
    )


def _readings(row: RowTrail, refs: dict[Role, Ref], proved: dict[str, Proofs]) -> Iterator[Reading]:
    """Of the printed f, then of the one that trains; roles of which the same is said together."""
    for printed in (True, False):
        same: dict[str, tuple[Reading, list[Role]]] = {}
        for role, info in row.roles.items():
            found = info.printed if printed else info.trained
            if found is None or role not in refs:
                continue
            proofs = proved.get(refs[role].model_dump_json(), Proofs({}, "")).of
            own = proofs.get(None if printed else role, [])
            reading = Reading(f"{FORM[printed]} of {info.plugin}", found, own)
            same.setdefault(repr(reading), (reading, []))[1].append(role)
        for reading, roles in same.values():
            of = "" if len(roles) == len(row.roles) else f", {roles[0]}"
            yield Reading(reading.form + of, reading.found, reading.proofs)


def _told(params: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in params.items())
