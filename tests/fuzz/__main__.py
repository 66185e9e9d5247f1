"""`python -m fuzz [TARGET=N ...]`, or `TARGET:NUMBER` for one input again."""

import sys

from fuzz.run import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
