"""
Is a network as binary as it says? Counted on what its layers really multiply, in evaluation.

Of every product of a binary layer the distinct values of its weights are counted by filter, those
of its inputs by channel, and zeros. With b bits there are 2^b values at most; one bit may also be
-s, 0 and s, where 0 is sign(0). Values are equal if they differ by less than a millionth of the
largest. The products of a layer that has several count one by one.
"""

import contextlib
import math
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from bench.nn.layers import binary_layers
from bench.results.record import LONGEST, Levels
from bench.spec.cell import Role
from bench.train.products import Product, watched

A_FEW = 64  # images that are looked at after each epoch
MANY = 1_000  # after the last
CLOSE = 1e-6
CACHED = 2**18  # values that are looked at together
FOLDS = 256
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
    """The distinct values of columns, a column being a filter or a channel."""

    bits: int  # that they should have
    found: Tensor | None = None  # (most, columns), in rising order, padded by infinity
    images: int = 0  # that they were seen of
    zeros: int = 0
    total: int = 0

    @property
    def most(self) -> int:
        """Values of a column beyond which nobody counts."""
        return max(2**self.bits, 3) + 1

    def add(self, x: Tensor) -> None:
        """Look at more of them; x is (anything, columns)."""
        self.total += x.numel()
        size = max(CACHED // max(x.shape[1], 1), 1)
        for start in range(0, len(x), size):
            part = x[start : start + size]
            self.zeros += part.numel() - int(torch.count_nonzero(part))
            new = distinct(part, self.most)
            known = new if self.found is None else torch.cat([self.found, new])
            self.found = distinct(known, self.most)

    @property
    def count(self) -> int:
        """The most values of a column."""
        return 0 if self.found is None else int(self.found.isfinite().sum(0).max())

    @property
    def few(self) -> bool:
        """Are there no more than so many bits have?"""
        if self.found is None or self.count <= 2**self.bits:
            return True
        if self.bits > 1 or self.count > 3:
            return False
        low, middle, high = self.found[:3, self.found[2].isfinite()]
        return bool(((middle == 0) & ((low + high).abs() <= CLOSE * high)).all())

    @property
    def words(self) -> str:
        """How many there are, for a reader."""
        said = f"more than {self.most - 1}" if self.count == self.most else str(self.count)
        zeros = f" ({100 * self.zeros / self.total:.1f} % zeros)" if self.zeros else ""
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
            weights.add(product.w.reshape(len(product.w), -1).T)
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
            return _line(f"{CALLED[role]} of {worst.words} in {layer}")
        if self.unseen:
            return _line(f"{min(self.unseen)} multiplies elsewhere than in `product`")
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
    """Inputs (N, C, H, W) of a convolution or (..., C) of a linear map as (values, C)."""
    last = a.permute(0, 2, 3, 1) if w.ndim == 4 else a
    return last.reshape(-1, last.shape[-1])


def distinct(x: Tensor, most: int) -> Tensor:
    """
    Find the distinct values of each column in rising order, `most` of them at most.

    Args:
        x: (n, columns); infinities are no values.

    Returns:
        (`most`, columns), padded by infinity.
    """
    padded = x.new_full((most, x.shape[1]), torch.inf)
    if not x.numel():
        return padded
    low, high, only = _ends(x)
    if only and most > 1:
        padded[0], padded[1] = low, torch.where(high > low, high, torch.inf)
        return padded
    finite = x.isfinite()
    close = CLOSE * torch.where(finite, x, 0).abs().amax(0)
    if most > SORTED:
        ordered = x.sort(0).values
        apart = ordered.diff(dim=0) > close
        new = torch.cat([torch.ones_like(apart[:1]), apart]) & ordered.isfinite()
        place = torch.where(new, new.cumsum(0) - 1, most).clamp(max=most)
        return x.new_full((most + 1, x.shape[1]), torch.inf).scatter(0, place, ordered)[:most]
    last = torch.full_like(low, -torch.inf)
    for index in range(most):
        last = torch.where((x > last + close) & finite, x, torch.inf).amin(0)
        if not bool(last.isfinite().any()):
            break
        padded[index] = last
    return padded


def _ends(x: Tensor) -> tuple[Tensor, Tensor, bool]:
    """The least and the greatest value of each column, and whether there are no others."""
    folds = math.gcd(len(x), FOLDS)  # the same columns side by side, for long rows are faster
    wide = x.reshape(-1, folds * x.shape[1])
    low = wide.amin(0).view(folds, -1).amin(0)
    high = wide.amax(0).view(folds, -1).amax(0)
    within = torch.minimum(wide - low.repeat(folds), high.repeat(folds) - wide)
    return low, high, bool(within.amax() == 0)


def _line(text: str) -> str:
    """A reason as a record takes it, whatever a layer is called."""
    return " ".join(text.split())[:LONGEST]


def _zeros(values: list[Values]) -> float:
    """The share of zeros."""
    return sum(v.zeros for v in values) / max(sum(v.total for v in values), 1)
