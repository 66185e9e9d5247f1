"""The slots of one run: where the cells that it has to train go."""

from collections.abc import Callable

from bench.execution.job import Slot
from bench.execution.request import PreparedRun
from bench.speed import calibration, packing
from bench.speed.measure import Measurer
from bench.speed.slots import SlotOptions
from bench.train.sharing import refuse_ranks


def choose_run_slots(
    where: SlotOptions, prepared: PreparedRun, report: Callable[[str], None]
) -> tuple[Slot, ...]:
    """
    Choose where the cells of a run train; what nobody measured yet is measured, if asked for.

    Args:
        report: told what is measured.

    Raises:
        EnvironmentProblem: a GPU is asked for that is not there.
        UsageError: so many processes cannot train one of the cells, or options do not fit.
    """
    request, cells = prepared.request, prepared.chosen
    if not request.rerun:
        cells = calibration.list_cells_left(prepared.plan, cells, prepared.states)
    refuse_ranks(cells, where.ranks)
    measurer = Measurer(request.root, request.data, request.compiled, request.workers, report)
    return packing.choose_slots(where, cells, measurer)
