"""Batches as tasks of Ray, on nodes that see the results folder or do not."""
