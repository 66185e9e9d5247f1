"""
`bench` that looks at its jobs more often, for what is written here is seen here at once.

Where ENGINE names a folder jobs are processes of that folder's engine in place of Slurm's.
"""

import os
import sys
from pathlib import Path
from typing import Any

from process_engine import ProcessEngine

from bench.cli.app import main
from bench.fleet import engines, follow
from bench.fleet.following import Pace

FAST = Pace(read_s=0.1, look_s=0.3, settle_s=1.0)
OF_SLURM = Pace(read_s=1.0, look_s=2.0, settle_s=1.0)  # who is asked by a process each time


def fast(*args: Any, **more: Any) -> follow.Follower:
    return FOLLOWER(*args, **{"pace": FAST if "ENGINE" in os.environ else OF_SLURM, **more})


if __name__ == "__main__":
    FOLLOWER = follow.Follower
    if "ENGINE" in os.environ:
        folder = Path(os.environ["ENGINE"])
        engines.open_engine = lambda *_: ProcessEngine(folder)
    follow.Follower = fast  # pyright: ignore[reportAttributeAccessIssue]
    sys.argv[0] = "bench"
    main()
