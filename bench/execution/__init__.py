"""
One `bench run`: the work queue, workers, checkpoints asked for, journal, display, trackers.

Doors: cell_log, display, events, executor, job, journal, json_stream, link, log_reader, parents,
progress, rank_processes, request, session, settings, status, tracking, worker_main,
worker_process.

Never: plans, or knows how a network is trained.
"""
