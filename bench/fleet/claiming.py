"""From cells to a claim: batches packed, files written, what others have claimed left to them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench.execution import journal
from bench.execution.progress import run_progress
from bench.execution.settings import Settings
from bench.fleet.batch import Batch, batch_path, save_batches
from bench.fleet.job_options import JobOptions
from bench.fleet.plugin_copies import copy_plugins
from bench.fleet.profile import Profile
from bench.fleet.submission import Claim, Submission, claim_cells
from bench.results.lease import myself
from bench.spec.cell import Cell
from bench.spec.plan import Plan

LAST = 0.5  # of a job's time at most is kept free of new cells at its end
GRACES = 1.5  # times the notice that a job is given, the same


@dataclass(frozen=True)
class Claimant:
    """
    Makes claims for the cells of one plan.

    Args:
        root: the results folder as it is seen here.
        trusting: attach to submissions of other users, too.
    """

    plan: Plan
    settings: Settings
    profile: Profile
    options: JobOptions
    remeasure: bool
    trusting: bool = False

    @property
    def root(self) -> Path:
        return self.settings.root.absolute()

    def claim(
        self, cells: Iterable[Cell], seals: dict[str, str | None]
    ) -> tuple[list[Submission], Submission | None]:
        """
        Claim cells; returns submissions that have some of them already, and the new one.

        Args:
            seals: of the records of all cells; None where there is none.

        Raises:
            UsageError: a folder of local plugins is too large.
            Held: somebody else's submission has some of the cells.
            EnvironmentProblem: something cannot be written.
        """
        by_id = {cell.id: cell for cell in cells}
        plugins: list[Path] | None = None

        def make(number: int, ids: list[str]) -> Claim:
            nonlocal plugins
            plugins = copy_plugins(self.root) if plugins is None else plugins
            batches = self._batches([by_id[i] for i in ids], seals, str(number), plugins)
            save_batches(batches, self.root)
            entries = {entry.id: entry for batch in batches for entry in batch.entries}
            return Claim(
                number=number,
                suite=self.plan.suite,
                profile=self.profile,
                command=["bench", *self.settings.argv],
                owner=myself(),
                at=datetime.now(UTC),
                cells=[entries[i] for i in ids],
                before={i: seal for i in ids if (seal := seals[i]) is not None},
                remeasure=self.remeasure,
                batches={batch.name: [cell.id for cell in batch.cells] for batch in batches},
            )

        wanted = {i: seals[i] for i in by_id}
        return claim_cells(self.root, wanted, make, self._undo, trusting=self.trusting)

    def batches(self, cells: list[Cell]) -> list[Batch]:
        """The batches of a claim that is never made, for people to see; nothing is written."""
        seals: dict[str, str | None] = dict.fromkeys((cell.id for cell in cells), None)
        return self._batches(cells, seals, "0", [])

    def _batches(
        self,
        cells: list[Cell],
        seals: dict[str, str | None],
        submission: str,
        plugins: list[Path],
    ) -> list[Batch]:
        names = run_progress(self.plan, [cell.id for cell in cells], self.root).names
        entries = {entry.id: entry for entry in journal.entries(cells, names)}
        profile, settings, there = self.profile, self.settings, self.profile.results or self.root
        options = self.options.settle(profile, cells)
        common = {
            "root": there,
            "suite": self.plan.suite,
            "remeasure": self.remeasure,
            **options.slots(profile),
            "threads": options.threads,
            "ranks": profile.ranks,
            "nodes": profile.nodes_per_cell,
            "compiled": settings.compiled,
            "workers": settings.workers,
            "data": profile.data or settings.data.absolute(),
            "plugins": [there / path for path in plugins],
            "argv": [*settings.argv],
            "checkpoint_s": settings.checkpoint_s,
            "timeout_s": settings.timeout_s,
            "retries": settings.retry.retries,
            "spare_s": min(GRACES * profile.grace_s, LAST * (profile.time_s or 0.0)),
            "submission": submission,
        }
        return [
            Batch(
                cells=part,
                entries=[entries[cell.id] for cell in part],
                before={c.id: seal for c in part if (seal := seals[c.id]) is not None},
                **common,  # pyright: ignore[reportArgumentType]
            )
            for part in options.pack(profile, cells)
        ]

    def _undo(self, batches: Iterable[str]) -> None:
        """Take away batches of which nobody knows."""
        for name in batches:
            batch_path(self.root, name).unlink(missing_ok=True)
