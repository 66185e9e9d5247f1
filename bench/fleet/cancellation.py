"""Cells that were submitted and are not wanted any more, whoever submitted them."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.base.text import count, suggest
from bench.errors import UsageError
from bench.execution.journal import Entry
from bench.fleet.engines import Engines
from bench.fleet.submission import Submission, submissions
from bench.results import cell_folders


def cancel_cells(
    root: Path,
    names: Sequence[str],
    engines: Engines,
    *,
    trusting: bool = False,
    dry: bool = False,
) -> Iterator[str]:
    """
    Cancel cells of open submissions; yields a line for each submission.

    What runs leaves a checkpoint; the next `bench run` submits the cells anew, and goes on there.

    Args:
        names: of suites, and of cells: an id, a part of a folder's name, or as screens name it.
        trusting: jobs that others submitted are ended as one's own; else they end by themselves.
        dry: say what would be cancelled, and cancel nothing.

    Raises:
        UsageError: a name stands for nothing that was submitted and has not ended.
        EnvironmentProblem: it cannot be written down, or the engine does not answer; then the
            cells are cancelled all the same, and their jobs end when they see it.
    """
    found = {s.claim.number: (s, s.open_cells()) for s in submissions(root, trusting=trusting)}
    chosen: dict[int, dict[str, Entry]] = {}
    for name in names:
        matches = {n: _matching(name, s, cells) for n, (s, cells) in found.items()}
        if not any(matches.values()):
            known = [s.claim.suite for s, _ in found.values()]
            known += [cell.name for _, cells in found.values() for cell in cells]
            message = (
                f"nothing called `{name}` is submitted in `{root}` and has not ended"
                f"{suggest(name, list(dict.fromkeys(known)))}"
            )
            raise UsageError(message)
        for number, cells in matches.items():
            chosen.setdefault(number, {}).update({cell.id: cell for cell in cells})
    for number, cells in chosen.items():
        if cells:
            submission, still_open = found[number]
            if dry:
                told = f"submission {submission.claim.name}: {count(len(cells), 'cell')}"
                yield f"{told} would be cancelled"
                continue
            yield _cancel(submission, {*cells}, {cell.id for cell in still_open}, engines)


def _matching(name: str, submission: Submission, cells: list[Entry]) -> list[Entry]:
    """The cells that a name stands for."""
    if name == submission.claim.suite:
        return cells
    slugs = {*cell_folders.match_slugs(name, [cell.folder for cell in cells])}
    return [cell for cell in cells if cell.name == name or cell.folder in slugs]


def _cancel(
    submission: Submission, wanted: set[str], still_open: set[str], engines: Engines
) -> str:
    """Cancel cells of one submission, and the jobs that have no others."""
    claim = submission.claim
    submission.cancel(wanted)
    left = still_open - wanted
    jobs = [
        job
        for batch, job in submission.jobs.items()
        if wanted & {*claim.batches.get(batch, ())} and not left & {*claim.batches.get(batch, ())}
    ]
    if not left:
        submission.close("cancelled")
    told = f"submission {claim.name}: {count(len(wanted), 'cell')} cancelled"
    if not jobs:
        return told
    if not submission.own:
        return f"{told}; this user did not submit its jobs, which end when they see it"
    engine = engines.open(claim.profile)
    if not engine.attached:  # else who follows them ends them
        engine.cancel(jobs)
    return f"{told}, {count(len(jobs), 'job')} told to checkpoint and end"
