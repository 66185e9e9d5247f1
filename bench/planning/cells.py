"""Cells of a plan: one for each seed of a combination, once its data is found and fits."""

from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError

from bench.base.plain_data import KeyPath
from bench.base.validation import problems
from bench.base.yaml_document import Problem
from bench.data.dataset import Dataset
from bench.data.source import load
from bench.data.sources import Known
from bench.errors import DataError, SuiteError
from bench.nn.backbone import Native
from bench.planning import chains
from bench.planning.axes import BackboneConfig, PluginConfig, Roles
from bench.planning.combinations import Combination
from bench.planning.fixed_options import fix_options
from bench.planning.networks import Networks
from bench.planning.resolved_suite import ResolvedSuite
from bench.planning.widths import widths_of
from bench.results import source_digest
from bench.spec.cell import CORE, Cell, DataRef, Found, Parent, Recipe, Ref, Role, fewest_bits
from bench.spec.plan import NetworkCost


class CellBuilder:
    """
    Builds the cells of one suite; each data set is loaded once.

    With `unseen` one that is missing is noted in `missing` and has no images; its cells, whose ids
    are none that could be trained, are there to be looked at.
    """

    def __init__(self, resolved: ResolvedSuite, folder: Path, *, unseen: bool) -> None:
        self.resolved, self.folder, self.unseen = resolved, folder, unseen
        self.loaded: dict[str, tuple[DataRef, Dataset | None]] = {}
        self.missing: dict[str, str] = {}  # why data sets cannot be read
        self.numerics = source_digest.numerics()
        self.networks = Networks()

    def build(
        self, combination: Combination, roles: Roles, backbone: BackboneConfig, seeds: list[int]
    ) -> list[Cell]:
        """
        Build the cells of a combination with these estimators and this backbone, one per seed.

        Raises:
            SuiteError: the backbone cannot train on its data.
            DataError: the data is not there, or not what it should be.
        """
        cell = self._chain(combination, roles, backbone)
        return [cell.at_seed(seed) for seed in dict.fromkeys(seeds)]

    def _chain(self, combination: Combination, roles: Roles, backbone: BackboneConfig) -> Cell:
        """
        Build the cell of the last stage at seed 0, with those that it begins and learns from.

        A stage on the way has the bits that the last one has, whatever its own estimators compute.
        """
        start: Parent | None = None
        cells: list[Cell] = []
        stages = chains.stages(roles)
        wa = widths_of(chains.at_stage(roles, stages[-1]))
        for stage in stages:
            own = chains.at_stage(roles, stage)
            try:
                recipe = chains.recipe_at(backbone.recipe, stage)
            except ValidationError as error:  # one that tuning chose
                path: KeyPath = ("estimators", combination.label)
                raise self._refusal(*problems(error, path, Recipe)) from None
            taught = chains.is_taught(own)
            place = ("backbones", combination.backbone)
            cell = self._cell(place, own, replace(backbone, recipe=recipe), wa).model_copy(
                update={
                    "start": start,
                    "teacher": self._teacher(combination, backbone) if taught else None,
                }
            )
            cells.append(cell)
            start = Parent(cell=cell, which=stage.keep)
        return cells[-1]

    def _teacher(self, combination: Combination, pupil: BackboneConfig) -> Parent:
        """
        Build the teacher of a combination at seed 0: full precision, as its own row would train.

        It is the network that the estimator names, else the pupil's own as the suite has it; images
        that are held out from the pupil are held out from it, too.
        """
        axes = self.resolved.axes
        label = axes.taught_by.get(combination.label, combination.backbone)
        axis = "backbones" if label in axes.backbones else "teachers"
        network = (axes.backbones | axes.teachers)[label]
        held_out = {k: getattr(pupil.data.plugin, k, None) for k in ("held_out", "test")}
        if held_out["held_out"] is not None:
            network = replace(network, data=network.data.with_values(held_out))
        _, seen = self._load((axis, label), network)
        _, own = self._load(("backbones", combination.backbone), pupil)
        if seen and own and (seen.num_classes, seen.shape) != (own.num_classes, own.shape):
            kinds = (
                f"{x.num_classes} classes of {'x'.join(map(str, x.shape))}" for x in (seen, own)
            )
            message = f"`{label}` learns {' and its pupil '.join(kinds)}; they need the same images"
            path: KeyPath = ("estimators", combination.label, "teacher")
            raise self._refusal(Problem(path, message))
        return Parent(cell=self._cell((axis, label), {}, network, "32/32"))

    def _cell(self, place: KeyPath, roles: Roles, backbone: BackboneConfig, wa: str) -> Cell:
        """Build one training at seed 0, of the backbone that stands at `place`."""
        refs: dict[Role, Ref] = {
            role: config.plugin.ref(config.name, config.digest) for role, config in roles.items()
        }
        data, dataset = self._load(place, backbone)
        images = _images(backbone.data, dataset)
        if images and not roles:  # a teacher, or full precision
            self.networks.cost(place, backbone, roles, images)
        options = fix_options(self.resolved.suite.binarization, backbone.options, roles)
        return Cell(
            core=CORE,
            weights=refs.get("W"),
            activations=refs.get("A"),
            backbone=backbone.plugin.ref(backbone.name, backbone.digest),
            data=data,
            binarization=options,
            recipe=backbone.recipe,
            seed=0,
            numerics=self.numerics | source_digest.revisions(options),
            bits="" if not roles or wa == fewest_bits(refs) else wa,
        )

    def load(self, combination: Combination, backbone: BackboneConfig) -> Dataset | None:
        """Load the data that a backbone trains on; what is raised is what `build` raises."""
        return self._load(("backbones", combination.backbone), backbone)[1]

    def cost(
        self, combination: Combination, roles: Roles, backbone: BackboneConfig
    ) -> NetworkCost | None:
        """What the network of a combination costs; None, if that is not known."""
        place: KeyPath = ("backbones", combination.backbone)
        images = _images(backbone.data, self._load(place, backbone)[1])
        return self.networks.cost(place, backbone, roles, images) if images else None

    def why_missing(self, backbone: BackboneConfig) -> str:
        """Say why the data that a backbone trains on cannot be read; nothing if it can."""
        return self.missing.get(_key(backbone.data), "")

    @property
    def notes(self) -> list[str]:
        """What is odd about the data sets, each line once."""
        there = (dataset for _, dataset in self.loaded.values() if dataset)
        return list(dict.fromkeys(f"{data.label}: {note}" for data in there for note in data.notes))

    def _load(self, place: KeyPath, backbone: BackboneConfig) -> tuple[DataRef, Dataset | None]:
        """Load the data, once for each of its configurations, and name it as cells do."""
        source, key = backbone.data, _key(backbone.data)
        if key not in self.loaded:
            try:
                dataset = load(source.name, source.plugin, self.folder)
            except DataError as error:
                if not self.unseen:
                    raise
                dataset, self.missing[key] = None, str(error)
            self.loaded[key] = _reference(source, dataset), dataset
        ref, dataset = self.loaded[key]
        if dataset is None:
            return ref, None
        if problem := self._misfit(place, dataset, backbone):
            raise self._refusal(problem)
        return ref, dataset

    def _refusal(self, *wrong: Problem) -> SuiteError:
        return SuiteError(self.resolved.document.report(wrong))

    def _misfit(self, place: KeyPath, dataset: Dataset, backbone: BackboneConfig) -> Problem | None:
        """Say why the backbone that stands at `place` cannot train on this data."""
        batch_size = backbone.recipe.batch_size
        images, side = dataset.sizes["train"], dataset.shape[-1]
        if images % batch_size == 1:
            message = (
                f"{images} training images leave a last batch of 1, which BatchNorm cannot "
                "normalize; choose another size"
            )
            own: KeyPath = (*place, "train", "batch_size")
            return Problem(own if own in self.resolved.document.places else own[2:], message)
        needed = backbone.plugin.only_image
        if needed in {None, side}:
            return None
        message = f"takes images of {needed}x{needed}, {dataset.label} has {side}x{side}"
        key = "image" if "image" in type(backbone.data.plugin).model_fields else "resize"
        hint = f"; `{key}: {needed}` under data fits them"
        return Problem(place, message + hint)


def _key(source: PluginConfig) -> str:
    return f"{source.name}{source.plugin!r}"


def _images(source: PluginConfig, dataset: Dataset | None) -> Native | None:
    """What a network is to take; None: nobody knows before the data is read."""
    if dataset:
        return Native(dataset.shape[-1], dataset.num_classes, dataset.shape[0])
    known = source.plugin
    if isinstance(known, Known):
        return Native(known.side, known.num_classes, known.channels)
    return None


def _reference(source: PluginConfig, dataset: Dataset | None) -> DataRef:
    """Name a data set as cells do; what nobody knows before it is read stands beside its name."""
    found = None
    if dataset and not isinstance(source.plugin, Known):
        names = dataset.class_names or tuple(map(str, range(dataset.num_classes)))
        norm = dataset.transform
        found = Found(classes=names, channels=dataset.shape[0], mean=norm.mean, std=norm.std)
    return DataRef(
        name=source.name,
        params=source.plugin.model_dump(mode="json", exclude_none=True),
        fingerprint=dataset.fingerprint if dataset else "missing",
        version=source.plugin.version,
        source=source.digest,
        found=found,
    )
