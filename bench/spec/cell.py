"""
A cell: one fully resolved training run, and the name it goes by for ever.

That name is the hash of the cell's JSON. To add a field to a class below without renaming every
cell there ever was, give it a default that means what was done before there was a choice, and
leave that default out of the JSON: `Annotated[str, _omitted_if("float32")] = "float32"`. A cell
that takes the default keeps its name then, and with it its record. A field of `Recipe` also says
its `Cost`.
"""

import hashlib
import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import (
    AfterValidator,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from bench.base.validation import Frozen

WA: TypeAlias = Literal["32/32", "1/32", "1/1"]
Role: TypeAlias = Literal["W", "A"]  # weights, activations


def _sorted_unique(epochs: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sorted(set(epochs)))


def _omitted_if(default: object) -> Any:
    """Leave a field out of the JSON while it has its default; the head of this file says why."""
    return Field(exclude_if=lambda value: value == default)


@dataclass(frozen=True)
class Cost:
    """
    What a field of the recipe changes of the time that training takes.

    Attributes:
        step: a step of training computes something else, so that forecasts time it apart.
        trial: the whole training takes longer or shorter by much, so that tuning leaves the field
            alone: its trials cost the same.
    """

    step: bool = False
    trial: bool = False


FREE = Cost()  # a number that a step computes with, whatever it is
UNSAID = Cost(step=True, trial=True)


class Ref(Frozen):
    """A plugin by name, with every parameter spelled out, defaults included."""

    name: str
    version: PositiveInt = 1
    params: dict[str, Any] = {}
    source: Annotated[str, _omitted_if("")] = ""  # digest of its file


class Recipe(Frozen):
    """
    How to train: everything that the compared estimators have in common.

    `lr_rule`: `reference` is the released ReSTE code, whose cosine lags the intended one by
    warmup - 1 epochs; `clean` is the cosine from lr to 0 over the epochs after warm-up.
    """

    epochs: Annotated[PositiveInt, Cost(trial=True)]
    batch_size: Annotated[int, Field(ge=2), Cost(step=True, trial=True)] = 256
    optimizer: Annotated[Literal["sgd", "adamw"], Cost(step=True)] = "sgd"
    lr: Annotated[PositiveFloat, Field(allow_inf_nan=False), FREE] = 0.1
    momentum: Annotated[float, Field(ge=0, lt=1), FREE] = 0.9  # SGD's; AdamW's betas are torch's
    weight_decay: Annotated[NonNegativeFloat, Field(allow_inf_nan=False), FREE] = 1e-4
    warmup: Annotated[NonNegativeInt, FREE] = 0  # epochs of lr·(e+1)/warmup
    lr_rule: Annotated[Literal["reference", "clean"], FREE] = "reference"
    progress: Annotated[Literal["e/E", "e/(E-1)"], FREE] = "e/E"  # of knobs; e/(E-1) reaches 1
    indicators: Annotated[Literal["on", "off"], Cost(step=True, trial=True)] = "on"
    histograms: Annotated[
        tuple[int, ...], AfterValidator(_sorted_unique), Cost(trial=True)
    ] = ()  # epochs, from 0

    @model_validator(mode="after")
    def _fits(self) -> "Recipe":
        wrong: list[str] = []
        if self.warmup > self.epochs:
            wrong.append(f"warmup (={self.warmup}) must be at most epochs (={self.epochs})")
        elif self.lr_rule == "reference" and self.warmup > 1 and self.epochs < 4 * self.warmup:
            wrong.append(
                f"lr_rule `reference` needs epochs (={self.epochs}) of at least 4 warmup "
                f"(={self.warmup}), its lagging cosine overshoots below; use lr_rule: clean"
            )
        beyond = [epoch for epoch in self.histograms if not 0 <= epoch < self.epochs]
        if beyond:
            last = self.epochs - 1
            wrong.append(f"histograms names epoch {beyond[0]}, epochs run from 0 to {last}")
        if wrong:
            raise ValueError("; ".join(wrong))
        return self

    @classmethod
    def costs(cls) -> dict[str, Cost]:
        """Return what each field says that it costs; one that says nothing costs all there is."""
        return {
            name: next((m for m in field.metadata if isinstance(m, Cost)), UNSAID)
            for name, field in cls.model_fields.items()
        }


class Binarization(Frozen):
    """
    What a binary layer does around sign, equal for all compared estimators.

    Layer and channel scale are the mean of |w|; multiplied after the convolution they leave
    its sums exact integers, so that ties stay exactly 0. The function is the same.
    """

    scale: Literal["layer", "channel", "none"] = "layer"
    scale_at: Literal["post", "pre"] = "post"
    scale_grad: Literal["on", "off"] = "on"  # does dL/dw see the scale's own dependence on w?
    scale_act: Literal["off", "layer"] = "off"  # scale by mean |x| of the binarized input, too?
    sign0: Literal[0, 1] = 0  # the value of sign(0)
    padding: Literal[-1, 0, 1] = 0  # what surrounds a binarized input
    standardize: Literal["on", "off"] = "off"  # (w - mean)/std per filter before sign
    # of the products of signs and gradients in convolutions at 1/1; sums are float32 either way
    gradients: Annotated[Literal["float32", "bfloat16"], _omitted_if("float32")] = "float32"

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.gradients != "float32" and self.scale != "none" and self.scale_at == "pre":
            message = "gradients: bfloat16 needs scale_at: post, which leaves sums whole numbers"
            raise ValueError(message)
        return self


class DataRef(Frozen):
    """A data set by name and parameters, and the fingerprint of what was found there."""

    name: str
    params: dict[str, Any] = {}
    fingerprint: str


class Cell(Frozen):
    """
    One training run. Its id hashes every field, so equal cells share one record.

    Some fields are not what a person asks for, but what the answer was made by: versions and
    digests of sources, the data's fingerprint, and `core`, the version of whatever else numbers
    rest on (raise `CORE` when they change for a reason that is in no digested file). Cells that
    differ in nothing else have one `key`.
    """

    core: PositiveInt
    weights: Ref | None  # the estimator in role W; None: real weights
    activations: Ref | None  # the estimator in role A; None: real activations
    backbone: Ref
    data: DataRef
    binarization: Binarization
    recipe: Recipe
    seed: NonNegativeInt
    numerics: Annotated[dict[str, str], _omitted_if({})] = {}  # file → digest

    @property
    def id(self) -> str:
        """Twelve hex digits of the canonical JSON."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:12]

    @property
    def key(self) -> str:
        """What a person means by the cell, whatever code and data made it."""
        made_by = {"version", "source"}
        return self.model_dump_json(
            exclude={
                "core": True,
                "numerics": True,
                "weights": made_by,
                "activations": made_by,
                "backbone": made_by,
                "data": {"fingerprint"},
            }
        )

    def sibling(self, other: "Cell") -> bool:
        """Is this the same training but for the seed?"""
        return self.model_copy(update={"seed": other.seed}) == other

    @property
    def wa(self) -> WA:
        """Bit widths of weights and activations."""
        if self.weights is None:
            return "32/32"
        return "1/32" if self.activations is None else "1/1"

    @property
    def slug(self) -> str:
        """A readable, unique, file-safe name: `reste-resnet20-w1a1-s0__0123456789ab`."""
        return f"{self.name}__{self.id}"

    @property
    def name(self) -> str:
        """What is readable in the slug; cells of several recipes or sources have the same."""
        names = dict.fromkeys(ref.name for ref in (self.weights, self.activations) if ref)
        w, a = self.wa.split("/")
        words = ["+".join(names) or "real", self.backbone.name, f"w{w}a{a}", f"s{self.seed}"]
        return re.sub(r"[^\w.+-]", "_", "-".join(words))[:80]


CORE = 1
