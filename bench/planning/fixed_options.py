"""
Options of binary layers that a method decides itself: its `fixes`.

A suite's `binarization` is for the estimators that leave an option open. A row whose method fixes
one trains with the method's own, and the cell says so. What no estimator of a suite leaves open
must not be asked for.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import ValidationError

from bench.base.validation import problems
from bench.base.yaml_document import Document, Problem
from bench.planning.axes import Axes, Roles
from bench.spec.cell import Binarization, Role
from bench.spec.preset import is_override
from bench.spec.suite import Suite

OF_INPUTS = {"scale_act", "padding"}  # options of what is multiplied; the others are of weights


def fix_options(options: Binarization, crossed: dict[str, Any], roles: Roles) -> Binarization:
    """Return a suite's options as a row's cells have them: what is crossed, what is decided."""
    own = crossed | fixed_options(roles)
    return Binarization.model_validate(options.model_dump() | own) if own else options


def fixed_options(roles: Roles) -> dict[str, Any]:
    """Collect what is decided: of inputs by the estimator of activations, else by the weights'."""
    fixed: dict[str, Any] = {}
    for role, config in roles.items():
        own: dict[str, Any] = config.plugin.fixes
        fixed |= {k: v for k, v in own.items() if _decided_by(k) == role}
    return fixed


def impossible_options(axes: Axes) -> Iterator[Problem]:
    """Find labels whose method fixes what is no option, or no value of one."""
    for label, roles in axes.estimators.items():
        try:
            fix_options(Binarization(), {}, roles)
        except ValidationError as error:
            for wrong in problems(error, (), Binarization):
                what = ".".join(map(str, wrong.path))
                message = f"its method fixes `{what}` of binarization: {wrong.message}"
                yield Problem(("estimators", label), message)


def contradicted_options(suite: Suite, axes: Axes, document: Document) -> Iterator[Problem]:
    """
    Find options that the suite asks for and no estimator of it leaves open.

    One that a preset says, or a suite that this one extends, may concern others: it is passed over.
    """
    fixed = [fixed_options(roles) for roles in axes.estimators.values()]
    for name, value in suite.binarization:
        values = [own[name] for own in fixed if name in own]
        if not values or len(values) < len(fixed) or value in values:
            continue
        if _asked_for(document, name):
            others = ", ".join(dict.fromkeys(f"`{own}`" for own in values))
            message = f"every estimator of this suite fixes it, to {others}; drop it"
            yield Problem(("binarization", name), message)


def _decided_by(option: str) -> Role:
    return "A" if option in OF_INPUTS else "W"


def _asked_for(document: Document, name: str) -> bool:
    """Is an option said by an override, or by the file that names the estimators?"""
    place = document.places.get(("binarization", name))
    if place is None:
        return False
    labels = [("estimators", label) for label in document.data["estimators"]]
    return is_override(place) or _file(place) in _files(document, labels)


def _files(document: Document, paths: Iterable[tuple[str, str]]) -> set[str]:
    return {_file(document.where(path)) for path in paths}


def _file(place: str) -> str:
    """Return the file of `file:line:column`; of another place the place."""
    return place.rsplit(":", 2)[0]
