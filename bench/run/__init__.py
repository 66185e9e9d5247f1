"""One `bench run`: the queue, worker processes, logs, journal, display and trackers."""
