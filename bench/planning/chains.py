"""
The chain of trainings that an estimator asks for: its stages, and the teacher of each.

The estimator of weights says what they are; that of activations goes along where it is the same.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, get_args

from pydantic import ValidationError

from bench.base.text import suggest
from bench.base.validation import problems
from bench.nn.coach import Stage
from bench.nn.contract import Estimator
from bench.planning.axes import PluginConfig, Roles
from bench.spec.cell import Recipe, Which

MOST_STAGES = 20


def stages(roles: Roles) -> Sequence[Stage]:
    """List the trainings of the estimators of a cell; full precision is one."""
    leading = _leading(roles)
    return leading.plugin.stages() if leading else (Stage(),)


def at_stage(roles: Roles, stage: Stage) -> Roles:
    """
    Set the fields that the estimators have in a stage; none are left where it is full precision.

    Raises:
        ValidationError: they do not take them.
    """
    if stage.real:
        return {}
    leading = _leading(roles)
    return {
        role: config.with_values(stage.fields)
        if leading and config.plugin == leading.plugin
        else config
        for role, config in roles.items()
    }


def recipe_at(recipe: Recipe, stage: Stage) -> Recipe:
    """
    Say how a stage trains.

    Raises:
        ValidationError: its epochs, rate or decay do not go with the recipe.
    """
    own = {"epochs": stage.epochs, "lr": stage.lr, "weight_decay": stage.weight_decay}
    given = {k: v for k, v in own.items() if v is not None}
    return Recipe.model_validate(recipe.model_dump() | given) if given else recipe


def is_taught(roles: Roles) -> bool:
    """Does the network of these estimators learn from a teacher?"""
    leading = _leading(roles)
    return bool(leading and leading.plugin.teacher)


def check(roles: Roles, recipes: Iterable[Recipe]) -> Iterator[str]:
    """Say what is wrong with the chain that a label's estimators ask for, under these recipes."""
    leading, other = roles["W"].plugin, roles["A"].plugin
    try:
        found, half = tuple(leading.stages()), other != leading and _trains(other)
    except Exception as error:  # whatever a stranger's class raises
        yield f"stages of {roles['W'].name}: {type(error).__name__}: {error}"
        return
    if half:
        yield f"{roles['A'].name} trains with more than a gradient: it goes into both roles"
        return
    if not 1 <= len(found) <= MOST_STAGES or any(not isinstance(x, Stage) for x in found):  # pyright: ignore[reportUnnecessaryIsInstance]
        yield f"stages of {roles['W'].name} must be 1 to {MOST_STAGES} of `Stage`"
        return
    if found[-1].real:
        yield f"the last stage of {roles['W'].name} is full precision, which is the row `none`"
    recipes = list(recipes)
    for number, stage in enumerate(found, start=1):
        head = f"stage {number} of {len(found)} of {roles['W'].name}"
        yield from (f"{head}: {wrong}" for wrong in _wrong(roles, stage, recipes))


def taught_at_all(roles: Roles) -> bool:
    """Has some stage of a label whose chain is sound a teacher?"""
    return any(is_taught(at_stage(roles, stage)) for stage in stages(roles))


def _leading(roles: Roles) -> PluginConfig | None:
    """Return the estimator that says how the network trains: that of weights, if there is one."""
    return roles.get("W") or roles.get("A")


def _trains(plugin: Estimator) -> bool:
    """Does it do more than to stand in for a gradient?"""
    return (
        type(plugin).coach is not Estimator.coach
        or plugin.teacher
        or tuple(plugin.stages()) != (Stage(),)
    )


def _wrong(roles: Roles, stage: Stage, recipes: list[Recipe]) -> Iterator[str]:
    """Say what a stage asks for that cannot be."""
    if stage.keep not in get_args(Which):
        yield f"keep is `last` or `best`, got `{stage.keep}`"
    fields: dict[str, Any] = dict(roles["W"].plugin)
    for key in stage.fields.keys() - fields.keys():
        yield f"it has no field `{key}`{suggest(str(key), fields)}"
    try:
        at_stage(roles, stage)
    except ValidationError as error:
        yield from _told(error, type(roles["W"].plugin))
    for recipe in recipes:
        try:
            recipe_at(recipe, stage)
        except ValidationError as error:
            yield from _told(error, Recipe)


def _told(error: ValidationError, model: Any) -> Iterator[str]:
    """Word what pydantic found, each on a line."""
    for problem in problems(error, (), model):
        place = ".".join(map(str, problem.path))
        yield f"{place}: {problem.message}" if place else problem.message
