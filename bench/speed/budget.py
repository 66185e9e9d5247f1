"""What of a suite fits into some time, and by which overrides all of it would."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bench.errors import SuiteError
from bench.results.cell_state import CellStates
from bench.spec.cell import Cell
from bench.spec.plan import Plan
from bench.speed.calibration import Calibration
from bench.speed.makespan import find_largest

MOST_EPOCHS, MOST_SEEDS = 10_000, 20  # that are offered


@dataclass(frozen=True)
class RowSeeds:
    """How many of a row's seeds are measured now, and how many after the budget."""

    row: str
    now: int
    then: int
    of: int


@dataclass(frozen=True)
class Offer:
    """An override by which all of the suite fits, and how long it then takes, or what it costs."""

    override: str
    left_s: float


@dataclass(frozen=True)
class Budget:
    """Cells in the order in which `bench run` takes them; those without a throughput come later."""

    seconds: float
    fits: list[Cell]
    later: list[Cell]
    seeds: list[RowSeeds]
    offers: list[Offer]


def fit_budget(
    plan: Plan, calibration: Calibration, root: Path, seconds: float, left_s: Callable[[str], float]
) -> Budget:
    """
    What of the cells that are left fits into so many seconds.

    Args:
        left_s: how long the suite takes with one more override; SuiteError: it is none then.
    """
    cells = [cell for line in calibration.lines for cell in line.cells]
    order = {cell_id: i for i, cell_id in enumerate(calibration.ends)}
    cells.sort(key=lambda cell: order.get(cell.id, len(order)))
    fits = [cell for cell in cells if calibration.ends.get(cell.id, seconds + 1) <= seconds]
    ids = {cell.id for cell in fits}
    return Budget(
        seconds=seconds,
        fits=fits,
        later=[cell for cell in cells if cell.id not in ids],
        seeds=[*_seeds(plan, root, {cell.id for cell in cells}, ids)],
        offers=[*list_offers(left_s, seconds)],
    )


def _seeds(plan: Plan, root: Path, left: set[str], fits: set[str]) -> Iterator[RowSeeds]:
    """Of each row that has any, now or to come."""
    standings = CellStates(root, plan.cells).by_id
    for row in plan.rows:
        ids = {cell.id for cell in row.cells}
        now = {i for i in ids if standings[i].state == "recorded"}
        if now or ids & left:
            yield RowSeeds(row.full_name, len(now), len(now | ids & fits), len(ids))


def list_offers(left_s: Callable[[str], float], seconds: float) -> Iterator[Offer]:
    """Yield the most epochs, and the most seeds, with which all of the suite fits."""
    for override, most in ((_by_epochs, MOST_EPOCHS), (_by_seeds, MOST_SEEDS)):

        def fits(n: int, override: Callable[[int], str] = override) -> bool:
            try:
                return left_s(override(n)) <= seconds
            except SuiteError:  # fewer epochs than its warm-up, for one
                return True

        n = find_largest(fits, most)
        with suppress(SuiteError):
            if n:
                yield Offer(override(n), left_s(override(n)))


def _by_epochs(n: int) -> str:
    return f"train.epochs={n}"


def _by_seeds(n: int) -> str:
    return f"seeds=0..{n - 1}" if n > 1 else "seeds=0"
