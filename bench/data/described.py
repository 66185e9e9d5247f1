"""A data set of which all that a plan asks is known, and that is read when something is trained."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, ClassVar

import torch
from torch import Tensor

from bench.data.dataset import (
    Count,
    Name,
    Report,
    Share,
    Split,
    Tensors,
    Transform,
    silent,
)


@dataclass(frozen=True)
class Facts:
    """What is known of a data set without its images."""

    label: str
    num_classes: int
    class_names: tuple[str, ...]
    shape: tuple[int, ...]
    sizes: dict[Name, int]
    fingerprint: str
    transform: Transform
    notes: tuple[str, ...]

    @staticmethod
    def of(data: Tensors) -> Facts:
        """The facts of a data set that was read."""
        return Facts(
            data.label, data.num_classes, data.class_names, data.shape, data.sizes,
            data.fingerprint, data.transform, data.notes,
        )  # fmt: skip

    def to_json(self) -> str:
        """Write them down."""
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str) -> Facts:
        """Read what `to_json` wrote; what is anything else raises some exception."""
        said: dict[str, Any] = json.loads(text)
        transform: dict[str, Any] = said["transform"]
        transform |= {key: tuple(transform[key]) for key in ("mean", "std")}
        said |= {key: tuple(said[key]) for key in ("class_names", "shape", "notes")}
        said["transform"] = Transform(**transform)
        return Facts(**said)


@dataclass(frozen=True)
class Described:
    """A `Dataset` that is read by the first who wants its images, and then is `Tensors`."""

    facts: Facts
    read: Callable[[], Tensors]

    fewest: ClassVar[int] = 1

    @cached_property
    def images(self) -> Tensors:
        """The data set itself."""
        return self.read()

    @property
    def label(self) -> str:
        return self.facts.label

    @property
    def num_classes(self) -> int:
        return self.facts.num_classes

    @property
    def class_names(self) -> tuple[str, ...]:
        return self.facts.class_names

    @property
    def notes(self) -> tuple[str, ...]:
        return self.facts.notes

    @property
    def transform(self) -> Transform:
        return self.facts.transform

    @property
    def shape(self) -> tuple[int, ...]:
        return self.facts.shape

    @property
    def sizes(self) -> dict[Name, int]:
        return self.facts.sizes

    @property
    def fingerprint(self) -> str:
        return self.facts.fingerprint

    @property
    def left_out(self) -> dict[Name, int]:
        return {}

    def labels(self, split: Name) -> Tensor:
        return self.images.labels(split)

    def select(self, label: str, train: Tensor, test: Tensor, source: Name = "test") -> Tensors:
        return self.images.select(label, train, test, source)

    def to(
        self, device: torch.device, workers: int | None = None, report: Report = silent
    ) -> Tensors:
        return self.images.to(device, workers, report)

    def shared(self, share: Share) -> Tensors:
        return self.images.shared(share)

    def epoch(self, size: int, rng: torch.Generator, start: int = 0) -> Iterator[Split]:
        return self.images.epoch(size, rng, start)

    def batches(self, split: Name, size: int) -> Iterator[Split]:
        return self.images.batches(split, size)

    def damaged(self, count: Count = silent) -> dict[str, str]:
        return self.images.damaged(count)
