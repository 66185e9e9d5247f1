"""What `bench run --on` needs: the profile, its engine, and who follows the jobs."""

import sys
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Literal

from rich.console import Console

from bench.base.console import print_text
from bench.cli.streams import err
from bench.errors import UsageError

if TYPE_CHECKING:  # imported when they are used: a run here starts without them
    from bench.execution.request import PreparedRun
    from bench.fleet.follow import Follower
    from bench.fleet.job_options import JobOptions
    from bench.fleet.profile import Profile
    from bench.speed.slots import SlotOptions

WhenStopped = Literal["ask", "detach", "cancel"]


@dataclass(frozen=True)
class Elsewhere:
    """
    A run whose cells train in jobs of an engine.

    Args:
        where: where cells run, by the options of the command; a profile says the rest.
    """

    profile: "Profile"
    prepared: "PreparedRun"
    where: "SlotOptions"

    @property
    def root(self) -> Path:
        return self.prepared.request.root.absolute()

    def executor(
        self, shown: Console, when_stopped: WhenStopped | None, *, detach: bool, trusting: bool
    ) -> "Follower":
        """
        Open the engine, for who sees the cells ended; as a context it closes it.

        Args:
            trusting: jobs that other users submitted are followed, too.

        Raises:
            EnvironmentProblem: the engine is not here, or not installed.
            UsageError: `detach` where jobs end with this process.
        """
        from bench.execution.display import redraws
        from bench.fleet.engines import Engines
        from bench.fleet.follow import Follower

        engines = Engines(self.root)
        attached = engines.open(self.profile).attached
        if attached and detach:
            message = (
                f"--detach: jobs of {self.profile.engine} end with this command; leave it running, "
                "in a session of its own"
            )
            raise UsageError(message)
        asking = sys.stdin.isatty() and sys.stderr.isatty()
        notes = shown if redraws(shown) else err  # a table is torn by what others print
        return Follower(
            self.profile,
            engines,
            self._options(),
            detach=detach,
            trusting=trusting,
            attached=attached,
            leaving=when_stopped or ("ask" if asking else "detach"),
            report=partial(print_text, notes),
        )

    def script(self) -> str:
        """
        What the engine would be given first, as people read it; nothing is submitted.

        Raises:
            EnvironmentProblem: the engine is not here, or not installed.
        """
        from bench.execution.session import first_cells
        from bench.fleet.batch import save_batch
        from bench.fleet.claiming import Claimant
        from bench.fleet.engines import Engines

        prepared = self.prepared
        cells = first_cells(prepared)
        if not cells:
            return "nothing to run\n"
        settings = prepared.request.settings(())
        again = bool(prepared.request.rerun)
        claimant = Claimant(prepared.plan, settings, self.profile, self._options(), again)
        engines = Engines(self.root)
        with closing(engines), TemporaryDirectory() as folder:
            paths = [save_batch(batch, Path(folder)) for batch in claimant.batches(cells)]
            return engines.open(self.profile).script(paths, {})

    def _options(self) -> "JobOptions":
        from bench.fleet.job_options import JobOptions

        where, request = self.where, self.prepared.request
        options = JobOptions(where.device, where.per_gpu, where.jobs, where.threads)
        if not (self.root / "paces").is_dir():
            return options
        from bench.fleet.cost import Kept  # which imports torch

        at_once = options.at_once(self.profile)
        kept = Kept(self.root, self.profile, at_once, where.threads, request.compiled)
        return replace(options, measure=kept.measure)


def load_elsewhere(
    on: str, prepared: "PreparedRun", where: "SlotOptions"
) -> "tuple[Elsewhere | None, SlotOptions]":
    """
    The run by the profile that `--on` names; None where its engine is this machine itself.

    Returns also where cells run, if they run here.

    Raises:
        UsageError, SuiteError: as `machines_file.load`; so many processes cannot train a cell.
    """
    from bench.fleet import machines_file

    profile = machines_file.load(on, Path(prepared.plan.source))
    if profile.engine == "local":
        return None, slots_here(profile, where)
    if profile.ranks > 1:
        from bench.train.sharing import refuse_ranks  # which imports torch

        refuse_ranks(prepared.chosen, profile.ranks)
    return Elsewhere(profile, prepared, where), where


def slots_here(profile: "Profile", where: "SlotOptions") -> "SlotOptions":
    """What a profile of this machine says, where the options of a command do not."""
    said = profile.model_fields_set
    device, per_gpu, jobs = where.device, where.per_gpu, where.jobs
    if device == "auto" and where.gpus is None and "gpus_per_cell" in said:
        device = "cuda" if profile.gpus_per_cell else "cpu"
    ranks = where.ranks if where.ranks > 1 else profile.ranks
    if ranks == 1 and per_gpu is None and jobs is None and "slots_per_gpu" in said:
        per_gpu = profile.slots_per_gpu
    if per_gpu is None and jobs is None and "jobs" in said:
        jobs = profile.jobs
    return replace(where, device=device, per_gpu=per_gpu, jobs=jobs, ranks=ranks)
