"""Is an estimator what its formula says: `bench.check`."""

from collections.abc import Mapping
from typing import Any

from bench.api.arguments import Folders, look_for_plugins, spell_overrides
from bench.api.torch_threads import one_thread
from bench.properties.check import CheckReport, check_estimator
from bench.registry import ESTIMATORS
from bench.spec.parameters import build


def check(
    estimator: str,
    parameters: Mapping[str, Any] | None = None,
    *,
    quick: bool = False,
    plugins: Folders = (),
) -> CheckReport:
    """
    Check an estimator or a method as `bench check` does.

    Returns the checks, each with what it found; `ok`, whether all hold; and the verdicts on
    rational and flexible, of f as `printed` and, by role, as it is `trained`.

    Args:
        estimator: its name.
        parameters: of it, as in `{"o_end": 10}`; those that are not named have their defaults.
        quick: compile nothing, which takes half a minute a method.
        plugins: folders of plugins of your own.

    Raises:
        PluginError: no such estimator, or a broken one.
        UsageError: it has no such parameter, or does not take the value.
    """
    look_for_plugins(plugins)
    words = spell_overrides(parameters or {})
    with one_thread() as prepare_torch:
        prepare_torch()
        made = build(ESTIMATORS.load(estimator), estimator, words)
        return check_estimator(made, quick=quick)
