"""What a board answers: who is best of each section, as far as its seeds can tell."""

from bench.leaderboard.board import Board, MeasuredRow, Section


def answers(board: Board) -> list[str]:
    """
    A sentence for each section of two ranked rows or more, in the board's order.

    It names its section where there are several sentences.
    """
    said = [(section, sentence) for section in board.sections if (sentence := answer(section))]
    if len(said) < 2:
        return [sentence for _, sentence in said]
    return [f"{title(section)}: {sentence}" for section, sentence in said]


def answer(section: Section) -> str:
    """Who is best of a section, in a sentence; nothing if fewer than two rows are ranked."""
    intervals = [(row.name, row.comparison.interval) for row in section.measured]
    ranked = [(name, interval) for name, interval in intervals if interval]
    first = [name for name, interval in ranked if interval.first == 1]
    if len(ranked) < 2:
        return ""
    if winner := surely_best(section):
        return f"{winner[0].name} is surely the best of {len(ranked)} rows."
    if len(first) == 1:
        return (
            f"Not settled: {first[0]} leads the {len(ranked)} rows, "
            "and is not surely above each of them."
        )
    if len(first) == len(ranked):
        return f"Not settled: none of the {len(ranked)} rows can be told from the best."
    return f"Not settled: {', '.join(first[:-1])} and {first[-1]} may each be the best."


def surely_best(section: Section) -> list[MeasuredRow]:
    """The rows that are surely better than all that they are ranked with."""
    intervals = [(row, row.comparison.interval) for row in section.measured]
    ranked = [(row, interval) for row, interval in intervals if interval]
    best = [row for row, interval in ranked if interval.last == 1]
    return best if len(best) < len(ranked) else []


def title(section: Section) -> str:
    """What a section is called."""
    tuned = ", tuned" if section.tuned else ""
    return f"{section.backbone}, W/A {section.wa}{tuned}"
