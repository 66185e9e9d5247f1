"""The board of a suite that ran, from what the results folder holds of it."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from bench.base.files import is_file, real_path
from bench.base.text import suggest
from bench.errors import SuiteError, UsageError
from bench.leaderboard import compare, sequential
from bench.leaderboard.board import Board
from bench.leaderboard.ranking import rank
from bench.results import cell_folders, cell_state, store
from bench.spec.choices import Correction, Definition
from bench.spec.composition import compose, digest
from bench.spec.plan import Plan, name_results


def board(
    root: Path,
    suite: str,
    definition: Definition | None = None,
    correction: Correction = "holm",
    *,
    stale: bool,
) -> tuple[Plan, Board, list[str]]:
    """
    The kept plan, its board, and those of the board's notes that are of the folder's state.

    Args:
        stale: use stale records where there are no others.

    Raises:
        UsageError: the suite never ran here, or its plan cannot be read.
    """
    plan = store.find_plan(root, suite)
    found, notes = cell_state.read_saved_states(root, plan)
    records = found.records(stale=stale)
    ranked = rank(plan, records, definition, found.stale, notes, correction)
    return plan, ranked, notes


def joined(
    root: Path,
    suites: list[str],
    definition: Definition | None = None,
    correction: Correction = "holm",
    *,
    stale: bool,
) -> Board:
    """
    One board of several suites that ran in one folder.

    Raises:
        UsageError: one never ran here, or they cannot be compared.
    """
    plan, said = compare.joined([_plan(root, suite, definition) for suite in suites])
    found, notes = cell_state.read_saved_states(root, plan)
    records = found.records(stale=stale)
    board = rank(plan, records, definition, found.stale, notes, correction)
    return replace(board, notes=[*said, *board.notes])


def side_by_side(
    a: Path, b: Path, suite: str, definition: Definition | None = None, *, stale: bool
) -> Board:
    """
    One board of a suite that ran in two folders.

    Raises:
        UsageError: it never ran in one of them, or they cannot be compared.
    """
    pair = (_results(root, _plan(root, suite, definition), stale=stale) for root in (a, b))
    return compare.side_by_side(*pair, definition=definition)


def _results(root: Path, plan: Plan, *, stale: bool) -> compare.FolderResults:
    found, notes = cell_state.read_saved_states(root, plan)
    return compare.FolderResults(str(root), plan, found.records(stale=stale), found.stale, notes)


def name_of(root: Path, suite: Path, overrides: Iterable[str] = ()) -> str:
    """
    The name under which a suite's results lie, which its file and overrides make.

    Raises:
        UsageError: those that lie there are of another file of that name, which says otherwise.
        SuiteError: the file has no name that a folder can have.
    """
    overrides = list(overrides)
    name = name_results(suite, overrides)
    if not is_file(suite):
        itself = not overrides and cell_folders.is_suite(root, str(suite))  # dots and all
        return str(suite) if itself else name
    try:
        plan = store.find_plan(root, name)
    except UsageError:  # whoever asks for it says so
        return name
    other = Path(plan.source)
    if not is_file(other) or real_path(other) == real_path(suite):
        return name
    if _digest(suite, overrides) != plan.source_digest:
        message = (
            f"`{root}` holds the table of `{other}`, another suite named {name}, and `{suite}` "
            "never ran there; name that, or give another --results"
        )
        raise UsageError(message)
    return name


def _digest(suite: Path, overrides: list[str]) -> str:
    """What a suite says now; empty if it cannot be read."""
    try:
        return digest(compose(suite, overrides))
    except SuiteError:
        return ""


def ran(root: Path, word: str) -> str:
    """
    The name of a suite that ran: what its folder is called, or what its file makes of that.

    Raises:
        UsageError: none of that name ran here.
    """
    known = cell_folders.list_suites(root)
    name = word if word in known else name_of(root, Path(word))
    if name not in known:
        message = f"no suite `{word}` ran in `{root}`{suggest(word, known)}"
        raise UsageError(message)
    return name


def shared(roots: list[Path]) -> str:
    """
    The one suite that ran in every folder.

    Raises:
        UsageError: there is none, or more than one.
    """
    first, *others = (cell_folders.list_suites(root) for root in roots)
    names = [name for name in first if all(name in other for other in others)]
    if len(names) != 1:
        found = f"{', '.join(names)} ran in all folders" if names else "no suite ran in all folders"
        message = f"{found}; name one, as in `bench compare SUITE --results A --results B`"
        raise UsageError(message)
    return names[0]


def _plan(root: Path, suite: str, definition: Definition | None) -> Plan:
    plan = store.find_plan(root, suite)
    return plan.model_copy(update={"equilibrium": definition or plan.equilibrium})


def continued(plan: Plan, root: Path) -> Plan:
    """The plan with the seeds that an earlier `--until-separated` added to its rows."""
    try:
        return sequential.adopted(plan, store.find_plan(root, plan.suite))
    except UsageError:  # it never ran, or its plan cannot be read
        return plan
