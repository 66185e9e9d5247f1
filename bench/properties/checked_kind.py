"""What the words of `bench check` are about: estimators, backbones or data sets."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

from bench.base.text import suggest
from bench.errors import UsageError
from bench.registry import BACKBONES, DATA, ESTIMATORS, Registry, find_in_file
from bench.spec.choices import Kind

REGISTRIES: dict[Kind, Registry[Any]] = {
    "estimator": ESTIMATORS,
    "backbone": BACKBONES,
    "data": DATA,
}
CALLED: dict[Kind, str] = {
    "estimator": "an estimator",
    "backbone": "a backbone",
    "data": "a data set",
}


def name_files(words: list[str]) -> list[str]:
    """
    The words with the names of plugins in the place of their files, as in `mine.py`.

    Raises:
        UsageError: there is no such file.
        PluginError: another plugin has the name.
    """
    return [find_in_file(Path(w)) if w.endswith(".py") and "=" not in w else w for w in words]


def take_apart(words: list[str], what: str) -> tuple[list[str], list[str]]:
    """
    Take names and `KEY=VALUE` apart.

    Args:
        what: the names are of.

    Raises:
        UsageError: parameters without one name that they belong to.
    """
    names = [word for word in words if "=" not in word]
    values = [word for word in words if "=" in word]
    if values and len(names) != 1:
        message = f"parameters of which {what}? name one, not {len(names)}"
        raise UsageError(message)
    return names, values


def find_kind(words: list[str]) -> Kind:
    """
    Of which kind the names among the words are; estimators if there is none.

    Raises:
        UsageError: of several kinds, or of none.
    """
    found: dict[Kind, str] = {}
    origins: dict[Kind, Collection[str]] = {k: each.origins() for k, each in REGISTRIES.items()}
    for name in (word for word in words if "=" not in word):
        kinds: list[Kind] = [kind for kind in REGISTRIES if name in origins[kind]]
        if not kinds:
            known = [known for each in origins.values() for known in each]
            message = f"no estimator, backbone or data set `{name}`{suggest(name, known)}"
            raise UsageError(message)
        found.setdefault(kinds[0], name)
    if len(found) > 1:
        told = ", ".join(f"`{name}` is {CALLED[kind]}" for kind, name in found.items())
        message = f"{told}; check one kind after the other"
        raise UsageError(message)
    return next(iter(found)) if found else "estimator"
