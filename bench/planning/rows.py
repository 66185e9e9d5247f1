"""The rows of a plan: what one combination of a suite's axes trains, and what is said of it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.base.plain_data import KeyPath
from bench.base.yaml_document import Document, Problem
from bench.data.dataset import Dataset
from bench.errors import SuiteError
from bench.nn.contract import Estimator, Surrogate
from bench.planning.axes import Axes, BackboneConfig, PluginConfig, Roles
from bench.planning.combinations import ROLES, Combination, has_schedule
from bench.planning.tuning_trials import TrialBuilder, with_values
from bench.properties import verdicts
from bench.results import source_digest
from bench.spec.cell import CORE, Cell, DataRef, Recipe, Ref, Role
from bench.spec.plan import Properties, RoleInfo, Row
from bench.spec.suite import Suite


class RowBuilder:
    """Makes rows; data is loaded and properties are judged once."""

    def __init__(self, suite: Suite, axes: Axes, document: Document, folder: Path) -> None:
        self.suite, self.axes, self.document, self.folder = suite, axes, document, folder
        self.found: dict[str, tuple[DataRef, Dataset]] = {}
        self.infos: dict[tuple[str, Role], RoleInfo] = {}
        self.numerics = source_digest.numerics()
        self.trials = suite.tune and TrialBuilder(suite, suite.tune, axes, document)

    def build(self, c: Combination, seeds: list[int]) -> Row:
        """Make the row of one combination."""
        net = self.axes.backbones[c.backbone]
        roles, schedule = self._roles(c)
        _, dataset = self._data(c, net.data, net.recipe)

        def make(
            roles: Roles,
            net: BackboneConfig,
            source: PluginConfig,
            seeds: list[int],
        ) -> list[Cell]:
            return self._cells(c, roles, net, source, seeds)

        return Row(
            label=c.label,
            backbone=c.backbone,
            wa=c.wa,
            schedule=schedule,
            net=" ".join([net.name, *_unusual(net.plugin)]),
            data=dataset.label,
            classes=dataset.num_classes,
            roles=self._infos(roles),
            cells=make(roles, net, net.data, seeds),
            trials=self.trials.build((c.label, c.backbone), roles, net, seeds, make, self._infos)
            if self.trials
            else [],
        )

    def _roles(self, c: Combination) -> tuple[Roles, str]:
        """The estimator of each role on its schedule, and that schedule's name."""
        roles: Roles = {}
        schedule = "default"
        for role in ROLES[c.wa]:
            named = self.axes.estimators[c.label][role]
            own = c.label in self.axes.own_schedule or c.schedule == "default"
            if has_schedule(named.plugin) and not own:
                named = replace(named, plugin=with_values(named.plugin, {"schedule": c.schedule}))
                schedule = c.schedule
            roles[role] = named
        return roles, schedule

    def _cells(
        self,
        c: Combination,
        roles: Roles,
        net: BackboneConfig,
        source: PluginConfig,
        seeds: list[int],
    ) -> list[Cell]:
        refs: dict[Role, Ref] = {r: n.plugin.ref(n.name, n.digest) for r, n in roles.items()}
        return [
            Cell(
                core=CORE,
                weights=refs.get("W"),
                activations=refs.get("A"),
                backbone=net.plugin.ref(net.name, net.digest),
                data=self._data(c, source, net.recipe)[0],
                binarization=self.suite.binarization,
                recipe=net.recipe,
                seed=seed,
                numerics=self.numerics,
            )
            for seed in dict.fromkeys(seeds)
        ]

    def _data(
        self, c: Combination, source: PluginConfig, recipe: Recipe
    ) -> tuple[DataRef, Dataset]:
        """The data set, loaded once."""
        key = f"{source.name}{source.plugin!r}"
        if key not in self.found:
            dataset: Dataset = source.plugin.load(self.folder)
            params = source.plugin.model_dump(mode="json", exclude_none=True)
            ref = DataRef(name=source.name, params=params, fingerprint=dataset.fingerprint)
            self.found[key] = ref, dataset
        ref, dataset = self.found[key]
        if problem := self._misfit(c, dataset, recipe):
            raise SuiteError(self.document.report([problem]))
        return ref, dataset

    def _misfit(self, c: Combination, dataset: Dataset, recipe: Recipe) -> Problem | None:
        """Why this network cannot train on this data."""
        n, side = dataset.sizes["train"], dataset.shape[-1]
        if n % recipe.batch_size == 1:
            message = (
                f"{n} training images leave a last batch of 1, which BatchNorm cannot normalize; "
                "choose another size"
            )
            own: KeyPath = ("backbones", c.backbone, "train", "batch_size")
            return Problem(own if own in self.document.places else own[2:], message)
        needed = self.axes.backbones[c.backbone].plugin.only_image
        if needed in {None, side}:
            return None
        message = f"takes images of {needed}x{needed}, {dataset.label} has {side}x{side}"
        hint = f"; `resize: {needed}` under data fits them"
        return Problem(("backbones", c.backbone), message + hint)

    def _infos(self, roles: Roles) -> dict[Role, RoleInfo]:
        return {role: self._info(named, role) for role, named in roles.items()}

    def _info(self, named: PluginConfig, role: Role) -> RoleInfo:
        """What tables say of a configured estimator, computed once."""
        key = (f"{named.name}{named.plugin!r}", role)
        if key not in self.infos:
            plugin: Estimator = named.plugin
            printed, trained = _judged(plugin, role)
            self.infos[key] = RoleInfo(
                plugin=named.name,
                formula=plugin.formula,
                kind=plugin.kind,
                schedule=getattr(plugin, "schedule", ""),
                printed=printed,
                trained=trained,
            )
        return self.infos[key]


def _unusual(plugin: Any) -> list[str]:
    """The parameters that were given another value than the default."""
    fields = plugin.__class__.model_fields
    return [f"{k} {v}" for k, v in dict(plugin).items() if v != fields[k].default]


def _judged(plugin: Estimator, role: Role) -> tuple[Properties | None, Properties | None]:
    """The verdicts on the printed f and on the one that trains, if there is an f to call."""
    if not isinstance(plugin, Surrogate):
        return None, None
    try:
        return verdicts.judge_printed(plugin), verdicts.judge_trained(plugin, role)
    except Exception:  # a stranger's f: `bench check` shows what it raises, its cells fail alone
        return None, None
