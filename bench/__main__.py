"""`python -m bench`, and what the command `bench` calls."""

import sys


def main() -> None:
    """Run the command; an interrupt while its modules are read ends it like any other."""
    try:
        import bench.cli.app
    except KeyboardInterrupt:
        sys.exit(130)
    bench.cli.app.main()


if __name__ == "__main__":  # a spawned worker imports this file again
    main()
