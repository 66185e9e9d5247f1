"""
A real cluster of Ray on this machine: a head without CPUs, and nodes that can lose their power.

The cluster is a process of its own, which ends with this one however that ends:

    python ray_nodes.py NODES      prints its address and the ids of its nodes, one line of JSON

`kill ID` on its standard input ends a node as a power cut does, and is answered by a line.
"""

import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
STARTS = 3  # tries: Ray gives its processes 30 s, too little where much else runs
SMALL = 80 * 2**20  # bytes of memory for objects, of a node
ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_worker_niceness": "0",  # 15 if not said, and then they starve beside other tests
    "RAY_health_check_initial_delay_ms": "1000",
    "RAY_health_check_period_ms": "1000",  # a dead node is missed within seconds
    "RAY_health_check_failure_threshold": "3",
}


class RayNodes:
    """
    Such a cluster.

    Args:
        count: of nodes beside the head, each of one CPU.
        scratch: a folder for temporary files of nodes.

    Attributes:
        environ: for processes that use it.
        nodes: ids of those that live.
    """

    def __init__(self, count: int, scratch: Path) -> None:
        own = {
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": secrets.token_hex(32),
            "PYTHONPATH": str(ROOT),
            "OMP_NUM_THREADS": "1",
        }
        self.environ = {**os.environ, **ENVIRONMENT, **own}
        self._home = tempfile.mkdtemp(prefix="bench-ray-", dir="/tmp")  # names of sockets are short
        answer = ""
        for _ in range(STARTS):
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(count)],
                env={**self.environ, "TMPDIR": str(scratch), "RAY_TMPDIR": self._home},
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            )  # fmt: skip
            if answer := self._answer():
                break
            self._process.communicate()
        else:
            self.close()
            message = "the cluster did not start"
            raise RuntimeError(message)
        said: dict[str, Any] = json.loads(answer)
        self.address: str = said["address"]
        self.nodes: list[str] = said["nodes"]

    def kill(self, node: str) -> None:
        """Cut a node's power."""
        assert self._process.stdin
        self._process.stdin.write(f"kill {node}\n")
        self._process.stdin.flush()
        assert self._answer() == "killed\n"
        self.nodes.remove(node)

    def close(self) -> None:
        """End all of it."""
        if self._process.poll() is None:
            self._process.communicate(timeout=60)
        shutil.rmtree(self._home, ignore_errors=True)

    def _answer(self) -> str:
        assert self._process.stdout
        return self._process.stdout.readline()


def main(count: int) -> None:
    """Be the cluster."""
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 0, "object_store_memory": SMALL, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    made = [cluster.add_node(num_cpus=1, object_store_memory=SMALL) for _ in range(count)]
    nodes = {node.node_id: node for node in made}
    sys.stdout.write(json.dumps({"address": cluster.address, "nodes": list(nodes)}) + "\n")
    sys.stdout.flush()
    for line in sys.stdin:
        cluster.remove_node(nodes[line.split()[1]], allow_graceful=False)
        sys.stdout.write("killed\n")
        sys.stdout.flush()
    cluster.shutdown()


if __name__ == "__main__":
    main(int(sys.argv[1]))
