"""Cells of a plan: one for each seed of a combination, once its data is found and fits."""

from pathlib import Path

from bench.base.plain_data import KeyPath
from bench.base.yaml_document import Problem
from bench.data.dataset import Dataset
from bench.errors import SuiteError
from bench.planning.axes import BackboneConfig, Roles
from bench.planning.combinations import Combination
from bench.planning.resolved_suite import ResolvedSuite
from bench.results import source_digest
from bench.spec.cell import CORE, Cell, DataRef, Ref, Role


class CellBuilder:
    """Builds the cells of one suite; each data set is loaded once."""

    def __init__(self, resolved: ResolvedSuite, folder: Path) -> None:
        self.resolved, self.folder = resolved, folder
        self.loaded: dict[str, tuple[DataRef, Dataset]] = {}
        self.numerics = source_digest.numerics()

    def build(
        self, combination: Combination, roles: Roles, backbone: BackboneConfig, seeds: list[int]
    ) -> list[Cell]:
        """
        Build the cells of a combination with these estimators and this backbone, one per seed.

        Raises:
            SuiteError: the backbone cannot train on its data.
            DataError: the data is not there, or not what it should be.
        """
        refs: dict[Role, Ref] = {
            role: config.plugin.ref(config.name, config.digest) for role, config in roles.items()
        }
        data, _ = self._load(combination, backbone)
        net = backbone.plugin.ref(backbone.name, backbone.digest)
        return [
            Cell(
                core=CORE,
                weights=refs.get("W"),
                activations=refs.get("A"),
                backbone=net,
                data=data,
                binarization=self.resolved.suite.binarization,
                recipe=backbone.recipe,
                seed=seed,
                numerics=self.numerics,
            )
            for seed in dict.fromkeys(seeds)
        ]

    def load(self, combination: Combination, backbone: BackboneConfig) -> Dataset:
        """Load the data that a backbone trains on; what is raised is what `build` raises."""
        return self._load(combination, backbone)[1]

    def _load(self, combination: Combination, backbone: BackboneConfig) -> tuple[DataRef, Dataset]:
        """Load the data, once for each of its configurations, and name it as cells do."""
        source = backbone.data
        key = f"{source.name}{source.plugin!r}"
        if key not in self.loaded:
            dataset: Dataset = source.plugin.load(self.folder)
            params = source.plugin.model_dump(mode="json", exclude_none=True)
            ref = DataRef(name=source.name, params=params, fingerprint=dataset.fingerprint)
            self.loaded[key] = ref, dataset
        ref, dataset = self.loaded[key]
        if problem := self._misfit(combination.backbone, dataset, backbone.recipe.batch_size):
            raise SuiteError(self.resolved.document.report([problem]))
        return ref, dataset

    def _misfit(self, backbone: str, dataset: Dataset, batch_size: int) -> Problem | None:
        """Say why the backbone of this label cannot train on this data."""
        images, side = dataset.sizes["train"], dataset.shape[-1]
        if images % batch_size == 1:
            message = (
                f"{images} training images leave a last batch of 1, which BatchNorm cannot "
                "normalize; choose another size"
            )
            own: KeyPath = ("backbones", backbone, "train", "batch_size")
            return Problem(own if own in self.resolved.document.places else own[2:], message)
        needed = self.resolved.axes.backbones[backbone].plugin.only_image
        if needed in {None, side}:
            return None
        message = f"takes images of {needed}x{needed}, {dataset.label} has {side}x{side}"
        hint = f"; `resize: {needed}` under data fits them"
        return Problem(("backbones", backbone), message + hint)
