"""
What stands for several: an entry's `matrix` and `zip`, and a suite's `cross`.

And what to write where several values stand in the place of one.
"""

import math
from collections.abc import Iterable
from itertools import product
from typing import Any, TypeAlias

from pydantic import ValidationError

from bench.base.plain_data import KeyPath, as_list, as_mapping
from bench.base.validation import problems
from bench.base.yaml_document import Document, Problem
from bench.spec.cell import Binarization, Recipe
from bench.spec.preset import without_dependent
from bench.spec.suite import Cross

MOST_COMBINATIONS = 1_000  # of one matrix
MANY = ("matrix", "zip")  # keys of an entry that stands for several


def expand_entry(
    entry: dict[str, Any], path: KeyPath
) -> tuple[list[tuple[str, dict[str, Any]]], list[Problem]]:
    """
    Take an entry once, or once per combination of its `matrix: {parameter: [values]}`.

    `zip: {parameter: [values]}` takes the first value of each parameter, then the second of each;
    where there are both, every one of these with every combination of the matrix.

    Returns what each adds to the label, with its parameters, and what is wrong with the two.
    """
    rest = {k: v for k, v in entry.items() if k not in MANY}
    given = {key: as_mapping(entry.get(key, {})) for key in MANY}
    message = "must map parameters to lists of values, as in {o_end: [1, 2, 3]}"
    wrong = [
        Problem((*path, key), message)
        for key, lists in given.items()
        if lists is None or not all(as_list(v) for v in lists.values())
    ]
    if wrong:
        return [], wrong
    matrix, zipped = given["matrix"] or {}, given["zip"] or {}
    lengths = {key: len(as_list(values)) for key, values in zipped.items()}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{key} {n}" for key, n in lengths.items())
        return [], [Problem((*path, "zip"), f"needs lists of one length, has {told}")]
    steps = [
        dict(zip(zipped, values, strict=True)) for values in zip(*zipped.values(), strict=True)
    ]
    if wrong := _too_many(matrix, (*path, "matrix"), max(len(steps), 1)):
        return [], wrong
    twice = [
        Problem((*path, key), f"stands in the {name}, too, as {lists[key]}; say it once")
        for name, lists, others in (
            ("matrix", matrix, rest.keys()),
            ("zip", zipped, rest.keys() | matrix.keys()),
        )
        for key in lists.keys() & others
    ]
    combinations: list[tuple[str, dict[str, Any]]] = []
    for step, values in product(steps or [{}], product(*matrix.values())):
        chosen: dict[str, Any] = {**step, **dict(zip(matrix, values, strict=True))}
        combinations.append((_label(chosen), rest | chosen))
    return combinations, twice


def _too_many(lists: dict[str, list[Any]], path: KeyPath, times: int = 1) -> list[Problem]:
    """Say that the product of lists is too large to plan; `times` is that of what is beside it."""
    if math.prod(map(len, lists.values())) * times <= MOST_COMBINATIONS:
        return []
    return [Problem(path, f"has more than {MOST_COMBINATIONS:,} combinations")]


def _label(chosen: dict[str, Any]) -> str:
    """What one combination adds to a label: `(o_end=2,m=0.1)`, nothing for none."""
    words = ",".join(f"{key}={value}" for key, value in chosen.items())
    return f"({words})" if words else ""


def told_in_full(document: Document, wrong: Iterable[Problem]) -> list[Problem]:
    """Say of a `matrix`'s values where they stand, and of a list what takes each of its values."""
    return [Problem(_stands(document, p.path), p.message + _several(p), p.place) for p in wrong]


def _stands(document: Document, path: KeyPath) -> KeyPath:
    """The path of a parameter, through the `matrix` or `zip` that has it if the entry has not."""
    label, key = path[:2], path[2:3]
    if path[:1] in {("estimators",), ("backbones",)} and key and path not in document.places:
        for many in MANY:
            if (*label, many, *key) in document.places:
                return (*label, many, *key)
    return path


def _several(problem: Problem) -> str:
    """The hint at `cross` or `matrix`, if the problem is a list in the place of one value."""
    said = problem.message
    if not (said.startswith("must be ") and ", got [" in said):
        return ""
    match problem.path:
        case (str(part), str(key)) if part in Cross.model_fields:
            return f"; for each in turn: `cross: {{{part}: {{{key}: [...]}}}}`"
        case (("estimators" | "backbones") as axis, label, str(key)):
            return f"; for a row of each: `{axis}: {{{label}: {{matrix: {{{key}: [...]}}}}}}`"
        case _:
            return ""


Crossed: TypeAlias = dict[str, dict[str, Any]]  # `train` and `binarization`, of one point


def crossed_values(document: Document | None) -> tuple[list[tuple[str, Crossed]], list[Problem]]:
    """
    List what a suite crosses of its recipe and its options of binary layers, with their labels.

    One point without any where nothing is crossed; the suite's own check names what has not the
    shape.
    """
    cross = as_mapping(document.data.get("cross")) if document else None
    given = {part: as_mapping((cross or {}).get(part)) or {} for part in Cross.model_fields}
    lists = {key: values for crossed in given.values() for key, values in crossed.items()}
    if not lists or not all(as_list(values) for values in lists.values()):
        return [("", {})], []
    if wrong := _too_many(lists, ("cross",)):
        return [("", {})], wrong
    points = [dict(zip(lists, values, strict=True)) for values in product(*lists.values())]
    return [
        (_label(point), {part: {k: point[k] for k in keys} for part, keys in given.items()})
        for point in points
    ], []


def with_crossed(recipe: Recipe | None, point: Crossed) -> tuple[Recipe | None, list[Problem]]:
    """Set what is crossed in a backbone's recipe, if it has one; say what of it cannot be."""
    values = point.get("train", {})
    if recipe is None or not values:
        return recipe, []
    own = without_dependent(recipe.model_dump(exclude_unset=True), values)
    try:
        return Recipe.model_validate(own | values), []
    except ValidationError as error:
        return None, problems(error, ("cross", "train"), Recipe)


def crossed_options(document: Document, point: Crossed) -> tuple[dict[str, Any], list[Problem]]:
    """Return what is crossed of a suite's options of binary layers; say what of it cannot be."""
    values, options = point.get("binarization", {}), as_mapping(document.data.get("binarization"))
    options = options or {}  # what is no mapping is told by the suite's model
    for given in (options, options | values):  # what is wrong with the first is told by its model
        try:
            Binarization.model_validate(given)
        except ValidationError as error:
            wrong = problems(error, ("cross", "binarization"), Binarization)
            return {}, [] if given is options else wrong
    return values, []
