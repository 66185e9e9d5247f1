"""
What tuning may choose from: a row's trials, built from the suite's `tune`.

The first trial is the suite's own setting, so that tuning can keep it; the others are drawn from
the row's grid. Every row has the same number of trials.
"""

import math
from collections.abc import Callable
from typing import Any, NoReturn, TypeAlias

from pydantic import ValidationError

from bench import tuning
from bench.axes import Axes, Named, Net
from bench.cell import Cell, Recipe, Role
from bench.document import Document, Path_, Problem, suggest
from bench.errors import SuiteError
from bench.plan import Trial
from bench.suite import Suite, Tune, problems
from bench.tuning import Values

Make: TypeAlias = Callable[[dict[Role, Named], Recipe, Named, list[int]], list[Cell]]
COSTLY = ("epochs", "batch_size", "indicators", "histograms")  # every trial costs the same


class Trials:
    """The trials of one suite's rows."""

    def __init__(self, suite: Suite, tune: Tune, axes: Axes, document: Document) -> None:
        self.tune, self.axes, self.document = tune, axes, document
        real = "32/32" in (*suite.wa, *(include.wa for include in suite.include))
        labels = [*axes.estimators, *(["none"] if real else [])]
        sizes = {x: math.prod(len(v) for v in self._grid(x).values()) for x in labels}
        label, least = min(sizes.items(), key=lambda item: item[1])
        if least < max(tune.budget or 0, 2):
            self._refuse(
                ("budget",),
                f"{label} has {least} setting{'s' * (least > 1)} to try, too few for tuning",
            )
        self.budget = tune.budget or least

    def of(
        self, label: str, roles: dict[Role, Named], net: Net, seeds: list[int], make: Make
    ) -> list[Trial]:
        """The trials of one row, whose cells `make` makes."""
        part = {"held_out": self.tune.held_out, "test": None}
        apart = Named(net.source.name, with_values(net.source.plugin, part))
        trials: list[Trial] = []
        for values in tuning.draw(self._own(label, roles, net), self._grid(label), self.budget):
            recipe = self._recipe(net, {k[1]: v for k, v in values.items() if k[0] == "train"})
            mine = {k[1]: v for k, v in values.items() if k[0] == "estimators"}
            chosen: dict[Role, Named] = {
                r: Named(n.name, self._plugin(label, n, mine)) for r, n in roles.items()
            }
            trials.append(
                Trial(
                    values={k[1]: v for k, v in values.items()},
                    held_out=make(chosen, recipe, apart, self.tune.seeds),
                    cells=make(chosen, recipe, net.source, seeds),
                )
            )
        return trials

    def _grid(self, label: str) -> dict[tuple[str, ...], list[Any]]:
        own = self.tune.estimators.get(label, {})
        return {("train", k): v for k, v in self.tune.train.items()} | {
            ("estimators", k): v for k, v in own.items()
        }

    def _own(self, label: str, roles: dict[Role, Named], net: Net) -> Values:
        """The suite's own values of what is tuned, once all that is tuned is sound."""
        fields = {k: v for named in roles.values() for k, v in dict(named.plugin).items()}
        known = {"train": dict(net.recipe), "estimators": fields}
        for (kind, key), values in self._grid(label).items():
            place = (kind, key) if kind == "train" else (kind, label, key)
            if kind == "train" and key in COSTLY:
                self._refuse(place, "is not tuned: every trial costs the same")
            if key not in known[kind]:
                whose = "a recipe" if kind == "train" else label
                self._refuse(place, f"{whose} has no such parameter{suggest(key, known[kind])}")
            for value in values:  # those that no trial draws, too
                self._recipe(net, {key: value} if kind == "train" else {})
                for named in roles.values() if kind == "estimators" else ():
                    self._plugin(label, named, {key: value})
        return {key: known[key[0]][key[1]] for key in self._grid(label)}

    def _recipe(self, net: Net, values: dict[str, Any]) -> Recipe:
        try:
            return Recipe.model_validate(net.recipe.model_dump() | values)
        except ValidationError as error:
            found = problems(error, ("tune", "train"), Recipe)
            raise SuiteError(self.document.report(found)) from None

    def _plugin(self, label: str, named: Named, values: dict[str, Any]) -> Any:
        """A role's estimator with the tuned values that are parameters of it."""
        try:
            return with_values(named.plugin, values)
        except ValidationError as error:
            found = problems(error, ("tune", "estimators", label), named.plugin.__class__)
            raise SuiteError(self.document.report(found)) from None

    def _refuse(self, place: Path_, message: str) -> NoReturn:
        raise SuiteError(self.document.report([Problem(("tune", *place), message)]))


def with_values(plugin: Any, values: dict[str, Any]) -> Any:
    """The plugin with those of `values` that are its parameters, validated again."""
    own = {k: v for k, v in values.items() if k in plugin.__class__.model_fields}
    return plugin.__class__.model_validate(plugin.model_dump() | own)
