"""
What tuning may choose from: a row's trials, built from the suite's `tune`.

The first trial is the suite's own setting, so that tuning can keep it; the others are drawn from
the row's grid. Every row has the same number of trials.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NoReturn, TypeAlias

from pydantic import ValidationError

from bench.base.plain_data import KeyPath
from bench.base.text import count, suggest
from bench.base.validation import problems
from bench.base.yaml_document import Document, Problem
from bench.errors import SuiteError
from bench.planning.axes import Axes, BackboneConfig, PluginConfig, Roles
from bench.planning.grid import Grid, Point, draw, size
from bench.spec.cell import FREE, Cell, Recipe, Role
from bench.spec.plan import RoleInfo, Trial
from bench.spec.suite import Suite, Tune

Make: TypeAlias = Callable[[Roles, BackboneConfig, PluginConfig, list[int]], list[Cell]]
Labels: TypeAlias = tuple[str, str]  # of an estimator and a backbone
Infos: TypeAlias = Callable[[Roles], dict[Role, RoleInfo]]


class TrialBuilder:
    """The trials of one suite's rows."""

    def __init__(self, suite: Suite, tune: Tune, axes: Axes, document: Document) -> None:
        self.suite, self.tune, self.axes, self.document = suite, tune, axes, document
        self.budget = self._budget()

    def build(
        self,
        labels: Labels,
        roles: Roles,
        net: BackboneConfig,
        seeds: list[int],
        make: Make,
        infos: Infos,
    ) -> list[Trial]:
        """The trials of one row, whose cells `make` makes and whose texts `infos` gives."""
        part = {"held_out": self.tune.held_out, "test": None}
        apart = PluginConfig(net.data.name, with_values(net.data.plugin, part))
        grid, own = self._grid(labels, roles), self._own(labels, roles, net)
        settings = [(own, net, roles)]
        for values in draw(own, grid, self.budget - 1):
            train, mine, theirs = (
                {k[1]: v for k, v in values.items() if k[0] == kind}
                for kind in ("train", "estimators", "backbones")
            )
            place = ("estimators", labels[0])
            chosen: Roles = {
                r: replace(n, plugin=self._plugin(place, n.plugin, mine)) for r, n in roles.items()
            }
            plugin = self._plugin(("backbones", labels[1]), net.plugin, theirs)
            tuned = replace(net, plugin=plugin, recipe=self._recipe(net, train))
            settings.append((values, tuned, chosen))
        return [
            Trial(
                values={k[1]: v for k, v in values.items()},
                roles=infos(chosen),
                held_out=make(chosen, tuned, apart, self.tune.seeds),
                cells=make(chosen, tuned, net.data, seeds),
            )
            for values, tuned, chosen in settings
        ]

    def _budget(self) -> int:
        """Trials for each row: as asked for, or as many as the row with the fewest can have."""
        sizes: dict[str, int] = {}
        for backbone, net in self.axes.backbones.items():
            if net.data.plugin.held_out is not None:
                self._refuse(
                    ("held_out",), "the data holds images out already; drop one of the two"
                )
            for label, roles in self._rows():
                labels = (label, backbone)
                grid, own = self._grid(labels, roles), self._own(labels, roles, net)
                settings = size(own, grid)
                sizes[label] = min(settings, sizes.get(label, settings))
        label, least = min(sizes.items(), key=lambda item: item[1])
        if least < max(self.tune.budget or 0, 2):
            there = f"{label} has {count(least, 'setting')} to try, its own among them"
            self._refuse(("budget",), f"{there}: too few for tuning")
        return self.tune.budget or least

    def _rows(self) -> list[tuple[str, Roles]]:
        """Every label, with the roles that it has at each W/A of the suite."""
        widths = {*self.suite.wa, *(include.wa for include in self.suite.include)}
        found: list[tuple[str, Roles]] = [("none", {})] if "32/32" in widths else []
        for label, roles in self.axes.estimators.items():
            found += [(label, roles)] if widths != {"1/32"} else []
            weights: Roles = {"W": roles["W"]}
            found += [(label, weights)] if "1/32" in widths else []
        return found

    def _grid(self, labels: Labels, roles: Roles) -> Grid:
        """Where each tuned value goes, and its candidates, each once."""
        mine = {k for named in roles.values() for k in dict(named.plugin)}
        theirs = self.tune.estimators.get(labels[0], {})
        grid: Grid = {("train", k): v for k, v in self.tune.train.items()}
        grid |= {("estimators", k): v for k, v in theirs.items() if k in mine or not roles}
        nets = self.tune.backbones.get(labels[1], {})
        grid |= {("backbones", k): v for k, v in nets.items()}
        return {key: [*{repr(v): v for v in values}.values()] for key, values in grid.items()}

    def _own(self, labels: Labels, roles: Roles, net: BackboneConfig) -> Point:
        """The suite's own values of what is tuned, once all that is tuned is sound."""
        for key, values in self.tune.train.items():
            if Recipe.costs().get(key, FREE).trial:
                self._refuse(("train", key), "is not tuned: every trial costs the same")
            for value in values:  # those that no trial draws, too
                self._recipe(net, {key: value})
        everywhere = [named.plugin for named in self.axes.estimators.get(labels[0], {}).values()]
        present = [named.plugin for named in roles.values()]
        self._sound(("estimators", labels[0]), self.tune.estimators, everywhere, present)
        self._sound(("backbones", labels[1]), self.tune.backbones, [net.plugin], [net.plugin])
        known = {k: v for plugin in present for k, v in dict(plugin).items()}
        mine = {"train": dict(net.recipe), "estimators": known, "backbones": dict(net.plugin)}
        return {key: mine[key[0]][key[1]] for key in self._grid(labels, roles)}

    def _sound(
        self,
        place: Labels,
        axes: dict[str, dict[str, list[Any]]],
        everywhere: list[Any],
        present: list[Any],
    ) -> None:
        """Every value of the axes at `place` is one that its plugin takes."""
        fields = sorted({k for plugin in everywhere for k in dict(plugin)})
        for key, values in axes.get(place[1], {}).items():
            if key not in fields:
                message = f"{place[1]} has no such parameter{suggest(key, fields)}"
                self._refuse((*place, key), message)
            for plugin in present:
                for value in values:
                    self._plugin(place, plugin, {key: value})

    def _recipe(self, net: BackboneConfig, values: dict[str, Any]) -> Recipe:
        try:
            return Recipe.model_validate(net.recipe.model_dump() | values)
        except ValidationError as error:
            found = problems(error, ("tune", "train"), Recipe)
            raise SuiteError(self.document.report(found)) from None

    def _plugin(self, place: Labels, plugin: Any, values: dict[str, Any]) -> Any:
        """The plugin with those of the tuned values that are parameters of it."""
        try:
            return with_values(plugin, values)
        except ValidationError as error:
            found = problems(error, ("tune", *place), plugin.__class__)
            raise SuiteError(self.document.report(found)) from None

    def _refuse(self, place: KeyPath, message: str) -> NoReturn:
        raise SuiteError(self.document.report([Problem(("tune", *place), message)]))


def with_values(plugin: Any, values: dict[str, Any]) -> Any:
    """The plugin with those of `values` that are its parameters, validated again."""
    own = {k: v for k, v in values.items() if k in plugin.__class__.model_fields}
    return plugin.__class__.model_validate(plugin.model_dump() | own)
