"""
e and s in three definitions, computed from the raw values of records.

    definition   e of a layer at an epoch                   s of a layer at an epoch
    paper        ‖sign z - f(z)‖₂, f as it trains, at       var|g|, mean over the epoch's steps
                 the present knob
    code         the same of the printed f, at the knob's   var|g| at the epoch's last step
                 end
    scale_free   as paper, over √n                          as code, over the same step's (mean|g|)²

Over a record: `paper` and `scale_free` are means over layers and epochs. `code` sums e and s over
layers; over epochs it takes e's mean and s's sum. z and g are latent weights and their
gradients, or (role A) activations. e: Wu et al., ICCV 2023, eq. 2; s: eq. 3; `code` is their
release, which looks at weights alone.
"""

from collections.abc import Callable
from typing import TypeAlias

from bench.base.finite import LARGEST, mean
from bench.results.indexed_record import IndexedRecord
from bench.results.record import LayerIndicators, Record
from bench.spec.cell import Role
from bench.spec.choices import Definition

ABOUT: dict[Definition, str] = {
    "paper": "e is ‖sign z - f(z)‖, f as it trains at the present knob, s is var|g|, mean over an "
    "epoch's steps; both are means over layers and epochs",
    "code": "e is ‖sign z - f(z)‖, f as printed at the knob's end, s is var|g| at an epoch's last "
    "step; both are sums over layers, s over epochs, too",
    "scale_free": "e is ‖sign z - f(z)‖/√n, f as it trains at the present knob, s is var|g|/(mean "
    "|g|)² at an epoch's last step; both are means over layers and epochs",
}

Series: TypeAlias = tuple[list[float], list[float]]  # e and s, one value per epoch


def indicators(
    record: Record, definition: Definition = "paper", role: Role = "W"
) -> tuple[float | None, float] | None:
    """
    (e, s) of one record over the layers of `role`; None if it has none.

    e alone is None where there is no f; s is of gradients, and needs none.
    """
    if isinstance(record, IndexedRecord) and role == "W":
        return record.facts.equilibrium[definition]
    observed = [layer for _, layer in observed_layers(record, role)]
    layers = [series(layer, definition) for layer in observed]
    if not layers:
        return None
    there = any(map(has_f, observed))
    if definition == "code":
        sums = sum(mean(e) for e, _ in layers), sum(sum(s) for _, s in layers)
        return min(sums[0], LARGEST) if there else None, min(sums[1], LARGEST)
    e = mean(x for e, _ in layers for x in e) if there else None
    return e, mean(x for _, s in layers for x in s)


def observed_layers(record: Record, role: Role) -> list[tuple[str, LayerIndicators]]:
    """The layers of `role` that were observed for at least one epoch, by name."""
    return [(x.layer, x) for x in record.indicators if x.role == role and x.n]


def has_f(layer: LayerIndicators) -> bool:
    """Was there an f? Only what is no f differs from sign nowhere."""
    return any(any(errors) for errors in (layer.error_now_used, layer.error_now_pure))


def series(layer: LayerIndicators, definition: Definition) -> Series:
    """e and s of one layer at each epoch."""
    return DEFINITIONS[definition](layer)


def _paper(layer: LayerIndicators) -> Series:
    return layer.error_now_used, layer.grad_var


def _code(layer: LayerIndicators) -> Series:
    return layer.error_end_pure, layer.grad_var_last


def _scale_free(layer: LayerIndicators) -> Series:
    errors = zip(layer.error_now_used, layer.n, strict=True)
    # of one step: var/mean² of means over steps would grow with the change of |g| between steps
    moments = zip(layer.grad_mean_last, layer.grad_var_last, strict=True)
    return [e / n**0.5 for e, n in errors], [v / m / m if m else 0.0 for m, v in moments]


DEFINITIONS: dict[Definition, Callable[[LayerIndicators], Series]] = {
    "paper": _paper,
    "code": _code,
    "scale_free": _scale_free,
}
