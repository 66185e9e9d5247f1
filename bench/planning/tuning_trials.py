"""
What tuning may choose from: a row's trials, built from the suite's `tune`.

The first trial is the suite's own setting, so that tuning can keep it; the others are drawn from
the row's grid. Every row has the same number of trials.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NoReturn, TypeAlias, TypeVar

from pydantic import ValidationError

from bench.base.plain_data import KeyPath
from bench.base.text import count, suggest
from bench.base.validation import problems
from bench.base.yaml_document import Problem
from bench.errors import SuiteError
from bench.nn.contract import BITS_FIELD
from bench.planning.axes import BackboneConfig, PluginConfig, Roles
from bench.planning.cells import CellBuilder
from bench.planning.combinations import Combination
from bench.planning.grid import Grid, Point, draw, size
from bench.planning.resolved_suite import ResolvedSuite
from bench.planning.role_info import describe_roles
from bench.planning.widths import fit_widths
from bench.spec.cell import FREE, Recipe
from bench.spec.plan import Trial
from bench.spec.suite import Tune

Labels: TypeAlias = tuple[str, str]  # of an estimator and a backbone
REAL = "32/32"
Config = TypeVar("Config", PluginConfig, BackboneConfig)


class TrialBuilder:
    """Builds the trials of one suite's rows."""

    def __init__(self, resolved: ResolvedSuite, tune: Tune, cells: CellBuilder) -> None:
        """
        Check all that the suite tunes.

        Raises:
            SuiteError: something that cannot be tuned, or too few settings to try.
        """
        self.resolved, self.tune, self.cells = resolved, tune, cells
        self.budget = self._budget()

    def build(
        self, combination: Combination, roles: Roles, backbone: BackboneConfig, seeds: list[int]
    ) -> list[Trial]:
        """Build the trials of one row, whose estimators, backbone and seeds these are."""
        labels = (combination.label, combination.backbone)
        grid, own = self._grid(labels, roles), self._own_values(labels, roles, backbone)
        settings = [(own, roles, backbone)]
        settings += [
            (values, *self._tuned(labels, roles, backbone, values))
            for values in draw(own, grid, self.budget - 1)
        ]
        part = {"held_out": self.tune.held_out, "test": None}
        held_out = backbone.data.with_values(part)
        return [
            Trial(
                values={key[1]: value for key, value in values.items()},
                roles=describe_roles(estimators),
                held_out=self.cells.build(
                    combination, estimators, replace(net, data=held_out), self.tune.seeds
                ),
                cells=self.cells.build(combination, estimators, net, seeds),
            )
            for values, estimators, net in settings
        ]

    def _tuned(
        self, labels: Labels, roles: Roles, backbone: BackboneConfig, values: Point
    ) -> tuple[Roles, BackboneConfig]:
        """Set the values of one point of the grid."""
        train, of_estimator, of_backbone = (
            {key[1]: value for key, value in values.items() if key[0] == kind}
            for kind in ("train", "estimators", "backbones")
        )
        place = ("estimators", labels[0])
        tuned: Roles = {r: self._configured(place, c, of_estimator) for r, c in roles.items()}
        net = self._configured(("backbones", labels[1]), backbone, of_backbone)
        return tuned, replace(net, recipe=self._recipe(backbone, train))

    def _budget(self) -> int:
        """Count the trials of each row: as many as asked for, or as every row can have."""
        sizes: dict[str, int] = {}
        axes = self.resolved.axes
        for name, backbone in axes.backbones.items():
            if backbone.data.plugin.held_out is not None:
                message = "the data holds images out already; drop one of the two"
                self._refuse(("held_out",), message)
            for label, roles in self._rows():
                labels = (label, name)
                own = self._own_values(labels, roles, axes.network(label, name))
                grid = self._grid(labels, roles)
                settings = size(own, grid)
                sizes[label] = min(settings, sizes.get(label, settings))
        label, least = min(sizes.items(), key=lambda item: item[1])
        if least < max(self.tune.budget or 0, 2):
            there = f"{label} has {count(least, 'setting')} to try, its own among them"
            self._refuse(("budget",), f"{there}: too few for tuning")
        return self.tune.budget or least

    def _rows(self) -> list[tuple[str, Roles]]:
        """List every label, with the roles that it has at each W/A of the suite."""
        suite = self.resolved.suite
        widths = [*suite.wa, *(include.wa for include in suite.include if include.wa)]
        rows: list[tuple[str, Roles]] = [("none", {})] if REAL in widths else []
        for label, entries in self.resolved.axes.estimators.items():
            for wa in dict.fromkeys(widths):
                roles, other_bits = fit_widths(entries, wa)
                if roles and not other_bits:
                    rows.append((label, roles))
        return rows

    def _grid(self, labels: Labels, roles: Roles) -> Grid:
        """Map each tuned value of a row to its candidates, each once."""
        estimator, backbone = labels
        parameters = {k for config in roles.values() for k in dict(config.plugin)}
        grid: Grid = {("train", k): v for k, v in self.tune.train.items()}
        for key, candidates in self.tune.estimators.get(estimator, {}).items():
            if key in parameters or not roles:
                grid["estimators", key] = candidates
        for key, candidates in self.tune.backbones.get(backbone, {}).items():
            grid["backbones", key] = candidates
        return {key: [*{repr(v): v for v in values}.values()] for key, values in grid.items()}

    def _own_values(self, labels: Labels, roles: Roles, backbone: BackboneConfig) -> Point:
        """Return the suite's own values of what is tuned, once all that is tuned is sound."""
        for key, values in self.tune.train.items():
            if Recipe.costs().get(key, FREE).trial:
                self._refuse(("train", key), "is not tuned: every trial costs the same")
            for value in values:  # those that no trial draws, too
                self._recipe(backbone, {key: value})
        at_any_wa = self.resolved.axes.estimators.get(labels[0], {})
        present = [*roles.values()]
        place = ("estimators", labels[0])
        self._check(place, self.tune.estimators, [*at_any_wa.values()], present)
        self._check(("backbones", labels[1]), self.tune.backbones, [backbone], [backbone])
        own = {
            "train": dict(backbone.recipe),
            "estimators": {k: v for config in present for k, v in dict(config.plugin).items()},
            "backbones": dict(backbone.plugin),
        }
        return {key: own[key[0]][key[1]] for key in self._grid(labels, roles)}

    def _check(
        self,
        place: Labels,
        tuned: dict[str, dict[str, list[Any]]],
        at_any_wa: Sequence[Config],
        present: Sequence[Config],
    ) -> None:
        """
        Refuse what is tuned of the plugins at `place`, unless they take it.

        Args:
            place: the axis and the label.
            tuned: the candidates of each parameter, by label.
            at_any_wa: the plugins of the label, one of which must have the parameter.
            present: those of the row, which must take every candidate.
        """
        fields = sorted({k for config in at_any_wa for k in dict(config.plugin)})
        for key, values in tuned.get(place[1], {}).items():
            if key in BITS_FIELD.values():
                self._refuse((*place, key), "is not tuned: W/A says how many bits there are")
            if key not in fields:
                message = f"{place[1]} has no such parameter{suggest(key, fields)}"
                self._refuse((*place, key), message)
            for config in present:
                for value in values:
                    self._configured(place, config, {key: value})

    def _recipe(self, backbone: BackboneConfig, values: dict[str, Any]) -> Recipe:
        """Set tuned values of the backbone's recipe."""
        try:
            return Recipe.model_validate(backbone.recipe.model_dump() | values)
        except ValidationError as error:
            self._refuse_all(problems(error, ("tune", "train"), Recipe))

    def _configured(self, place: Labels, config: Config, values: dict[str, Any]) -> Config:
        """Set those of the tuned values that are parameters of the plugin."""
        try:
            return config.with_values(values)
        except ValidationError as error:
            self._refuse_all(problems(error, ("tune", *place), config.plugin.__class__))

    def _refuse(self, place: KeyPath, message: str) -> NoReturn:
        """Say what is wrong with what stands at `place` of the suite's `tune`."""
        self._refuse_all([Problem(("tune", *place), message)])

    def _refuse_all(self, wrong: list[Problem]) -> NoReturn:
        raise SuiteError(self.resolved.document.report(wrong)) from None
