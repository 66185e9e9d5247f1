"""
e and s in three definitions, computed from the raw values of records.

    definition   e                                          s
    paper        mean over layers and epochs of ‖·‖₂,       mean over layers and epochs of
                 f as it trains, present knob               var|g|, averaged over steps
    code         Σ over layers, mean over epochs, of ‖·‖₂,  Σ over layers and epochs of var|g|
                 printed f, knob at its end                 at the epoch's last step
    scale_free   as paper, of ‖·‖₂/√n                       as paper, of var|g|/(mean|g|)²

Over latent weights. e: Wu et al., ICCV 2023, eq. 2; s: eq. 3; `code` is their release.
"""

from collections.abc import Callable, Iterable
from statistics import fmean

from bench.cell import Definition
from bench.record import LayerIndicators, Record


def indicators(record: Record, definition: Definition = "paper") -> tuple[float, float] | None:
    """(e, s) of one record over its latent weights; None if it has none."""
    layers = [layer for layer in record.indicators if layer.role == "W" and layer.n]
    return DEFINITIONS[definition](layers) if layers else None


def _paper(layers: list[LayerIndicators]) -> tuple[float, float]:
    return (
        fmean(e for layer in layers for e in layer.error_now_used),
        fmean(s for layer in layers for s in layer.grad_var),
    )


def _code(layers: list[LayerIndicators]) -> tuple[float, float]:
    return (
        sum(fmean(layer.error_end_pure) for layer in layers),
        sum(s for layer in layers for s in layer.grad_var_last),
    )


def _scale_free(layers: list[LayerIndicators]) -> tuple[float, float]:
    def each() -> Iterable[float]:
        for layer in layers:
            for mean, var in zip(layer.grad_mean, layer.grad_var, strict=True):
                yield var / mean**2 if mean else 0.0

    return (
        fmean(
            e / n**0.5
            for layer in layers
            for e, n in zip(layer.error_now_used, layer.n, strict=True)
        ),
        fmean(each()),
    )


DEFINITIONS: dict[Definition, Callable[[list[LayerIndicators]], tuple[float, float]]] = {
    "paper": _paper,
    "code": _code,
    "scale_free": _scale_free,
}
