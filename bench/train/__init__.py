"""One training: the model, the loop, its indicators, checkpoints, determinism, evaluation."""
