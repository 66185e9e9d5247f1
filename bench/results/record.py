"""A record: what one cell measured, on what, and when. Written once, never edited."""

import hashlib
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import Field, FiniteFloat, model_validator

from bench.base.validation import Frozen
from bench.spec.cell import Cell, ParentRole, Role
from bench.spec.cell_status import CellStatus

Count: TypeAlias = Annotated[int, Field(ge=0, lt=2**53)]
LONGEST = 300  # characters of a reason
Line: TypeAlias = Annotated[str, Field(max_length=LONGEST, pattern=r"^[^\r\n]*$")]
CURVES = ("train_loss", "test_acc", "test_top5", "lr")  # one value of each for an epoch


class Histogram(Frozen):
    """Counts of equal bins over [low, high]."""

    epoch: int
    quantity: Literal["gradient", "error"]  # the weights' dL/dw, or sign(z) - f(z)
    low: FiniteFloat
    high: FiniteFloat
    counts: list[int]


class LayerIndicators(Frozen):
    """
    The raw values behind e and s, for one layer and role; lists hold one value per epoch.

    g is the loss gradient that reaches the latent tensor, without weight decay. Its moments
    are those of |g|, the variance unbiased: at the epoch's last step, and as the mean over its
    steps. e is ‖sign(z) - f(z)‖₂ over `n` latent values, after the epoch's last update; for
    activations z is the last batch, seen again by the net in evaluation mode. `now` and `end` are
    the knob's present and final value (of a learned knob both the present one); `pure` is the
    printed f, `used` the one that trains.
    """

    layer: str
    role: Role
    n: list[int]  # latent values in e
    zeros: list[int]  # of them exactly 0
    n_grad: int  # gradient values in a full step
    grad_mean_last: list[FiniteFloat]
    grad_var_last: list[FiniteFloat]
    grad_mean: list[FiniteFloat]
    grad_var: list[FiniteFloat]
    error_now_used: list[FiniteFloat]
    error_now_pure: list[FiniteFloat]
    error_end_used: list[FiniteFloat]
    error_end_pure: list[FiniteFloat]
    knob: list[FiniteFloat]  # its value, 0 where f has none
    histograms: list[Histogram] = []

    @model_validator(mode="after")
    def _one_value_an_epoch(self) -> Self:
        values: Mapping[str, Any] = self.__dict__
        single = {"layer", "role", "n_grad", "histograms"}
        lengths = {len(v) for k, v in values.items() if k not in single}
        if len(lengths) > 1 or 0 in lengths:
            message = f"lists of {sorted(lengths)} epochs"
            raise ValueError(message)
        return self


class EngineJob(Frozen):
    """
    The job of an engine that a process ran in.

    Args:
        engine: slurm, ray.
        job: its id, as the engine names it.
        node: as the engine names it.
        restarts: how often it was put back into the queue before.
        end: how it ended, in the engine's word; empty: nobody knows, or it ended by itself.
    """

    engine: Line
    job: Line
    node: Line = ""
    restarts: Count = 0
    end: Line = ""


class PluginOrigin(Frozen):
    """Where the code of a plugin that is none of signbench's own comes from."""

    distribution: str = ""  # name and version, of one that is installed
    commit: str = ""  # of the repository that its file lies in
    dirty: bool = False  # are there changes beside it that are not committed?


class Provenance(Frozen):
    """Where a record comes from. Times are UTC, durations in seconds, memory in MiB."""

    commit: str
    dirty: bool
    versions: dict[str, str]
    device: str
    threads: int
    compiled: bool
    host: str
    command: str
    started: str
    wall_s: float
    cells_at_once: int | None = None  # on its device, itself included; None: an older record
    energy_j: FiniteFloat | None = None  # that a GPU took for it alone, joules
    ranks: list[Line] = []  # of several processes that trained together: device and host of each
    plugins: dict[str, PluginOrigin] = {}  # by name; the shipped ones are of `commit`
    job: EngineJob | None = None  # None: it was nobody's job

    @property
    def processes(self) -> int:
        """That trained together."""
        return len(self.ranks) or 1


class Receipt(Frozen):
    """
    Two short trainings on the machine that measured: did they agree to the bit?

    `steps` holds one digest of the weights after each step of the first; machines whose digests
    agree compute alike.
    """

    environment: str  # what numbers may depend on beside a cell: device, versions, threads
    steps: list[str]
    first_difference: int | None  # the step at which the second differed; None: it never did
    made: str  # UTC


