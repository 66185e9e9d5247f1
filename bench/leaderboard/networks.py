"""What the networks of a row are, as their records counted it, and what they have beyond STE's."""

import math
from collections.abc import Mapping, Sequence

from bench.base.finite import mean
from bench.leaderboard.board import NetworkFacts
from bench.leaderboard.resources import ChainCost, chain_epochs
from bench.results.record import Extras, Levels, Record
from bench.spec.cell import REAL_BITS, Cell, Role, bits_by_role

CALLED: dict[Role, str] = {"W": "weights", "A": "inputs"}


def network_facts(
    cells: Sequence[Cell], records: Mapping[str, Record], costs: Mapping[str, ChainCost]
) -> NetworkFacts:
    """
    Sum up what the records of a row say of their networks.

    Args:
        cells: the row's.
        records: by the cell's id.
        costs: of the chain of each cell that has a record, by its id.
    """
    ended = [r for c in cells if (r := records.get(c.id)) and r.status == "ok" and r.levels]
    chained = any(cell.parents for cell in cells)
    times = [costs[cell.id].wall_s for cell in cells if cell.id in records]
    known = [time for time in times if time is not None]
    unlike = next((why for record in ended if (why := _unlike(record))), "")
    levels = _most([record.levels for record in ended if record.levels])
    return NetworkFacts(
        bits=_bits(cells[0].wa, levels, unlike) if levels else "",
        binary=_binary(ended, unlike),
        unlike=unlike,
        levels=levels,
        extras=_extras([record.extras for record in ended if record.extras]),
        epochs=max(map(chain_epochs, cells)),
        chain_s=mean(known) if known and len(known) == len(times) else None,
        chained=chained,
    )


def _unlike(record: Record) -> str:
    """Why a network is not as binary as it says after its last epoch."""
    last = record.epochs - 1
    return record.levels.unlike.get(last, "") if record.levels else ""


def _binary(records: Sequence[Record], unlike: str) -> str:
    """Whether networks are as binary as they say in evaluation; nothing if nobody counted."""
    if not records:
        return ""
    if unlike:
        return f"no, because {unlike}"
    found = [(len(r.levels.unlike), r.epochs) for r in records if r.levels]
    wrong, epochs = max(found)
    return f"yes, but not in {wrong} of {epochs} epochs" if wrong else "yes"


def _bits(wa: str, levels: Levels, unlike: str) -> str:
    """Bits by the values that were counted."""
    words: list[str] = []
    claimed = bits_by_role(wa)
    counts: dict[Role, int | None] = {"W": levels.weights, "A": levels.inputs}
    for role, count in counts.items():
        bits = claimed.get(role, REAL_BITS)
        if count is None:
            words.append(str(REAL_BITS))
        elif count > max(2**bits, 3):
            words.append(f">{bits}")  # nobody counted further
        elif count == 3 and bits == 1 and not unlike.startswith(CALLED[role]):
            words.append("1")  # -s, s and sign(0)
        else:
            words.append(str(math.ceil(math.log2(max(count, 2)))))
    several = f" x{levels.products}" if levels.products > 1 else ""
    return "/".join(words) + several


def _most(found: Sequence[Levels]) -> Levels | None:
    """The most that any seed has."""
    if not found:
        return None
    return Levels(
        weights=max((x.weights for x in found if x.weights is not None), default=None),
        inputs=max((x.inputs for x in found if x.inputs is not None), default=None),
        weight_zeros=max(x.weight_zeros for x in found),
        input_zeros=max(x.input_zeros for x in found),
        products=max(x.products for x in found),
        images=min(x.images for x in found),
        unlike={},
    )


def _extras(found: Sequence[Extras]) -> Extras | None:
    """What a network has beyond STE's; of seeds that differ, as a rank does, the most."""
    return max(found, key=lambda x: tuple(vars(x).values()), default=None)
