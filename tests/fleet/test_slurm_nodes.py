"""A cell whose processes are on two nodes of a job of a real Slurm, one of which loses power."""

from contextlib import closing
from pathlib import Path

import pytest
from slurm_cluster import SlurmCluster, until
from stage import LONG_S, Stage, train_whole

from bench.fleet.slurm.slurm_states import expand


@pytest.mark.slow
@pytest.mark.long
def test_a_cell_over_two_nodes_outlives_one(cluster: SlurmCluster, tmp_path: Path) -> None:
    """
    The record is that of as many processes on one machine, to the bit.

    Warned, all stop before the same step. The job goes on when the node that was lost is there.
    What such a cell costs is measured by a job on as many nodes.
    """
    whole = train_whole(tmp_path / "suite", "--ranks", "2", "--filter", "seed=0")
    keys: dict[str, object] = {"partition": "power", "ranks_per_cell": 2, "nodes_per_cell": 2}
    with closing(Stage(tmp_path / "two", cluster, tmp_path / "suite", whole, **keys)) as stage:
        run = stage.run()
        job = stage.await_epoch(1)
        here, other = expand(*stage.state(job).nodes)
        cluster.call("scancel", "--batch", "--signal=USR1", job)
        until(lambda: stage.state(job).restarts == 1, LONG_S, stage.tell)
        stage.await_epoch(4)
        cluster.power_off(other)
        until(lambda: stage.state(job).restarts == 2, LONG_S, stage.tell)
        cluster.power_on(other)
        stage.hurry()
        stage.end(run)
        stage.check(redone=True)
        (record,) = stage.records()

        assert stage.jobs() == [job]
        assert len(record.earlier) == 2
        for process in (*record.earlier, record.provenance):
            assert [word.rpartition(", ")[2] for word in process.ranks] == [here, other]
        assert f"{other} was lost" in stage.tell()
        plan = ("plan", "suite.yaml", "--on", "here", "--results", str(stage.root), "--calibrate")
        assert "2 processes on 2 nodes" in stage.end(stage.start(*plan))
        (pace,) = (path.read_text("utf-8") for path in stage.root.glob("paces/*.json"))
        assert '"1 x cpu on 2 nodes"' in pace
