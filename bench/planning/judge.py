"""The last of the passes over a suite: whether its parts, sound by themselves, go together."""

import fnmatch
from collections.abc import Iterable, Iterator
from itertools import product

import torch

from bench.base.plain_data import KeyPath, as_mapping
from bench.base.text import suggest
from bench.base.yaml_document import Document, Problem
from bench.nn.contract import Estimator, Surrogate
from bench.planning import chains
from bench.planning.axes import BOTH, Axes
from bench.planning.combinations import MOMENTS
from bench.planning.fixed_options import impossible_options
from bench.planning.widths import fit_widths
from bench.spec.suite import Cross, Suite

LONGEST_LABEL = 200
STEEPEST = 1e6  # of a slope at 0 that `gain: unit` can divide by


def judge(suite: Suite, axes: Axes, document: Document, known: Iterable[Problem]) -> list[Problem]:
    """
    Say where the parts of a suite contradict each other, in labels above all.

    Args:
        suite: the suite, or what is sound of it.
        axes: what could be built of its plugins.
        document: what it says, and where.
        known: what parsing and building found, which is not told again in other words.
    """
    return [
        *_empty_axes(suite),
        *_bad_labels(axes),
        *_half_real_rows(suite),
        *_crossed_twice(suite),
        *_crossed_and_set(document),
        *_unknown_labels(suite, axes, known),
        *_impossible_gains(axes),
        *_impossible_chains(axes),
        *_unknown_teachers(axes),
        *_impossible_bits(suite, axes),
        *impossible_options(axes),
    ]


def _empty_axes(suite: Suite) -> Iterator[Problem]:
    """Find axes without a label."""
    for axis in ("estimators", "backbones"):
        if not getattr(suite, axis):
            yield Problem((axis,), f"names none; `bench list {axis}` has some")


def _bad_labels(axes: Axes) -> Iterator[Problem]:
    """Find labels that no table has a place for."""
    of_axes = (
        ("estimators", axes.estimators),
        ("backbones", axes.backbone_labels),
        ("teachers", axes.teacher_labels),
    )
    for axis, labels in of_axes:
        for label in labels:
            if len(label.splitlines()) > 1 or len(label) > LONGEST_LABEL:
                message = f"a label is one line of at most {LONGEST_LABEL} characters"
                yield Problem((axis, label), message)


def _half_real_rows(suite: Suite) -> Iterator[Problem]:
    """Find includes that are full precision by their label alone, or by their W/A alone."""
    for i, include in enumerate(suite.include):
        if (include.estimator == "none") != (include.wa == "32/32"):
            yield Problem(("include", i), "estimator: none and wa: 32/32 go together")


def _unknown_labels(suite: Suite, axes: Axes, known: Iterable[Problem]) -> Iterator[Problem]:
    """Find labels that one part of the suite uses and no other defines."""
    unbuilt = {str(p.path[1]) for p in known if p.path[:1] == ("estimators",) and p.path[1:]}
    estimators = [*axes.estimators, *sorted(unbuilt - axes.estimators.keys())]
    for path, label, may_be_real in _uses(suite):
        if path[-1] == "backbone" or "backbones" in path:
            labels = sorted(axes.backbone_labels)
        else:
            labels = [*estimators, "none"] if may_be_real else estimators
        is_pattern = path[0] == "exclude" and bool(fnmatch.filter(labels, label))
        if label not in labels and not is_pattern:
            yield Problem(path, f"no `{label}` in this suite{suggest(label, labels)}")


def _uses(suite: Suite) -> Iterator[tuple[KeyPath, str, bool]]:
    """Yield where a label is used, the label, and whether it may be `none`, full precision."""
    if suite.baseline is not None:
        yield ("baseline",), suite.baseline, False
    for i, include in enumerate(suite.include):
        yield ("include", i, "estimator"), include.estimator, True
        if include.backbone is not None:
            yield ("include", i, "backbone"), include.backbone, False
    for i, exclude in enumerate(suite.exclude):
        yield from ((("exclude", i, "estimator"), word, True) for word in exclude.estimator or [])
        yield from ((("exclude", i, "backbone"), word, False) for word in exclude.backbone or [])
    if suite.published.backbone is not None:
        yield ("published", "backbone"), suite.published.backbone, False
    for label in suite.published.acc:
        yield ("published", "acc", label), label, True
    tuned = suite.tune.model_dump(include={"estimators", "backbones"}) if suite.tune else {}
    yield from ((("tune", axis, x), x, False) for axis, labels in tuned.items() for x in labels)


