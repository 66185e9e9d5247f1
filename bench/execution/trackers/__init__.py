"""Programs that keep curves, a file for each; `run.tracking` says what they are told."""
