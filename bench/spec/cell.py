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
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from itertools import pairwise
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    WithJsonSchema,
    model_validator,
)

from bench.base.validation import Frozen, Settable
from bench.spec.recipe_fields import wrong_fields

Role: TypeAlias = Literal["W", "A"]  # weights, activations
LRRule: TypeAlias = Literal[
    "reference", "clean", "linear", "linear_early", "step", "exponential", "constant"
]
# latent: weights of binary layers; weight: of other convolutions and linear maps; norm: weights and
# biases of BatchNorm, LayerNorm and their like; other: slopes, thresholds, a method's own
ParameterKind: TypeAlias = Literal["latent", "weight", "bias", "norm", "other"]
Which: TypeAlias = Literal["last", "best"]  # of a cell's weights: of which epoch
ParentRole: TypeAlias = Literal["start", "teacher"]
REAL_BITS = 32  # of what is not quantized
WIDTHS = r"32/32|[1-8]/([1-8]|32)"


def _possible_widths(wa: str) -> str:
    if not re.fullmatch(WIDTHS, wa):
        message = (
            "must be `1/1`, `1/32`, `32/32`, or other bits, 8 at most, as `1/2` and `2/32`, "
            f"got `{wa[:40]}`"
        )
        raise ValueError(message)
    return wa


WA: TypeAlias = Annotated[
    str,
    AfterValidator(_possible_widths),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": f"^({WIDTHS})$",
            "examples": ["1/1", "1/32", "1/2", "2/32", "32/32"],
        }
    ),
]


def bits_by_role(wa: str) -> dict[Role, int]:
    """Return the bits of each role that is not real: of `1/32` {"W": 1}, of `32/32` none."""
    weights, activations = map(int, wa.split("/"))
    bits: dict[Role, int] = {"W": weights, "A": activations}
    return {role: count for role, count in bits.items() if count != REAL_BITS}


def fewest_bits(roles: Collection[Role]) -> WA:
    """Return the W/A at which these roles have one bit, and the others are real."""
    if "W" not in roles:
        return "32/32"
    return "1/1" if "A" in roles else "1/32"


