"""What a row's training took: throughput, the time of a step beside STE's, memory, energy."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from statistics import geometric_mean

from bench.base.finite import LARGEST, mean
from bench.leaderboard import confounds
from bench.results.record import Record
from bench.spec.cell import Cell


@dataclass(frozen=True)
class Resources:
    """
    What training took, of the seeds that came to their end.

    Energy is that of a cell's whole chain: stages before it, and its teacher.
    """

    images_per_s: float | None = None
    peak_mib: float | None = None  # of the seed that took most
    energy_j: float | None = None  # of a cell's chain, in all processes that trained it
    step_ratio: float | None = None  # the time of a step, STE's being 1
    unlike: dict[str, int] = field(default_factory=dict[str, int])  # reason → seeds not compared


def measured_resources(
    ours: Iterable[Record], ste: Iterable[Record], costs: Mapping[str, "ChainCost"]
) -> Resources:
    """
    What `ours` took; the ratio is over the seeds that both have, if they were measured alike.

    Args:
        costs: of the chain of each of ours, by the cell's id.
    """
    ended = [record for record in ours if record.status == "ok"]
    theirs = by_seed(ste)
    pairs = [(r, theirs[seed]) for seed, r in by_seed(ended).items() if seed in theirs]
    speeds = [r.images_per_s for r in ended if r.images_per_s]
    spent = [costs[record.cell.id].energy_j for record in ended]
    joules = [energy for energy in spent if energy is not None]
    reasons = [unlike(*pair) for pair in pairs]
    alike = [pair for pair, why in zip(pairs, reasons, strict=True) if not why]
    ratios = [x for pair in alike if (x := _ratio(*pair)) is not None]
    return Resources(
        images_per_s=mean(speeds) if speeds else None,
        peak_mib=max((r.peak_mib for r in ended if r.peak_mib), default=None),
        energy_j=mean(joules) if joules else None,
        step_ratio=geometric_mean(ratios) if ratios else None,
        unlike=dict(Counter(why for why in reasons if why)),
    )


def by_seed(records: Iterable[Record]) -> dict[int, Record]:
    """Those that have a throughput."""
    return {r.cell.seed: r for r in records if r.status == "ok" and r.images_per_s}


def step_ratio(ours: Record, ste: Record) -> float | None:
    """How long a step of ours takes if STE's takes 1; None unless both were measured alike."""
    return None if unlike(ours, ste) else _ratio(ours, ste)


def _ratio(ours: Record, ste: Record) -> float | None:
    if not ours.images_per_s or not ste.images_per_s:
        return None
    ratio = ste.images_per_s / ours.images_per_s
    return ratio if 0 < ratio < LARGEST / 2 else None


def unlike(ours: Record, ste: Record) -> str:
    """On what else their throughput depends: `threads 2, STE's 1`."""
    return "; ".join(f"{name} {a}, STE's {b}" for name, a, b in confounds.of_speed(ours, ste))


@dataclass(frozen=True)
class ChainCost:
    """What a cell and all that it rests on took; None where one has no record, or did not count."""

    epochs: int  # of every stage, and of the teacher
    wall_s: float | None  # of every process
    energy_j: float | None


def chain_cost(cell: Cell, records: Mapping[str, Record]) -> ChainCost:
    """Sum what each training of a cell's chain took; `records` are by the cell's id."""
    found = [records.get(each.id) for each in (*cell.ancestry(), cell)]
    times = [None if record is None else wall_s(record) for record in found]
    joules = [None if record is None else energy_j(record) for record in found]
    return ChainCost(chain_epochs(cell), _sum(times), _sum(joules))


def chain_epochs(cell: Cell) -> int:
    """Epochs of a cell and of all that it rests on: its stages, its teacher."""
    return sum(each.recipe.epochs for each in (*cell.ancestry(), cell))


def wall_s(record: Record) -> float:
    """Of every process that worked on it."""
    return sum(origin.wall_s for origin in (*record.earlier, record.provenance))


def _sum(parts: Iterable[float | None]) -> float | None:
    """The sum; None if one is missing."""
    known = [*parts]
    return None if None in known else min(sum(x for x in known if x is not None), LARGEST)


def energy_j(record: Record) -> float | None:
    """Of every process that worked on it; None if one did not count."""
    parts = [origin.energy_j for origin in (*record.earlier, record.provenance)]
    known = [part for part in parts if part is not None]
    return min(sum(known), LARGEST) if len(known) == len(parts) else None
