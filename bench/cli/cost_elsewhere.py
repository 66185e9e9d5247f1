"""What `bench plan --on` needs: the cost of a suite on the machines of a profile."""

import re
from contextlib import closing
from dataclasses import dataclass
from functools import partial

from bench.base.console import print_text
from bench.base.duration import clock, read_seconds
from bench.base.text import count
from bench.cli import cost_text
from bench.cli.asked_form import AskedForm, write_form
from bench.cli.options import CellOptions, prepare_torch
from bench.cli.streams import err, out
from bench.data.source import data_folder
from bench.errors import BenchError, UsageError
from bench.fleet import measurement
from bench.fleet.cost import Cost, Kept, estimate, hours_in_words
from bench.fleet.engines import open_engine
from bench.fleet.job_options import JobOptions
from bench.fleet.profile import Profile
from bench.fleet.trial.trial import shorten
from bench.spec.cell import Cell
from bench.speed.budget import list_offers
from bench.speed.forecast import ForecastRequest
from bench.speed.throughput import graph_key, group_by_graph
from bench.train.sharing import refuse_ranks

JOB_S = 3600.0  # that a job of --calibrate may take
HOURS = re.compile(r"(\d+(?:\.\d+)?)\s*(gpu|core)h")


@dataclass(frozen=True)
class Limit:
    """What a suite may cost: hours of GPUs or cores, or seconds until its end."""

    asked: str
    amount: float
    unit: str  # GPU, core, or empty: a time

    def spent(self, cost: Cost) -> float:
        return cost.hours if self.unit else cost.left_s

    def words(self, amount: float) -> str:
        return hours_in_words(amount, self.unit) if self.unit else clock(amount)


class CostElsewhere:
    """
    The cost of one suite on the machines of one profile.

    Args:
        options: of the command.
    """

    def __init__(self, options: CellOptions, profile: Profile) -> None:
        prepare_torch()
        self.options, self.profile = options, profile
        self.root = options.results.absolute()
        self.asked = ForecastRequest(
            options.suite, tuple(options.overrides or ()), options.results, options.data,
            options.filter, tuple(options.words()),
        )  # fmt: skip
        where = options.where()
        self.job_options = JobOptions(where.device, where.per_gpu, where.jobs, where.threads)
        at_once = self.job_options.at_once(profile)
        self.kept = Kept(self.root, profile, at_once, where.threads, options.compile_)

    def calibrate(self, wait_s: float) -> dict[str, str]:
        """
        Have one short job measure the graphs that nobody has measured; returns why some are not.

        Raises:
            EnvironmentProblem: the engine is not there or refuses, or the job measured nothing.
            UsageError: so many processes cannot train a cell.
        """
        profile, options = self.profile, self.options
        _, cells = self.asked.left()
        known, _ = self.kept.throughputs(cells)
        missing = [first for key, (first, *_) in group_by_graph(cells).items() if key not in known]
        if not missing:
            return {}
        refuse_ranks(missing, profile.ranks)
        data = profile.data or (options.data or data_folder()).absolute()
        how = self.job_options.slots(profile) | {
            "threads": self.job_options.threads,
            "ranks": profile.ranks,
            "nodes": profile.nodes_per_cell,
            "compiled": options.compile_,
            "workers": options.workers,
        }
        short = shorten(profile, JOB_S)
        with closing(open_engine(short, self.root)) as engine:
            measured = measurement.calibrate(
                engine, short, self.root, data, missing, wait_s, partial(print_text, err), how
            )
        keys = {cell.id: graph_key(cell) for cell in missing}
        return {keys[i]: problem for i, problem in measured.problems.items()}

    def estimate(self, *override: str) -> Cost:
        """
        What is left of the suite costs, from what is known.

        Raises:
            SuiteError: it is none with this override.
        """
        plan, cells = self.asked.left(*override)
        return estimate(plan, cells, self.kept, self.job_options)

    def confirm(self, cost: Cost, limit: Limit) -> None:
        """
        Refuse a cost that is beyond a limit, and say what would suffice.

        Raises:
            BenchError: it is, or nobody knows.
        """
        if cost.unmeasured:
            graphs = count(len(cost.unmeasured), "graph")
            message = (
                f"--budget {limit.asked}: {graphs} not measured on `{self.profile.name}`; "
                "--calibrate measures them"
            )
            raise BenchError(message)
        needed = limit.spent(cost)
        if needed <= limit.amount:
            return
        fits = len(_fitting(cost, limit))
        cells = sum(len(job.cells) for job in cost.jobs)
        lines = [
            f"--budget {limit.asked} does not suffice: {limit.words(needed)} needed, "
            f"{fits} of {count(cells, 'cell')} fit"
        ]
        lines += [
            f"it would with {offer.override}: {limit.words(offer.left_s)}"
            for offer in list_offers(lambda o: limit.spent(self.estimate(o)), limit.amount)
        ]
        raise BenchError("\n".join(lines))


def show_cost(
    options: CellOptions,
    profile: Profile,
    budget: str | None,
    wait_s: float | None,
    form: AskedForm,
) -> None:
    """
    Print what a suite costs on the machines of a profile.

    Args:
        budget: as `--budget` has it.
        wait_s: the longest that a job which measures may wait; None: nothing is measured.

    Raises:
        BenchError: it is beyond the budget, or nobody knows; and as `CostElsewhere`.
    """
    limit = None if budget is None else _limit(budget, profile)
    elsewhere = CostElsewhere(options, profile)
    problems = {} if wait_s is None else elsewhere.calibrate(wait_s)
    cost = elsewhere.estimate()
    if form != "rich":
        fields = cost_text.document(cost, problems)
        write_form(form, fields, fields["graphs"])
    else:
        cost_text.print_cost(cost, problems, out)
    if limit:
        elsewhere.confirm(cost, limit)


def _limit(text: str, profile: Profile) -> Limit:
    """
    Read a budget: 100gpuh, 50coreh, or a time.

    Raises:
        UsageError: it is none, or of what the profile does not ask for.
    """
    match = HOURS.fullmatch(text.strip().lower())
    if match is None:
        return Limit(text, read_seconds("--budget", text), "")
    unit = "GPU" if match[2] == "gpu" else "core"
    has = "GPU" if profile.gpus_per_cell else "core"
    if unit != has:
        message = (
            f"--budget `{text}`: cells of `{profile.name}` take {has}s, as in 100{has.lower()}h"
        )
        raise UsageError(message)
    return Limit(text, float(match[1]), unit)


def _fitting(cost: Cost, limit: Limit) -> list[Cell]:
    """The cells of the first jobs that fit, or that end in time."""
    if not limit.unit:
        cells = [cell for job in cost.jobs for cell in job.cells]
        return [cell for cell in cells if cost.ends.get(cell.id, limit.amount + 1) <= limit.amount]
    fitting: list[Cell] = []
    spent = 0.0
    for job in cost.jobs:
        spent += cost.hours_of(job)
        if spent > limit.amount:
            break
        fitting += job.cells
    return fitting