def _sorted_unique(values: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(sorted(set(values))) if values else ()


def _rising(epochs: tuple[int, ...]) -> tuple[int, ...]:
    if any(a >= b for a, b in pairwise(epochs)):
        message = "must rise from one epoch to the next"
        raise ValueError(message)
    return epochs


def _listed(value: Any) -> Any:
    """Let one value stand for the list of it."""
    return value if isinstance(value, list | tuple) else (value,)  # pyright: ignore


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


class Recipe(Settable, Frozen):
    """
    How to train: everything that the compared estimators have in common.

    `lr_rule`: `reference` is the released ReSTE code, whose cosine lags the intended one by
    warmup - 1 epochs; `clean` is the cosine from lr to 0 over the epochs after warm-up;
    `train.learning_rate` has the formulas of all. `loss`: cross entropy, or squared hinge as
    `nn.coach.recipe_loss` has it. What the optimizer, rule or loss does not use is refused.
    """

    epochs: Annotated[PositiveInt, Cost(trial=True)]
    batch_size: Annotated[int, Field(ge=2), Cost(step=True, trial=True)] = 256
    optimizer: Annotated[Literal["sgd", "adam", "adamw"], Cost(step=True)] = "sgd"
    lr: Annotated[PositiveFloat, Field(allow_inf_nan=False), FREE] = 0.1
    momentum: Annotated[float, Field(ge=0, lt=1), FREE] = 0.9  # SGD's; Adam's betas are torch's
    nesterov: Annotated[Literal["on", "off"], _omitted_if("off"), Cost(step=True)] = "off"  # SGD's
    weight_decay: Annotated[NonNegativeFloat, Field(allow_inf_nan=False), FREE] = 1e-4
    no_decay: Annotated[
        tuple[ParameterKind, ...],
        BeforeValidator(_listed),
        AfterValidator(_sorted_unique),
        _omitted_if(()),
        Cost(step=True),
    ] = ()  # kinds of parameters without weight decay
    warmup: Annotated[NonNegativeInt, FREE] = 0  # epochs of lr·(e+1)/warmup
    lr_rule: Annotated[LRRule, FREE] = "reference"
    lr_steps: Annotated[
        tuple[PositiveInt, ...],
        BeforeValidator(_listed),
        AfterValidator(_rising),
        _omitted_if(()),
        FREE,
    ] = ()  # of `step`: epochs, from 0, at which lr is multiplied
    lr_every: Annotated[NonNegativeInt, _omitted_if(0), FREE] = 0  # of `step`: or each so many
    lr_factor: Annotated[
        tuple[Annotated[PositiveFloat, Field(allow_inf_nan=False)], ...],
        Field(min_length=1),
        BeforeValidator(_listed),
        _omitted_if((0.1,)),
        FREE,
    ] = (0.1,)  # of `step`: by what lr is multiplied; one, or one for each of lr_steps
    lr_end: Annotated[NonNegativeFloat, Field(allow_inf_nan=False), _omitted_if(0.0), FREE] = (
        0.0  # of `linear`, `linear_early` and `exponential`
    )
    loss: Annotated[
        Literal["cross_entropy", "squared_hinge"], _omitted_if("cross_entropy"), Cost(step=True)
    ] = "cross_entropy"
    label_smoothing: Annotated[float, Field(ge=0, lt=1), _omitted_if(0.0), FREE] = 0.0
    progress: Annotated[Literal["e/E", "e/(E-1)"], FREE] = "e/E"  # of knobs; e/(E-1) reaches 1
    indicators: Annotated[Literal["on", "off"], Cost(step=True, trial=True)] = "on"
    histograms: Annotated[
        tuple[int, ...], AfterValidator(_sorted_unique), Cost(trial=True)
    ] = ()  # epochs, from 0

    @model_validator(mode="after")
    def _fits(self) -> "Recipe":
        if wrong := wrong_fields(self):  # pyright: ignore[reportArgumentType]
            raise ValueError(wrong)
        return self

    @classmethod
    @cache
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
    scale_act: Literal["off", "layer"] = "off"  # scale by mean |x| of an image's input, too?
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


class Found(Frozen):
    """What a data set turned out to be, where name and parameters do not tell it beforehand."""

    classes: tuple[str, ...]  # their names, in the order of the labels
    channels: PositiveInt
    mean: tuple[float, ...] = ()  # per channel, by which images are normalized; of [0, 1]
    std: tuple[float, ...] = ()


class DataRef(Frozen):
    """A data set by name and parameters, and the fingerprint of what was found there."""

    name: str
    params: dict[str, Any] = {}
    fingerprint: str
    version: Annotated[PositiveInt, _omitted_if(1)] = 1
    source: Annotated[str, _omitted_if("")] = ""  # digest of its file; signbench's own have none
    found: Annotated[Found | None, _omitted_if(None)] = None


class Parent(Frozen):
    """Another cell that has to train first, whole, and which of its weights are taken."""

    cell: "Cell"
    which: Annotated[Which, _omitted_if("last")] = "last"


class Cell(Frozen):
    """
    One training run. Its id hashes every field, so equal cells share one record.

    It may begin from the weights of another cell, and learn from the network of another; its id
    covers all of these, which stand in it whole, so no chain of cells can be a circle.

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
    start: Annotated[Parent | None, _omitted_if(None)] = None  # whose weights it begins from
    teacher: Annotated[Parent | None, _omitted_if(None)] = None  # full precision, for its coach
    # of weights and activations, where they are more than the one bit of each that is not real
    bits: Annotated[WA | Literal[""], _omitted_if("")] = ""

    @cached_property
    def id(self) -> str:
        """Twelve hex digits of the canonical JSON."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:12]

    @property
    def key(self) -> str:
        """What a person means by the cell, whatever code and data made it."""
        made_by = {"version", "source"}
        own = self.model_dump_json(
            exclude={
                "core": True,
                "numerics": True,
                "weights": made_by,
                "activations": made_by,
                "backbone": made_by,
                "data": made_by | {"fingerprint", "found"},
                "start": True,
                "teacher": True,
            }
        )
        above = (f"{role} {p.which} {p.cell.key}" for role, p in self.parents.items())
        return " ".join([own, *above])

    @property
    def parents(self) -> dict[ParentRole, Parent]:
        """The cells that have to train before this one, by what they are to it."""
        given: dict[ParentRole, Parent | None] = {"start": self.start, "teacher": self.teacher}
        return {role: parent for role, parent in given.items() if parent}

    def ancestry(self) -> list["Cell"]:
        """List every cell that this one rests on, each once, parents before their children."""
        if not self.start and not self.teacher:
            return []
        found: dict[str, Cell] = {}
        for parent in self.parents.values():
            found |= {cell.id: cell for cell in (*parent.cell.ancestry(), parent.cell)}
        return list(found.values())

    @property
    def stages(self) -> list["Cell"]:
        """The cells of its own chain, each begun from the one before; itself the last."""
        return [*(self.start.cell.stages if self.start else []), self]

    def at_seed(self, seed: int) -> "Cell":
        """The same training at another seed, its whole ancestry included."""
        moved = {
            role: p.model_copy(update={"cell": p.cell.at_seed(seed)})
            for role, p in self.parents.items()
        }
        return self.model_copy(update={"seed": seed, **moved})

    def sibling(self, other: "Cell") -> bool:
        """Is this the same training but for the seed?"""
        return self.at_seed(other.seed) == other

    @property
    def wa(self) -> WA:
        """Bit widths of weights and activations."""
        refs: dict[Role, Ref | None] = {"W": self.weights, "A": self.activations}
        return self.bits or fewest_bits([role for role, ref in refs.items() if ref])

    @property
    def slug(self) -> str:
        """A readable, unique, file-safe name: `reste-resnet20-w1a1-s0__0123456789ab`."""
        return f"{self.name}__{self.id}"

    @property
    def name(self) -> str:
        """What is readable in the slug; cells of several recipes or sources have the same."""
        names = tuple(ref.name for ref in (self.weights, self.activations) if ref)
        return f"{_stem(names, self.backbone.name, self.wa)}-s{self.seed}"[:80]


@lru_cache(maxsize=512)
def _stem(estimators: tuple[str, ...], backbone: str, wa: WA) -> str:
    """All of a cell's name but its seed."""
    w, a = wa.split("/")
    words = ["+".join(dict.fromkeys(estimators)) or "real", backbone, f"w{w}a{a}"]
    return re.sub(r"[^\w.+-]", "_", "-".join(words))


CORE = 1
