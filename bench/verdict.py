"""
What our measurement says of a published number.

    not comparable   something that is known of the published training was different in ours
    reproduced       the number lies in the 95 % prediction interval of one more run of ours
    differs          it lies outside
"""

from bench.cell import Cell
from bench.claim import Claim
from bench.stats import Estimate, spread


def verdict(claim: Claim, cell: Cell, last: Estimate | None, best: Estimate | None) -> str:
    """
    The verdict in words.

    Args:
        cell: any one of the row's.
        last, best: our accuracy after the last epoch and at the best one, as fractions; the
            claim is set against the one that its metric names, `best` if it names none.
    """
    others = claim.protocol.against(cell)
    if others:
        return f"not comparable: {'; '.join(others)}"
    ours = last if claim.metric == "last" else best
    if ours is None:
        return "not measured yet"
    off = 100 * ours.mean - claim.acc
    unstated = claim.protocol.unstated
    caution = f" (published {', '.join(unstated)} not stated)" if unstated else ""
    width = spread(ours)
    if width is None:
        return f"differs by {off:+.2f}, one seed decides nothing{caution}"
    if abs(off) <= 100 * width:
        return f"reproduced: {off:+.2f}, within ±{100 * width:.2f} of one run{caution}"
    return f"differs by {off:+.2f}, beyond ±{100 * width:.2f} of one run{caution}"
