"""Is a plugin what it says that it is: `bench.check`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.api.arguments import Folders, look_for_plugins, spell_overrides
from bench.api.torch_threads import one_thread
from bench.data.source import data_folder, named
from bench.properties.backbone_claims import build_backbone, check_backbone
from bench.properties.check import CheckReport, check_estimator
from bench.properties.checked_kind import find_kind, name_files
from bench.properties.data_claims import check_data
from bench.registry import ESTIMATORS
from bench.spec.parameters import build


def check(
    plugin: str,
    parameters: Mapping[str, Any] | None = None,
    *,
    quick: bool = False,
    data: Path | None = None,
    plugins: Folders = (),
) -> CheckReport:
    """
    Check an estimator, a method, a backbone or a data set as `bench check` does.

    Returns the checks, each with what it found, and `ok`, whether all hold; of an estimator also
    the verdicts on rational and flexible, of f as `printed` and, by role, as it is `trained`.

    Args:
        plugin: its name, or its file, as in `mine.py`.
        parameters: of it, as in `{"o_end": 10}`; those that are not named have their defaults. A
            backbone has `image`, `classes` and `channels`, of its images, beside its own.
        quick: compile nothing, which takes half a minute a method.
        data: the folder where data sets lie, `$BENCH_DATA` or `./data` if None.
        plugins: folders of plugins of your own.

    Raises:
        PluginError: a broken one.
        UsageError: no such plugin; it has no such parameter, or does not take the value.
        DataError: a data set is not there, or not what it should be.
    """
    look_for_plugins(plugins)
    (name,) = name_files([plugin])
    kind = find_kind([name])
    words = spell_overrides(parameters or {})
    with one_thread() as prepare_torch:
        prepare_torch()
        if kind == "backbone":
            return CheckReport(check_backbone(name, *build_backbone(name, words)))
        if kind == "data":
            source = build(named(name), name, words)
            return CheckReport(check_data(name, source, data or data_folder())[0])
        return check_estimator(build(ESTIMATORS.load(name), name, words), quick=quick)
