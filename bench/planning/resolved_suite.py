"""A suite, resolved: its document is parsed, its plugins are built, and the whole is judged."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bench.base.yaml_document import Document
from bench.errors import SuiteError
from bench.planning.axes import Axes, build
from bench.planning.fixed_options import contradicted_options
from bench.planning.judge import judge
from bench.planning.matrix import told_in_full
from bench.planning.own_settings import with_own_settings
from bench.spec.composition import compose
from bench.spec.suite import Suite, parse, sound_part


@dataclass(frozen=True)
class ResolvedSuite:
    """A sound suite: what it says in full, its fields, and its axes with their plugins built."""

    document: Document
    suite: Suite
    axes: Axes


def resolve(path: Path, overrides: Iterable[str] = ()) -> ResolvedSuite:
    """
    Read a suite and build its plugins; no data is looked for.

    Parsing, building and judging are three passes; each returns what it finds wrong.

    Raises:
        SuiteError: anything wrong with the suite or what it says of plugins, all at once.
    """
    document = compose(path, overrides)
    suite, misparsed = parse(document)
    axes, misbuilt = build(document)
    axes, wrong = with_own_settings(document, axes)
    problems = [*misparsed, *misbuilt, *wrong]
    sound = suite or sound_part(document, misparsed)
    if sound:
        problems += judge(sound, axes, document, problems)
        problems += contradicted_options(sound, axes, document)
    if suite is None or problems or not axes.backbones:
        raise SuiteError(document.report(told_in_full(document, problems)))
    return ResolvedSuite(document, suite, axes)
