"""
What suites mean, kept between calls: one that is planned or described again needs no torch.

A plan follows from what its suite says with all that it extends, overrides and presets included,
from its ledgers, data and plugins, and from code. Only what went well is kept.
"""

from collections.abc import Callable, Iterable
from pathlib import Path

from bench.base.answer_cache import Question, keep, recall, remembered
from bench.base.plain_data import as_mapping
from bench.base.yaml_document import Document
from bench.data.sources import SOURCES, data_folder, file_states
from bench.errors import SuiteError
from bench.registry import BACKBONES, ESTIMATORS, add_folders
from bench.spec import published
from bench.spec.composition import compose
from bench.spec.plan import Plan
from bench.spec.suite import Suite, parse
from bench.spec.suite_file import question


def plan(
    path: Path,
    overrides: Iterable[str] = (),
    data: Path | None = None,
    prepare: Callable[[], None] = lambda: None,
) -> Plan:
    """
    The plan of a suite, as `planner.plan` makes it, and with what that raises.

    Args:
        prepare: called before a plan has to be made, for which torch is imported.
    """
    overrides = list(overrides)
    asked = _plan_question(path, overrides, data or data_folder())
    kept = recall(asked) if asked else None
    if kept is not None:
        return Plan.model_validate_json(kept)
    prepare()
    from bench.planning import planner

    made = planner.plan(path, overrides, data)
    text = made.model_dump_json()
    again = Plan.model_validate_json(text)
    if asked and again == made and again.model_dump_json() == text:
        keep(asked, text)
    return made


def description(path: Path, overrides: list[str]) -> str:
    """The text of `bench show suite`, as `explain.describe` makes it, and with what that raises."""

    def make() -> str:
        from bench.planning import explain

        return explain.describe(path, overrides)

    document = compose(path, overrides)
    suite, _ = parse(document)
    if suite is None:
        return make()
    places = repr(sorted(map(repr, document.places.items())))
    inputs = (places, *question(Path(document.source)), *_inputs(document, suite))
    return remembered(Question(_words("suite", document, overrides), inputs), make)


def _plan_question(path: Path, overrides: list[str], folder: Path) -> Question | None:
    """What a plan depends on; None: the suite is wrong, or its data cannot be told from others."""
    document = compose(path, overrides)
    suite, _ = parse(document)
    data = _data_states(suite, folder) if suite else None
    if suite is None or data is None:
        return None
    try:
        claims = _claims(suite, Path(document.source).parent)
    except SuiteError:
        return None
    words = (*_words("plan", document, overrides), str(folder.resolve()))
    return Question(words, (*_inputs(document, suite), *data, *claims))


def _words(kind: str, document: Document, overrides: list[str]) -> tuple[str, ...]:
    return (kind, str(Path(document.source).resolve()), *overrides)


def _inputs(document: Document, suite: Suite) -> tuple[str, ...]:
    """What the suite says, and the plugins that there are, in folders of its own, too."""
    beside = Path(document.source).parent
    add_folders(beside / name for name in suite.plugins if _is_folder(beside / name))
    folders = map(str, ESTIMATORS.folders)
    states = (*ESTIMATORS.state(), *BACKBONES.state())
    return (document.source, repr(document.data), *folders, *states)


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # a name that no folder can have
        return False


def _data_states(suite: Suite, folder: Path) -> list[str] | None:
    """The state of the files of every data set that the suite names."""
    own = [as_mapping(entry.get("data")) or {} for entry in suite.backbones.values()]
    found: list[str] = []
    for name in sorted({name for named in (suite.data, *own) for name in map(str, named)}):
        states = file_states(name, folder) if name in SOURCES else None
        if states is None:
            return None
        found += [name, *states]
    return found


def _claims(suite: Suite, beside: Path) -> list[str]:
    """What the suite's ledgers say."""
    return [
        claim.model_dump_json()
        for name in suite.published.ledgers
        for claim in published.ledger(name, beside)
    ]
