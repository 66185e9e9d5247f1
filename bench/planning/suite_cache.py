"""
What suites mean, kept between calls: one that is planned or described again needs no torch.

A plan follows from what its suite says with all that it extends, overrides and presets included,
from its ledgers, data and plugins, and from code. Only what went well is kept.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from bench.base.answer_cache import Question, keep, recall, remembered
from bench.base.collector import held_back
from bench.base.files import real_path
from bench.base.plain_data import as_mapping
from bench.base.yaml_document import Document
from bench.data.source import data_folder, named
from bench.errors import SuiteError
from bench.registry import DATA, ESTIMATORS, add_folders, plugins_state
from bench.spec import published
from bench.spec.composition import compose
from bench.spec.plan import Plan
from bench.spec.suite import Suite, parse
from bench.spec.suite_file import read_question


def plan(
    path: Path,
    overrides: Iterable[str] = (),
    data: Path | None = None,
    prepare: Callable[[], None] = lambda: None,
    *,
    unseen: bool = False,
) -> Plan:
    """
    Plan a suite as `planner.plan` does, and raise what that raises.

    Args:
        path: the suite's file, or the name of a shipped one.
        overrides: `key.path=value` each.
        data: the data folder, `$BENCH_DATA` or `./data` if None.
        prepare: called before a plan has to be made, for which torch is imported.
        unseen: as `planner.plan` has it.
    """
    overrides = list(overrides)
    question = _plan_question(path, overrides, data or data_folder())
    with held_back():
        kept = recall(question, Plan.model_validate_json) if question else None
    if kept is not None:
        return kept
    prepare()
    from bench.planning import planner

    made = planner.plan(path, overrides, data, unseen=unseen)
    if made.missing:
        return made
    with held_back():
        text = made.model_dump_json()
        again = Plan.model_validate_json(text)
        if question and again == made and again.model_dump_json() == text:
            keep(question, text)
    return made


def describe(path: Path, overrides: list[str]) -> str:
    """Write `bench show suite` as `explain.describe` does, and raise what that raises."""

    def make() -> str:
        from bench.planning import explain

        return explain.describe(path, overrides)

    document = compose(path, overrides)
    suite, _ = parse(document)
    if suite is None:
        return make()
    inputs = _inputs(document, suite)
    if inputs is not None:
        places = repr(sorted(map(repr, document.places.items())))
        inputs = (places, *read_question(Path(document.source)), *inputs)
    return remembered(Question(_words("suite", document, overrides), inputs), make)


def _plan_question(path: Path, overrides: list[str], folder: Path) -> Question | None:
    """Say what a plan depends on; None: the suite is wrong, or files have no state to compare."""
    document = compose(path, overrides)
    suite, _ = parse(document)
    data = _data_states(suite, folder) if suite else None
    inputs = _inputs(document, suite) if suite else None
    if suite is None or data is None or inputs is None:
        return None
    try:
        claims = _claims(suite, Path(document.source).parent)
    except SuiteError:
        return None
    words = (*_words("plan", document, overrides), str(real_path(folder)))
    asked = read_question(Path(document.source))
    return Question(words, (*asked, *inputs, *data, *claims))


def _words(kind: str, document: Document, overrides: list[str]) -> tuple[str, ...]:
    """Say what is asked for; a later answer to the same words takes the place of this one."""
    return (kind, str(real_path(Path(document.source))), *overrides)


def _inputs(document: Document, suite: Suite) -> tuple[str, ...] | None:
    """Say what the suite says, and which plugins there are; None: they have no state to compare."""
    beside = Path(document.source).parent
    add_folders(beside / name for name in suite.plugins if _is_folder(beside / name))
    folders = map(str, ESTIMATORS.folders)
    states = plugins_state()
    return None if states is None else (document.source, repr(document.data), *folders, *states)


def _is_folder(path: Path) -> bool:
    """Is it a folder? Not if its name is one that no folder can have."""
    try:
        return path.is_dir()
    except OSError:
        return False


def _data_states(suite: Suite, folder: Path) -> list[str] | None:
    """Give the state of the files of every data set of the suite; None: one has no state."""
    networks = [*suite.backbones.values(), *suite.teachers.values()]
    own = [as_mapping(entry.get("data")) or {} for entry in networks]
    all_states: list[str] = []
    for name, parameters in (item for entry in (suite.data, *own) for item in entry.items()):
        states = _states(str(name), as_mapping(parameters) or {}, folder)
        if states is None:
            return None
        all_states += [str(name), *states]
    return all_states


def _states(name: str, parameters: dict[str, Any], folder: Path) -> tuple[str, ...] | None:
    """Give the state of a data set's files; None: it has none, or torch is needed to ask for it."""
    origin = DATA.origins().get(name)
    if origin is None or not origin.built_in:
        return None
    try:
        return named(name).model_validate(parameters).state(folder)
    except ValidationError:
        return None


def _claims(suite: Suite, beside: Path) -> list[str]:
    """Say what the suite's ledgers say."""
    return [
        claim.model_dump_json()
        for name in suite.published.ledgers
        for claim in published.read_ledger(name, beside)
    ]
