"""The cross product of a suite's axes, with a reason for each combination that does not run."""

import fnmatch
import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

from bench.nn.contract import Estimator, Surrogate
from bench.planning.axes import Axes
from bench.planning.widths import fit_widths
from bench.spec.cell import WA, bits_by_role
from bench.spec.plan import name_combination
from bench.spec.suite import Include, Suite

NO_KNOB = "{} has no scheduled knob; it runs once, not once per schedule"
MOMENTS = (0.0, 0.5, 0.999)  # of the schedule, where a knob is looked at


@dataclass(frozen=True)
class Combination:
    """One point of the crossed axes, seeds aside."""

    label: str
    backbone: str
    wa: WA
    schedule: str  # of the suite's axis

    def __str__(self) -> str:
        return name_combination(self.label, self.backbone, self.wa, self.schedule)


def combine(suite: Suite, axes: Axes) -> Iterator[tuple[Combination, list[int], str]]:
    """Yield each combination with its seeds, and why it is left out: empty if it runs."""
    for backbone, wa in product(axes.backbones, suite.wa):
        crossed = (
            _real(suite, axes, backbone) if wa == "32/32" else _cross(suite, axes, backbone, wa)
        )
        for combination, reason in crossed:
            yield combination, suite.seeds, reason
    for include in suite.include:
        for combination, reason in _include(suite, axes, include):
            yield combination, include.seeds or suite.seeds, reason


def _real(suite: Suite, axes: Axes, backbone: str) -> Iterator[tuple[Combination, str]]:
    """Yield full precision, which is one row whatever the estimators are."""
    real = Combination("none", backbone, "32/32", "default")
    yield real, _excluded(suite, real)
    for label, schedule in product(axes.estimators, suite.schedules):
        left_out = Combination(label, backbone, "32/32", schedule)
        yield left_out, "32/32 binarizes nothing; it runs once, in full precision"


def _cross(suite: Suite, axes: Axes, backbone: str, wa: WA) -> Iterator[tuple[Combination, str]]:
    """Yield every estimator on every schedule."""
    for label in axes.estimators:
        first = True
        for schedule in suite.schedules:
            combination = Combination(label, backbone, wa, schedule)
            reason = (
                _excluded(suite, combination)
                or _other_bits(axes, combination)
                or _no_schedule(axes, combination, first=first)
            )
            first = first and bool(reason)
            yield combination, reason


def _include(suite: Suite, axes: Axes, include: Include) -> Iterator[tuple[Combination, str]]:
    """Yield what an include adds; what it does not name takes the suite's axes."""
    backbones = [b for b in axes.backbones if include.backbone in (None, b)]
    widths: list[WA] = [include.wa] if include.wa else [w for w in suite.wa if w != "32/32"]
    for backbone, wa in product(backbones, widths):
        combination = Combination(include.estimator, backbone, wa, include.schedule)
        yield combination, _impossible(axes, combination)


def _impossible(axes: Axes, combination: Combination) -> str:
    """Say why what an include adds cannot run."""
    if combination.wa == "32/32":
        return ""
    return _other_bits(axes, combination) or _no_schedule(axes, combination, first=True)


def _other_bits(axes: Axes, combination: Combination) -> str:
    """Say why the estimators of `combination` cannot have the bits that it asks for."""
    return fit_widths(axes.estimators[combination.label], combination.wa)[1]


def _excluded(suite: Suite, combination: Combination) -> str:
    """Return the reason of the first `exclude` that matches."""
    for rule in suite.exclude:
        given = {k: v for k, v in vars(rule).items() if k != "reason" and v is not None}
        values = {"estimator": combination.label} | vars(combination)
        if all(any(_meets(values[k], word) for word in v) for k, v in given.items()):
            return " ".join(rule.reason.split()) or "excluded"
    return ""


def _meets(label: str, word: str) -> bool:
    return label == word or fnmatch.fnmatchcase(label, word)


def _no_schedule(axes: Axes, c: Combination, *, first: bool) -> str:
    """Say why `c` cannot follow its schedule; without a knob to schedule the first one runs."""
    plugins = [axes.estimators[c.label][role].plugin for role in bits_by_role(c.wa)]
    scheduled = [p for p in plugins if has_schedule(p)]
    if not scheduled:
        return "" if first else NO_KNOB.format(c.label)
    own = c.label in axes.own_schedule
    if own and not first:
        return f"{c.label} names its own schedule; it runs once"
    for plugin in scheduled:
        name = getattr(plugin, "schedule", "") if own or c.schedule == "default" else c.schedule
        problem = _no_number(plugin.model_copy(update={"schedule": name}))
        if problem:
            return f"{c.label}'s knob cannot follow {name}: {problem}"
    return ""


def _no_number(plugin: Any) -> str:
    """Say why the knob has no number somewhere on its path."""
    for p in MOMENTS:
        try:
            value = plugin.path(p)
        except (ArithmeticError, ValueError, TypeError) as error:
            return str(error)
        except Exception as error:  # whatever a stranger's knob raises
            return f"{type(error).__name__}: {error}"
        if not math.isfinite(value):
            return f"it would be {value}"
    return ""


def has_schedule(plugin: Estimator) -> bool:
    return isinstance(plugin, Surrogate) and "schedule" in type(plugin).model_fields
