"""Groups of columns: which stand beside each other, and in which order, in each kind of table."""

from typing import Literal, TypeAlias

Group: TypeAlias = Literal[
    "tier", "ranks", "name", "estimator", "properties", "accuracy", "seeds", "other accuracies",
    "difference", "p", "equilibrium", "network", "cost", "untuned", "chosen", "published",
]  # fmt: skip
Groups: TypeAlias = tuple[Group, ...]

WHOLE: Groups = (  # all in one table
    "ranks", "name", "estimator", "properties", "accuracy", "seeds", "other accuracies",
    "difference", "p", "equilibrium", "network", "cost", "untuned", "chosen", "published",
)  # fmt: skip
COUNTED: Groups = ("ranks", "name", "accuracy", "seeds")
COMPARED: Groups = ("other accuracies", "difference", "p", "untuned", "chosen", "published")
STACKED: tuple[Groups, ...] = (  # three tables, for a page or a usual terminal
    (*COUNTED, *COMPARED),
    ("name", "estimator", "properties", "equilibrium", "network"),
    ("name", "cost"),
)
NARROW: tuple[Groups, ...] = (  # six, where there is little room
    COUNTED,
    ("name", *COMPARED),
    ("name", "estimator", "properties"),
    ("name", "equilibrium"),
    ("name", "network"),
    ("name", "cost"),
)
PAGE: Groups = (  # formula and type stand below the name
    "name", "tier", "ranks", "accuracy", "published", "difference", "p", "seeds",
    "other accuracies", "untuned", "chosen", "properties", "equilibrium", "network", "cost",
)  # fmt: skip
MACROS: Groups = (  # the order in which LaTeX defines a row's numbers
    "accuracy", "other accuracies", "untuned", "difference", "seeds", "ranks", "p", "equilibrium",
    "published", "cost",
)  # fmt: skip
