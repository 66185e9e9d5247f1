"""
A real cluster of Ray on this machine: a head without CPUs, and nodes that can lose their power.

    python ray_nodes.py NODES      prints its address and the ids of its nodes, one line of JSON

Then `kill ID` on standard input ends a node as a power cut does, answered by a line; the end of
standard input ends all of it. Needs RAY_AUTH_TOKEN.
"""

import json
import os
import sys

os.environ.update(
    RAY_USAGE_STATS_ENABLED="0",
    RAY_ENABLE_UV_RUN_RUNTIME_ENV="0",
    RAY_health_check_period_ms="1000",  # a dead node is missed within seconds
    RAY_health_check_failure_threshold="3",
    RAY_health_check_initial_delay_ms="1000",
)

SMALL = 80 * 2**20  # bytes of memory for objects, of a node


def main(count: int) -> None:
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 0, "object_store_memory": SMALL, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    made = [cluster.add_node(num_cpus=1, object_store_memory=SMALL) for _ in range(count)]
    nodes = {node.node_id: node for node in made}
    print(json.dumps({"address": cluster.address, "nodes": list(nodes)}), flush=True)  # noqa: T201
    for line in sys.stdin:
        cluster.remove_node(nodes[line.split()[1]], allow_graceful=False)
        print("killed", flush=True)  # noqa: T201
    cluster.shutdown()


if __name__ == "__main__":
    main(int(sys.argv[1]))
