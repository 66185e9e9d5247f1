"""Rational and flexible of each estimator of a suite: verdicts, witnesses, and proofs if asked."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from bench.leaderboard.board import MeasuredRow
from bench.leaderboard.trace import RowTrace
from bench.spec.cell import Ref, Role
from bench.spec.plan import Properties


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
class FormVerdicts:
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
class PropertyCard:
    """Estimators as configured, and the rows that train with them."""

    id: str
    title: str
    formulas: list[str]
    params: list[str]  # of each estimator
    readings: list[FormVerdicts]
    remarks: list[str]  # why there is no proof
    rows: list[str]


def property_cards(rows: Iterable[RowTrace], prove: Prove | None) -> dict[str, PropertyCard]:
    """The estimators of the rows, by `key`; rows that share them share a card."""
    groups: dict[str, list[RowTrace]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    groups.pop("", None)
    every = [row for rows in groups.values() for row in rows]
    proved = {name: prove(ref) for name, (_, ref) in estimators(every).items()} if prove else {}
    return {
        mine: _card(f"properties-{n}", rows, proved)
        for n, (mine, rows) in enumerate(groups.items(), start=1)
    }


def key(row: RowTrace) -> str:
    """What tells the estimators of a row from those of others; "" where nothing is binary."""
    return " ".join(dict.fromkeys(_told(ref) for ref in _refs(row).values()))


def estimators(rows: Iterable[RowTrace]) -> dict[str, tuple[str, Ref]]:
    """Every estimator as configured, by its words, with the first row that trains with it."""
    found: dict[str, tuple[str, Ref]] = {}
    for row in rows:
        for ref in _refs(row).values():
            found.setdefault(_told(ref), (row.row.name, ref))
    return found


def _refs(row: RowTrace) -> dict[Role, Ref]:
    both: dict[Role, Ref | None] = {"W": row.sample.weights, "A": row.sample.activations}
    return {role: ref for role, ref in both.items() if ref}


def _card(name: str, rows: list[RowTrace], proved: dict[str, Proofs]) -> PropertyCard:
    row = max(rows, key=lambda row: len(row.roles))  # one whose activations are binary, too
    refs = _refs(row)
    remarks = [proved[_told(ref)].remark for ref in refs.values() if _told(ref) in proved]
    board_rows = [one.row for one in rows]
    return PropertyCard(
        id=name,
        title=", ".join(dict.fromkeys(own.name for own in board_rows)),
        formulas=list(dict.fromkeys(info.formula for info in row.roles.values() if info.formula)),
        params=list(dict.fromkeys(_told(ref) for ref in refs.values())),
        readings=list(_readings(row, refs, proved)),
        remarks=list(dict.fromkeys(filter(None, remarks))),
        rows=[_called(own) for own in board_rows],
    )


def _called(row: MeasuredRow) -> str:
    tuned = ", tuned" if row.tuned else ""
    return f"{row.title}, {row.backbone}, W/A {row.wa}{tuned}"


def _readings(
    row: RowTrace, refs: dict[Role, Ref], proved: dict[str, Proofs]
) -> Iterator[FormVerdicts]:
    """Of the printed f, then of the one that trains; roles of which the same is said together."""
    for printed in (True, False):
        same: dict[str, tuple[FormVerdicts, list[Role]]] = {}
        for role, info in row.roles.items():
            found = info.printed if printed else info.trained
            if found is None or role not in refs:
                continue
            proofs = proved.get(_told(refs[role]), Proofs({}, "")).of
            own = proofs.get(None if printed else role, [])
            reading = FormVerdicts(f"{FORM[printed]} of {info.plugin}", found, own)
            same.setdefault(repr(reading), (reading, []))[1].append(role)
        for reading, roles in same.values():
            of = "" if len(roles) == len(row.roles) else f", {roles[0]}"
            yield FormVerdicts(reading.form + of, reading.found, reading.proofs)


def _told(ref: Ref) -> str:
    """A plugin and its parameters in words."""
    params = ", ".join(f"{name} {value}" for name, value in ref.params.items())
    return f"{ref.name}: {params}" if params else ref.name
