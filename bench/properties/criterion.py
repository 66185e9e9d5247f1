"""
What rational and flexible mean when one asks; importable without torch.

A definition says over which z and which values of the knob f is compared, a baseline what f must
not be further from sign than, and a form which f is meant: `bench.properties.study` says how.
"""

from dataclasses import dataclass
from typing import get_args

from bench.spec.choices import Baseline, FormName, PropertyDefinition

DEFINITIONS: tuple[PropertyDefinition, ...] = get_args(PropertyDefinition)
BASELINES: tuple[Baseline, ...] = get_args(Baseline)
FORMS: tuple[FormName, ...] = get_args(FormName)


@dataclass(frozen=True)
class Criterion:
    """One definition of rational and flexible, with its baseline and its form of f."""

    definition: PropertyDefinition = "p"
    baseline: Baseline = "identity"
    form: FormName = "pure"

    def __str__(self) -> str:
        return f"definition {self.definition}, baseline {self.baseline}, {self.form} f"
