"""Batches as array jobs of Slurm."""
