"""
The words that a field or an option may take, where there are few and the code decides which.

Each list stands here once: models validate by it, functions branch on it, and the command line
offers it. Nothing is imported but typing, since `bench --help` and Tab read this file.
"""

from typing import Literal, TypeAlias

Definition: TypeAlias = Literal["paper", "code", "scale_free"]  # of e and s
Correction: TypeAlias = Literal["holm", "fdr"]  # of p values for their number

# The kinds of things that `bench list` names, and that `bench show` describes one of.
Kind: TypeAlias = Literal[
    "estimator", "backbone", "data", "schedule", "suite", "preset", "ledger"
]  # fmt: skip
PLURALS: dict[str, Kind] = {
    "estimators": "estimator", "backbones": "backbone", "data": "data", "schedules": "schedule",
    "suites": "suite", "presets": "preset", "ledgers": "ledger",
}  # fmt: skip

# What a verdict of rational and flexible rests on.
PropertyDefinition: TypeAlias = Literal["p", "p-fixed", "end", "l2-uniform", "l2-normal", "trained"]
READINGS: dict[PropertyDefinition, str] = {  # b is the baseline: the identity, or hardtanh
    "p": "|sign z - f| ≤ |sign z - b| at every z, at every value of the knob that training visits, "
    "bounds that train varied",
    "p-fixed": "the same, bounds as they are configured",
    "end": "the same as p, at the end of the knob's path alone",
    "l2-uniform": "‖sign z - f‖ ≤ ‖sign z - b‖ for z uniform on (-1, 1), at every visited value",
    "l2-normal": "the same for z normal, cut at ±3",
    "trained": "the same on the latent weights and activations of a trained cell",
}
Baseline: TypeAlias = Literal["identity", "hardtanh"]
FormName: TypeAlias = Literal["pure", "truncated"]
