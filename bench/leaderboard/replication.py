"""
What our measurement says of a published number.

    not comparable   something that is known of the published training was different in ours
    undecided        epochs or batch of the published training are not stated, or ours is too noisy
    reproduced       the number lies within the spread of one run of ours, and that is narrow
    differs          it lies beyond

The spread is the 95 % prediction interval for one run more of ours: a published number is one
run. It is told as "ours", our mean less the number, in points.
"""

from collections.abc import Sequence

from bench.leaderboard.stats.intervals import Estimate, spread
from bench.spec.cell import Cell
from bench.spec.published import Claim, list_differences, list_unstated

NARROW = 2.0  # points: a wider spread could reproduce anything


def verdict(
    claim: Claim,
    cell: Cell,
    last: Estimate | None,
    best: Estimate | None,
    lacking: Sequence[str] = (),
) -> str:
    """
    The verdict in words.

    Args:
        cell: any one of the row's.
        last, best: our accuracy after the last epoch and at the best one, as fractions; the
            claim is set against the one that its metric names, `best` if it names none.
        lacking: what our numbers are not of, each in words.
    """
    others = [*list_differences(claim.protocol, cell), *lacking]
    if others:
        return f"not comparable: {'; '.join(others)}"
    ours = last if claim.metric == "last" else best
    if ours is None:
        return "not measured yet"
    width = spread(ours)
    off = f"ours {100 * ours.mean - claim.acc:+.2f}"
    if width is None:
        return f"undecided: {off}, and one seed has no spread"
    off += f", spread of one run ±{100 * width:.2f}"
    if missing := list_unstated(claim.protocol):
        return f"undecided: published {', '.join(missing)} not stated; {off}"
    if abs(100 * ours.mean - claim.acc) > 100 * width:
        return f"differs: {off}"
    return f"reproduced: {off}" if 100 * width <= NARROW else f"undecided: {off}"
