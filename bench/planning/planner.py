"""Suite to plan: the suite is resolved, its rows are built, published numbers come beside them."""

from collections.abc import Iterable
from pathlib import Path

from bench.data.source import data_folder
from bench.errors import SuiteError
from bench.planning.claims import find_built_labels, place_claims, read_claims
from bench.planning.resolved_suite import resolve
from bench.planning.rows import build_rows
from bench.registry import ESTIMATORS
from bench.spec.composition import digest
from bench.spec.plan import Plan, name_results
from bench.spec.suite_file import read_question


def plan(
    path: Path, overrides: Iterable[str] = (), data: Path | None = None, *, unseen: bool = False
) -> Plan:
    """
    Resolve the suite at `path` into rows and cells.

    Args:
        path: the suite's file, or the name of a shipped one.
        overrides: `key.path=value` each.
        data: the data folder, `$BENCH_DATA` or `./data` if None.
        unseen: rows whose data is missing say so; such a plan is to be looked at, and not to be
            trained.

    Raises:
        SuiteError: anything wrong with the suite or what it says of plugins, all at once.
        DataError: its data is not there, or not what it should be.
    """
    overrides = list(overrides)
    resolved = resolve(path, overrides)
    document, suite = resolved.document, resolved.suite
    claims = read_claims(suite, document)
    rows, left_out, notes = build_rows(resolved, data or data_folder(), unseen=unseen)
    if not rows:
        message = f"{document.source}: every combination is left out: {left_out[0].reason}"
        raise SuiteError(message)
    rows, absent = place_claims(claims, rows, resolved.axes, find_built_labels(suite))
    return Plan(
        suite=name_results(Path(document.source), overrides),
        question=read_question(Path(document.source)),
        source=document.source,
        source_digest=digest(document),
        overrides=overrides,
        plugins=[str(folder) for folder in ESTIMATORS.folders],
        baseline=suite.baseline,
        equilibrium=suite.equilibrium,
        held_out=suite.tune.held_out if suite.tune else None,
        rows=rows,
        absent=absent,
        left_out=left_out,
        notes=notes,
    )
