"""`bench`, with jobs that are processes in place of those of Slurm; ENGINE names their folder."""

import os
import sys
from pathlib import Path
from typing import Any

from process_engine import ProcessEngine

from bench.cli.app import main
from bench.fleet import engines, follow
from bench.fleet.following import Pace

FAST = Pace(read_s=0.1, look_s=0.3, settle_s=1.0)


def fast(*args: Any, **more: Any) -> follow.Follower:
    return FOLLOWER(*args, **{"pace": FAST, **more})


if __name__ == "__main__":
    FOLLOWER = follow.Follower
    folder = Path(os.environ["ENGINE"])
    engines.open_engine = lambda *_: ProcessEngine(folder)
    follow.Follower = fast  # pyright: ignore[reportAttributeAccessIssue]
    sys.argv[0] = "bench"
    main()