def _crossed_twice(suite: Suite) -> Iterator[Problem]:
    """Find values of the recipe that the suite crosses and something else sets."""
    crossed = suite.cross.train.keys()
    for axis in ("estimators", "backbones"):
        for label, entry in getattr(suite, axis).items():
            networks = (as_mapping(entry.get("structure")) or {}).items()
            of_networks = [
                (("structure", n, "train"), as_mapping(own) or {}) for n, own in networks
            ]
            for place, said in ((("train",), entry), *of_networks):
                for key in crossed & (as_mapping(said.get("train")) or {}).keys():
                    yield Problem((axis, label, *place, key), "the suite crosses it; say it once")
    for key in crossed & (suite.tune.train if suite.tune else {}).keys():
        yield Problem(("tune", "train", key), "the suite crosses it, so it is not chosen")


def _crossed_and_set(document: Document) -> Iterator[Problem]:
    """Find values that the suite's own file sets although it, or what it extends, crosses them."""
    crossed = as_mapping(document.data.get("cross")) or {}
    for part in Cross.model_fields:
        for key in as_mapping(crossed.get(part)) or {}:
            said = document.places.get((part, key), "")
            there = document.places.get(("cross", part, key), "")
            if said != there and said.startswith(f"{document.source}:"):
                message = f"{there} crosses it: say it there, in `cross.{part}.{key}`, alone"
                yield Problem((part, key), message)


def _impossible_gains(axes: Axes) -> Iterator[Problem]:
    """Find labels whose `gain: unit` has nothing to divide by."""
    for label, roles in axes.estimators.items():
        for config in roles.values():
            if reason := _no_gain(config.plugin):
                yield Problem(("estimators", label), reason)


def _impossible_chains(axes: Axes) -> Iterator[Problem]:
    """Find labels whose estimators ask for stages that cannot be, or for no teacher."""
    for label, roles in axes.estimators.items():
        recipes = [axes.network(label, backbone).recipe for backbone in axes.backbones]
        wrong = [*chains.check(roles, recipes)]
        yield from (Problem(("estimators", label), why) for why in wrong)
        if label in axes.taught_by and not wrong and not chains.taught_at_all(roles):
            message = f"{roles['W'].name} learns from no teacher"
            yield Problem(("estimators", label, "teacher"), message)


def _unknown_teachers(axes: Axes) -> Iterator[Problem]:
    """Find names of teachers that nothing has, or two networks."""
    for label in sorted(axes.teacher_labels & axes.backbone_labels):
        yield Problem(("teachers", label), "is the label of a backbone, too; choose another")
    known = sorted(axes.backbone_labels | axes.teacher_labels)
    for label, teacher in axes.taught_by.items():
        if teacher not in known:
            message = f"no `{teacher}` among backbones and teachers{suggest(teacher, known)}"
            yield Problem(("estimators", label, "teacher"), message)


def _impossible_bits(suite: Suite, axes: Axes) -> Iterator[Problem]:
    """Find includes that ask an estimator for bits that it cannot have."""
    for i, include in enumerate(suite.include):
        entries = axes.estimators.get(include.estimator)
        if entries and include.wa and (reason := fit_widths(entries, include.wa)[1]):
            yield Problem(("include", i, "wa"), reason)


def _no_gain(plugin: Estimator) -> str:
    """Say why the slope at 0 cannot be divided by, where that is asked for."""
    if not isinstance(plugin, Surrogate) or plugin.gain == "raw":
        return ""
    for role, p in product(BOTH, MOMENTS):
        try:
            knob = torch.tensor(plugin.path(p, role), dtype=torch.float64)
            slope = plugin.slope(torch.zeros_like(knob), knob).item()
        except Exception as error:  # whatever a stranger's slope raises
            return f"gain: unit needs the slope at 0: {type(error).__name__}: {error}"
        if not 0 < slope < STEEPEST:
            return f"gain: unit divides by the slope at 0, which is {slope:.3g}"
    return ""
