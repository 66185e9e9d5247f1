"""
The same suite on other machines: Slurm, Ray.

A *batch* is what one job of an engine trains: some cells, and how. An *engine* takes batches, says
how its jobs are, and cancels them. What became of a cell is told by its record, never by an engine.

Doors: allocation, batch, board, cancellation, claiming, cost, engines, follow, job_options,
machines_file, measurement, profile, slurm.slurm_partitions, trial.folder_trial, trial.node_facts,
trial.trial, work.

Never: trains; a job runs `bench work`, which trains as a run on that machine does.
"""
