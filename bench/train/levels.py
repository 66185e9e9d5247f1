"""
Is a network as binary as it says? Counted on what its layers really multiply, in evaluation.

Of every product of a binary layer the distinct values of its weights are counted by filter, those
of its inputs by channel, and zeros. With b bits there are 2^b values at most; one bit may also be
-s, 0 and s, where 0 is sign(0). Values are equal if they differ by less than a millionth of the
largest. The products of a layer that has several count one by one.
"""

import contextlib
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from bench.nn.layers import binary_layers
from bench.results.record import Levels
from bench.spec.cell import Role
from bench.train.products import Product, watched

A_FEW = 64  # images that are looked at after each epoch
MANY = 1_000  # after the last
CLOSE = 1e-6
SORTED = 8  # more values than these are counted by sorting
CALLED: dict[Role, str] = {"W": "weights", "A": "inputs"}


@dataclass(frozen=True)
class Claim:
    """
    What a network says of itself, which is measured.

    Attributes:
        bits: of weights and inputs, of each role that is not real; none: nothing is measured.
        folds: parameters that inference does without, see `nn.contract.Estimator`.
    """

    bits: Mapping[Role, int]
    folds: frozenset[str] = frozenset()


NOTHING = Claim({})


@dataclass
class Values:
    """The distinct values of rows, a row being a filter or a channel."""

    bits: int  # that they should have
    rows: Tensor | None = None  # (rows, most), in rising order, padded by infinity
    images: int = 0  # that they were seen of
    zeros: int = 0
    total: int = 0

    @property
    def most(self) -> int:
        """Values of a row beyond which nobody counts."""
        return max(2**self.bits, 3) + 1

    def add(self, x: Tensor) -> None:
        """Look at more of them; x is (rows, anything)."""
        self.zeros += int((x == 0).sum())
        self.total += x.numel()
        new = distinct(x, self.most)
        self.rows = (
            new if self.rows is None else distinct(torch.cat([self.rows, new], 1), self.most)
        )

    @property
    def count(self) -> int:
        """The most values of a row."""
        return 0 if self.rows is None else int(self.rows.isfinite().sum(1).max())

    @property
    def few(self) -> bool:
        """Are there no more than so many bits have?"""
        if self.rows is None or self.count <= 2**self.bits:
            return True
        if self.bits > 1 or self.count > 3:
            return False
        low, middle, high = self.rows[self.rows[:, 2].isfinite(), :3].unbind(1)
        return bool(((middle == 0) & ((low + high).abs() <= CLOSE * high)).all())

    @property
    def words(self) -> str:
        """How many there are, for a reader."""
        said = f"more than {self.most - 1}" if self.count == self.most else str(self.count)
        zeros = f" ({self.zeros / self.total:.1%} zeros)" if self.zeros else ""
        return f"{said} values{zeros}"


@dataclass
class Seen:
    """What the products of a network were made of."""

    bits: Mapping[Role, int]  # that it says that it has, of the roles that are not real
    values: dict[tuple[Role, str, int], Values] = field(
        default_factory=dict[tuple[Role, str, int], Values]
    )
    unseen: set[str] = field(default_factory=set[str])  # layers without a product
    image: Tensor | None = None  # one that the network saw, (1, C, H, W)

    def look(self, product: Product, images: int) -> None:
        """Take note of a product; of so many images in all."""
        self.unseen.discard(product.layer)
        weights = self._of("W", product)
        if not weights.images:
            weights.images = 1
            weights.add(product.weights_by_filter)
        if "A" not in self.bits or product.real_input:
            return
        inputs = self._of("A", product)
        if (left := images - inputs.images) > 0:
            a = product.a[:left]
            inputs.images += len(a)
            inputs.add(by_channel(a, product.w))

    def keep(self, _: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        """Keep an image of a forward pass that begins."""
        self.image = inputs[0][:1]

    def unlike(self) -> str:
        """Say why the network is not as binary as it says; nothing if it is."""
        wrong = {key: values for key, values in self.values.items() if not values.few}
        if wrong:
            (role, layer, _), worst = max(wrong.items(), key=lambda item: item[1].count)
            return f"{CALLED[role]} of {worst.words} in {layer}"
        if self.unseen:
            return f"{min(self.unseen)} multiplies elsewhere than in `product`"
        return ""

    def levels(self, unlike: Mapping[int, str]) -> Levels:
        """The same for a record; `unlike` says in which epochs the network was not as it says."""
        weights, inputs = self._all("W"), self._all("A")
        return Levels(
            weights=max((values.count for values in weights), default=None),
            inputs=max((values.count for values in inputs), default=None),
            weight_zeros=_zeros(weights),
            input_zeros=_zeros(inputs),
            products=max((index + 1 for _, _, index in self.values), default=0),
            images=max((values.images for values in inputs), default=0),
            unlike=dict(unlike),
        )

    def _of(self, role: Role, product: Product) -> Values:
        key = role, product.layer, product.index
        return self.values.setdefault(key, Values(self.bits[role]))

    def _all(self, role: Role) -> list[Values]:
        return [values for (own, _, _), values in self.values.items() if own == role]


@contextlib.contextmanager
def counted(net: nn.Module, claim: Claim, images: int) -> Generator[Seen]:
    """
    Within, count the values of what `net` multiplies.

    Args:
        net: in evaluation mode within.
        claim: what it says of itself.
        images: of how many inputs are looked at.
    """
    seen = Seen(claim.bits)
    if not claim.bits:
        yield seen
        return
    seen.unseen |= {name for name, _ in binary_layers(net)}
    hook = net.register_forward_pre_hook(seen.keep)
    try:
        with watched(net, lambda product: seen.look(product, images)):
            yield seen
    finally:
        hook.remove()


def by_channel(a: Tensor, w: Tensor) -> Tensor:
    """Inputs (N, C, H, W) of a convolution or (..., C) of a linear map as (C, values)."""
    moved = a.transpose(0, 1) if w.ndim == 4 else a.movedim(-1, 0)
    return moved.reshape(len(moved), -1)


def distinct(x: Tensor, most: int) -> Tensor:
    """
    Find the distinct values of each row in rising order, `most` of them at most.

    Args:
        x: (rows, n); infinities are no values.

    Returns:
        (rows, `most`), padded by infinity.
    """
    padded = x.new_full((len(x), most), torch.inf)
    if not x.numel():
        return padded
    low, high = x.aminmax(dim=1, keepdim=True)
    if most > 1 and bool(((x == low) | (x == high)).all()):
        padded[:, :1] = low
        padded[:, 1:2] = torch.where(high > low, high, torch.inf)
        return padded
    finite = x.isfinite()
    close = CLOSE * torch.where(finite, x, 0).abs().amax(1, keepdim=True)
    if most > SORTED:
        ordered = x.sort(1).values
        apart = ordered.diff(dim=1) > close
        new = torch.cat([torch.ones_like(apart[:, :1]), apart], 1) & ordered.isfinite()
        place = torch.where(new, new.cumsum(1) - 1, most).clamp(max=most)
        beyond = x.new_full((len(x), most + 1), torch.inf)
        return beyond.scatter(1, place, ordered)[:, :most]
    last = torch.full_like(low, -torch.inf)
    for index in range(most):
        last = torch.where((x > last + close) & finite, x, torch.inf).amin(1, keepdim=True)
        if not bool(last.isfinite().any()):
            break
        padded[:, index : index + 1] = last
    return padded


def _zeros(values: list[Values]) -> float:
    """The share of zeros."""
    return sum(v.zeros for v in values) / max(sum(v.total for v in values), 1)
