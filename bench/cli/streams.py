"""Where commands print."""

import os
import sys
from typing import TextIO

from bench.base.text import Terminal

UNBOUND = 200  # columns of a file or pipe, which has none of its own


def _width(stream: TextIO) -> int | None:
    return None if stream.isatty() or "COLUMNS" in os.environ else UNBOUND


out = Terminal(emoji=False, width=_width(sys.stdout))
err = Terminal(stderr=True, emoji=False, width=_width(sys.stderr))
