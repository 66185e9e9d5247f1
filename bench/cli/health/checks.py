"""All checks in the order in which `bench doctor` makes them. A new check is one line here."""

from collections.abc import Callable

from bench.cli.health import computing, hardware, software, storage
from bench.cli.health.finding import Finding, Findings, Setup

CHECKS: tuple[Callable[[Setup], Findings], ...] = (
    software.check_python,
    software.check_packages,
    software.check_torch,
    hardware.check_gpu,
    hardware.check_cpu,
    hardware.check_memory,
    storage.check_disk,
    storage.check_clock,
    software.check_checkout,
    software.check_plugins,
    storage.check_data,
    computing.check_speedups,
    computing.check_determinism,
)


def examine(setup: Setup) -> Findings:
    """Yield every finding, as it is made. A check that itself breaks is a finding, too."""
    for check in CHECKS:
        try:
            yield from check(setup)
        except Exception as error:  # a sick machine may raise anything anywhere
            what = check.__name__.removeprefix("check_")
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            yield Finding("fail", what, f"could not be looked at: {reason}")
