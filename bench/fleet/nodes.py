"""Nodes that end every job at once: they would eat all of them, and are left alone."""

from collections import Counter

from bench.fleet.engine import JobState
from bench.results.record import EngineJob

DEATHS = 3  # of jobs on a node, one after the other, without progress
BY_DEATH = {"FAILED", "NODE_FAIL", "BOOT_FAIL", "LAUNCH_FAILED", "RECONFIG_FAIL"}


class Nodes:
    """
    What is known of nodes.

    One is bad only where another works: what fails everywhere is not the fault of a node.
    """

    def __init__(self) -> None:
        self.bad: set[str] = set()
        self._deaths: Counter[str] = Counter()
        self._work: set[str] = set()

    def note_work(self, node: str) -> None:
        """Take note that a job began with a cell there."""
        self._work.add(node)

    def note_death(self, job: EngineJob, state: JobState) -> str:
        """Take note of a job that ended without progress; returns its node if that is bad now."""
        if state.word not in BY_DEATH or len(state.nodes) != 1:
            return ""
        (node,) = state.nodes
        self._deaths[node] += 1
        if self._deaths[node] < DEATHS or node in self.bad or not self._work - {node, job.node}:
            return ""
        self.bad.add(node)
        return node
