"""What a step of each method costs: measured in turn with a step of STE, in one run."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from bench.data.dataset import Transform
from bench.registry import ESTIMATORS
from bench.speed.step_time import time_steps
from bench.speed.survey import networks
from bench.speed.survey.cases import Case, Run, Setting, make_noise, make_recipe

BACKBONE = "resnet20"
PARAMS = {"order": "bn_hardtanh"}
STE = "ste"


def list_method_cases(at: Setting, names: list[str]) -> Iterator[Case]:
    """
    A case for each of these estimators, or for all if none is named, eager and compiled.

    Raises:
        PluginError: there is no such estimator, or it is broken.
    """
    for name in names or ESTIMATORS.names():
        ESTIMATORS.load(name)
        for way in at.ways:
            if way != "oracle" and name != STE:
                yield _case(at, name, compiled=way == "compiled")


def _case(at: Setting, name: str, *, compiled: bool) -> Case:
    way = "compiled" if compiled else "eager"
    ways: dict[str, Callable[[], Run]] = {
        STE: partial(_prepare, at, STE, compiled),
        way: partial(_prepare, at, name, compiled),
    }
    return Case("method", name, STE, ways, at.rounds, at.images(BACKBONE), hidden=(STE,))


def _prepare(at: Setting, name: str, compiled: bool) -> Run:
    """Seconds of a step of the product's own loop, in the last of the method's stages."""
    params = at.params | PARAMS
    model = networks.build_network(BACKBONE, params, name, at.device)
    if model.method is not None and model.method.teacher:
        model = replace(model, teacher=networks.build_real(BACKBONE, params, at.device))
    batch = at.images(BACKBONE)
    data = make_noise(at, (at.steps + 2) * batch, Transform((0.5,) * 3, (0.25,) * 3))
    timed = partial(time_steps, steps=at.steps, compiled=compiled)
    return lambda: timed(model, data, make_recipe(batch)).step_s
