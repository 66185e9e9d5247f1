"""A Slurm of its own for the tests of a session that ask for one."""

from collections.abc import Iterator

import pytest
from slurm_cluster import SlurmCluster, enter, started


@pytest.fixture(scope="session")
def running_cluster() -> Iterator[SlurmCluster]:
    with started() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def running_accounting() -> Iterator[SlurmCluster]:
    with started(accounting=True) as cluster:
        yield cluster


@pytest.fixture
def cluster(running_cluster: SlurmCluster, monkeypatch: pytest.MonkeyPatch) -> SlurmCluster:
    """A Slurm without accounting, to which commands of this process go."""
    return enter(running_cluster, monkeypatch)


@pytest.fixture
def accounting(running_accounting: SlurmCluster, monkeypatch: pytest.MonkeyPatch) -> SlurmCluster:
    """A Slurm with accounting, whose controller soon forgets."""
    return enter(running_accounting, monkeypatch)