class Levels(Frozen):
    """
    What the trained network multiplies, in evaluation on test images: counted, not declared.

    The greatest numbers of distinct values of a filter of a binary layer, and of a channel of its
    inputs. One beyond what the declared bits allow stands for any number beyond.
    """

    weights: Count | None  # None: real
    inputs: Count | None
    weight_zeros: Annotated[float, Field(ge=0, le=1)]  # the share of weights that are 0
    input_zeros: Annotated[float, Field(ge=0, le=1)]
    products: Count  # of the layer that has most
    images: Count  # whose inputs were counted
    unlike: dict[Count, Line]  # epoch, from 0 → why the network was not as binary as it says


class Extras(Frozen):
    """What a network has beyond the same one with plain STE; MACs are multiply-accumulates."""

    parameters_trained: Count  # of binarizers, and of what stood beside the network
    parameters_kept: Count  # of these, what inference needs
    product_macs: Count  # of an image, by products beyond a layer's first
    other_macs: Count  # by what else binary layers multiply


class Unread(Frozen):
    """Of how many images of a split some could not be read, so that no number is of them."""

    images: Count
    of: Count


class Record(Frozen):
    """Accuracies are fractions in [0, 1]; curves hold one finite value per epoch."""

    schema_version: Literal[1] = 1
    cell: Cell
    status: CellStatus
    reason: str = ""
    curves: dict[str, list[FiniteFloat]] = {}  # by the names in `CURVES`
    best_epoch: int | None = None  # the first with the highest test_acc; see `best_acc`
    indicators: list[LayerIndicators] = []
    weights_digest: str = ""  # SHA-256 of the last weights
    best_digest: str = ""  # and of those at best_epoch
    parents: dict[ParentRole, str] = {}  # and of those that it began from and learned from
    parameters: int = 0
    images_per_s: FiniteFloat | None = None  # in training, evaluation and first epoch not counted
    peak_mib: FiniteFloat | None = None  # of a GPU its tensors, else the process (older: ever)
    provenance: Provenance
    earlier: list[Provenance] = []  # processes that trained first and were stopped or killed
    receipt: Receipt | None = None
    levels: Levels | None = None  # None: full precision, or an older record
    extras: Extras | None = None
    left_out: dict[Literal["train", "test"], Unread] = {}  # images that could not be read
    seal: str = ""  # SHA-256 of all the rest, put by `save_record`; empty in old ones

    @model_validator(mode="after")
    def _whole(self) -> Self:
        """What a table reads is there: curves of one length, and accuracies that are fractions."""
        epochs = {len(curve) for curve in self.curves.values()}
        accs = [a for k in ("test_acc", "test_top5") for a in self.curves.get(k, [])]
        wrong = "" if self.status.over else f"no record says {self.status}"
        if len(epochs) > 1 or any(not 0 <= a <= 1 for a in accs):
            wrong = "curves of several lengths, or accuracies beyond [0, 1]"
        elif self.status is CellStatus.OK and not self.curves.get("test_acc"):
            wrong = "ok, and no accuracy"
        elif epochs and self.best_epoch is not None and not 0 <= self.best_epoch < max(epochs):
            wrong = "best_epoch is none of its epochs"
        if wrong:
            raise ValueError(wrong)
        return self

    @property
    def measured(self) -> bool:
        """Is this a result, and not merely the trace of a failure? A divergence is one."""
        return self.status.measured

    @property
    def epochs(self) -> int:
        """How many epochs have a test accuracy."""
        return len(self.curves.get("test_acc", []))

    @property
    def last_acc(self) -> float | None:
        """Test accuracy after the last epoch, None unless the cell came to its end."""
        return self.curves["test_acc"][-1] if self.status is CellStatus.OK else None

    @property
    def best_acc(self) -> float | None:
        """
        The best over epochs, chosen on the test split as papers do.

        It is that of an epoch whose network was as binary as it says; None if there was none.
        """
        if self.status is not CellStatus.OK or self.never_binary:
            return None
        accs = self.curves["test_acc"]
        return max(accs) if self.best_epoch is None else accs[self.best_epoch]

    @property
    def last_top5(self) -> float | None:
        """Top-5 test accuracy after the last epoch, None where `last_acc` is, or in old records."""
        curve = self.curves.get("test_top5")
        return curve[-1] if curve and self.status is CellStatus.OK else None

    @property
    def best_top5(self) -> float | None:
        """Top-5 test accuracy at `best_epoch`, the epoch of `best_acc`, not the best of its own."""
        curve = self.curves.get("test_top5")
        if not curve or self.best_acc is None or self.best_epoch is None:
            return None
        return curve[self.best_epoch]

    @property
    def curves_digest(self) -> str:
        """A digest of curves and indicators, equal where these are equal to the bit."""
        text = self.model_dump_json(include={"curves", "indicators"})
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    @property
    def never_binary(self) -> bool:
        """Was the network less binary than it says in its best epoch, and so in all?"""
        return self.levels is not None and self.best_epoch in self.levels.unlike
