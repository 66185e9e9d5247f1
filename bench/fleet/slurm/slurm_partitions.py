"""The partitions of a Slurm, as `sinfo` tells them."""

from dataclasses import dataclass

from bench.fleet.slurm import slurm_job, slurm_states

COLUMNS = "%R|%l|%D|%c|%m|%G"  # name, limit, nodes, cores, MiB and extras of a node


@dataclass(frozen=True)
class Partition:
    """
    One partition.

    Args:
        limit_s: the most that a job may take, seconds; None: no limit.
        cores, memory_mib, gpus: of a node that has least.
    """

    name: str
    default: bool
    limit_s: float | None
    nodes: int
    cores: int
    memory_mib: int
    gpus: int

    def __str__(self) -> str:
        return f"{self.name}: {self.nodes} x {self.cores} cores, {self.gpus} GPUs"


def list_partitions() -> list[Partition]:
    """
    All that this user may see, the default one first.

    Raises:
        EnvironmentProblem: Slurm is not here, or does not answer.
    """
    default = slurm_states.call("sinfo", "-h", "-o", "%P").split()
    found: dict[str, Partition] = {}
    for line in slurm_states.call("sinfo", "-h", "-e", "-o", COLUMNS).splitlines():
        name, limit, nodes, cores, memory, extras = (line.split("|") + [""] * 6)[:6]
        one = Partition(
            name,
            f"{name}*" in default,
            slurm_job.seconds(limit),
            _number(nodes),
            _number(cores),
            _number(memory),
            _gpus(extras),
        )
        found[name] = _both(found[name], one) if name in found else one
    return sorted(found.values(), key=lambda partition: not partition.default)


def _both(one: Partition, other: Partition) -> Partition:
    """Nodes of two kinds in one partition."""
    return Partition(
        one.name,
        one.default,
        one.limit_s,
        one.nodes + other.nodes,
        min(one.cores, other.cores),
        min(one.memory_mib, other.memory_mib),
        min(one.gpus, other.gpus),
    )


def _gpus(extras: str) -> int:
    """`gpu:a100:8(S:0-1),lustre:1` is 8."""
    words = (word.partition("(")[0].split(":") for word in extras.split(","))
    return sum(_number(word[-1]) for word in words if word[0] == "gpu")


def _number(text: str) -> int:
    digits = text.rstrip("+")
    return int(digits) if digits.isdigit() else 0
