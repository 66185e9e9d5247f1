"""How a cell is trained here, and was before: what its record says of where it comes from."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from bench.execution.job import Job
from bench.spec.cell import ParentRole

if TYPE_CHECKING:  # a cell says that it has started before it imports torch, which takes its time
    from bench.results.record import PluginOrigin, Provenance, Receipt
    from bench.train.resource_meter import ResourceMeter


@dataclass
class Conditions:
    """
    Under which one cell trains; they become known one by one, and a failure tells those that are.

    Args:
        receipt: says whether two equal trainings agree here.
        earlier: processes that trained the cell up to the checkpoint that this one goes on from.
        parents: digests of the weights that the cell began from and learns from.
        ranks: device and host of each of the processes that train it together; empty: one.
        plugins: where those that are not shipped come from.
    """

    job: Job
    compiled: bool = False
    meter: "ResourceMeter | None" = None
    receipt: "Receipt | None" = None
    earlier: "list[Provenance]" = field(default_factory=list["Provenance"])
    parents: dict[ParentRole, str] = field(default_factory=dict[ParentRole, str])
    ranks: list[str] = field(default_factory=list[str])
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    plugins: "dict[str, PluginOrigin]" = field(default_factory=dict[str, "PluginOrigin"])

    def __post_init__(self) -> None:
        """Look at the checkout as it is now, not as it may be when the cell ends."""
        from bench.results.provenance import describe_checkout

        describe_checkout()

    def provenance(self) -> "Provenance":
        """What this process can say of itself up to now."""
        from bench.results.provenance import make_provenance

        return make_provenance(
            self.started,
            self.job.device,
            argv=list(self.job.argv),
            cells_at_once=self.job.cells_at_once,
            job=self.job.engine_job,
            compiled=self.compiled,
            ranks=self.ranks,
            energy_j=self.meter.energy_j() if self.meter else None,
            plugins=self.plugins,
        )
