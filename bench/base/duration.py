"""Times as people write them, 90s, 30m, 12h, 1d12h, and as they read them, 12:00:00."""

import re
from datetime import timedelta

from bench.errors import UsageError

LONGEST_S = 1e9  # thirty years
UNIT_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}
PART = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd])\s*")


def parse_duration(text: str) -> float | None:
    """Seconds of a time with units; None if it is none, not above 0, or over thirty years."""
    parts = PART.findall(text)
    if not parts or PART.sub("", text).strip():
        return None
    seconds = sum(float(number) * UNIT_S[unit] for number, unit in parts)
    return seconds if 0 < seconds < LONGEST_S else None


def read_seconds(what: str, text: str) -> float:
    """
    Read a time as an option gives it: 90 (seconds), 30m, 2h, 1d12h.

    Args:
        what: the option, for errors.

    Raises:
        UsageError: it is none, not above 0, or longer than anybody waits.
    """
    with_unit = text if any(c.isalpha() for c in text) else f"{text}s"
    seconds = parse_duration(with_unit)
    if seconds is None:
        message = f"{what} `{text}`: expected a time above 0, as in 90 (seconds), 30m, 2h or 1d"
        raise UsageError(message)
    return seconds


def clock(seconds: float) -> str:
    """`0:12:30`, `2 days, 1:00:00`; of what no file should say, the longest that can be written."""
    return str(timedelta(seconds=round(max(min(seconds, 1e13), -1e13))))
