"""A Slurm of its own for the tests of a session that ask for one."""

import shutil
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from slurm_cluster import SlurmCluster, lacking

ROOT = Path(__file__).parent.parent.parent


@contextmanager
def started(*, accounting: bool = False) -> Generator[SlurmCluster, None, None]:
    """A cluster, as long as it is wanted."""
    if why := lacking(accounting=accounting):
        pytest.skip(why)
    home = Path(tempfile.mkdtemp(prefix="bench-slurm-"))
    try:
        cluster = SlurmCluster(home / "c", accounting=accounting)
        try:
            yield cluster
        finally:
            cluster.close()
    finally:
        shutil.rmtree(home, ignore_errors=True)


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
    return _enter(running_cluster, monkeypatch)


@pytest.fixture
def accounting(running_accounting: SlurmCluster, monkeypatch: pytest.MonkeyPatch) -> SlurmCluster:
    """A Slurm with accounting, whose controller soon forgets."""
    return _enter(running_accounting, monkeypatch)


def _enter(cluster: SlurmCluster, monkeypatch: pytest.MonkeyPatch) -> SlurmCluster:
    cluster.rest()
    for name in ("PATH", "SLURM_CONF"):
        monkeypatch.setenv(name, cluster.environment[name])
    monkeypatch.setenv("PYTHONPATH", str(ROOT))  # jobs run this code
    return cluster
