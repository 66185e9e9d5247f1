"""`python -m bench`, and what the command `bench` calls."""

import gc
import sys

from bench.base.collector import held_back
from bench.errors import EnvironmentProblem, refuse_windows


def main() -> None:
    """Run the command; an interrupt while its modules are read ends it like any other."""
    try:
        refuse_windows()
        with held_back():
            import bench.cli.app
        gc.freeze()  # modules stay
    except EnvironmentProblem as problem:
        sys.stderr.write(f"error: {problem}\n")
        sys.exit(problem.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    bench.cli.app.main()


if __name__ == "__main__":  # a spawned worker imports this file again
    main()
