"""
The words that a field or an option may take, where there are few and the code decides which.

Each list stands here once: models validate by it, functions branch on it, and the command line
offers it. Nothing is imported but typing, since `bench --help` and Tab read this file.
"""

from typing import Literal, TypeAlias

Definition: TypeAlias = Literal["paper", "code", "scale_free"]  # of e and s
Correction: TypeAlias = Literal["holm", "fdr"]  # of p values for their number

# The kinds of things that `bench list` names, and that `bench show` describes one of.
ListedKind: TypeAlias = Literal["estimators", "backbones", "data", "schedules", "suites", "presets"]
ShownKind: TypeAlias = Literal["estimator", "backbone", "data", "schedule", "suite", "ledger"]

# What a verdict of rational and flexible rests on; bench.properties.study says what each means.
PropertyDefinition: TypeAlias = Literal["p", "p-fixed", "end", "l2-uniform", "l2-normal", "trained"]
Baseline: TypeAlias = Literal["identity", "hardtanh"]
FormName: TypeAlias = Literal["pure", "truncated"]
