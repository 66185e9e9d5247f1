"""
Code that computes with comparisons: evaluated once for each case of those that are undecided.

A mask that is undecided over a range is 0 or 1, and in m f + (1 - m) g it is the same in both
places. So such code is evaluated with the comparison true, and with it false; at every point of the
range one of the two is what the code returns there.
"""

from collections.abc import Callable
from typing import TypeVar, cast

MOST = 64  # cases of one range
Found = TypeVar("Found")


class Case:
    """What is taken for true and for false in one evaluation."""

    def __init__(self, taken: dict[int, bool]) -> None:
        self.taken = taken
        self._places: dict[tuple[object, ...], int] = {}  # of comparisons, as they are met
        self._operands: list[object] = []  # known by their address, so to be kept
        self._results: dict[tuple[str, int], object] = {}

    def place(self, operands: object, *what: object) -> int:
        """Return the place of a comparison among those met; the same again has the same place."""
        self._operands.append(operands)
        return self._places.setdefault(what, len(self._places))

    def once(self, name: str, function: Callable[..., Found], operand: object) -> Found:
        """Return a function of an operand, the same object if it is asked for again."""
        self._operands.append(operand)
        key = name, id(operand)
        if key not in self._results:
            self._results[key] = function(operand)
        return cast("Found", self._results[key])


class Undecided(Exception):
    """An undecided comparison became a number; it may change with z, or with the knob."""

    def __init__(self, place: int, z: bool, knob: bool) -> None:
        super().__init__("arithmetic with an undecided comparison has no enclosure")
        self.place, self.moves = place, (z, knob)


_evaluated: list[Case] = []


def current() -> Case:
    """Return the case that is being evaluated; outside of `evaluate` nothing is taken for true."""
    return _evaluated[-1] if _evaluated else Case({})


def evaluate(call: Callable[[], Found]) -> tuple[list[Found], tuple[bool, bool]]:
    """
    Evaluate code in each case that its undecided comparisons make.

    Returns:
        What `call` gives in each, and whether the cases change with z, and with the knob.

    Raises:
        Undecided: there are more than `MOST`, or one cannot be decided.
    """
    waiting, found, moves = [dict[int, bool]()], list[Found](), (False, False)
    while waiting:
        taken = waiting.pop()
        _evaluated.append(Case(taken))
        try:
            found.append(call())
        except Undecided as met:
            if met.place < 0 or len(found) + len(waiting) + 2 > MOST:
                raise
            moves = (moves[0] or met.moves[0], moves[1] or met.moves[1])
            waiting += [taken | {met.place: way} for way in (False, True)]
        finally:
            _evaluated.pop()
    return found, moves
