"""Programs that keep curves, a file for each; `bench.tracker` says what they are told."""
