"""One training: the model, the loop, its probe, checkpoints, determinism, evaluation."""
