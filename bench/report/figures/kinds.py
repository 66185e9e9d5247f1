"""
The kinds of figures that records make; a module of this package draws each.

Modules are imported when they draw: the names alone are what `bench plot --help` needs.
"""

from enum import StrEnum, auto
from importlib import import_module
from types import ModuleType


class FigureKind(StrEnum):
    """
    A kind of figure, by the word that `--kind` takes.

    To add a kind is to add a name, and a module that is called like it and has `draw`, a `CAPTION`,
    and in words what it `NEEDS`, for suites of which it cannot be drawn.
    """

    ACCURACY = auto()
    RANKS = auto()
    EQUILIBRIUM = auto()
    SWEEP = auto()
    RECIPE = auto()
    CURVES = auto()
    KNOB = auto()
    LAYERS = auto()
    HISTOGRAMS = auto()
    COST = auto()

    @property
    def module(self) -> ModuleType:
        """Where it is drawn."""
        return import_module(f"{__package__}.{self.value}")


# one figure of all panels, not one of each
OF_SUITE = (
    FigureKind.RANKS,
    FigureKind.SWEEP,
    FigureKind.RECIPE,
)
GALLERY = "gallery"  # needs plugins, and no records
