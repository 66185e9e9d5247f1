"""Proofs about f for every real z: intervals, enclosures of a plugin's own code, certificates."""
