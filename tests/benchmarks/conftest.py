"""What `make bench` measures, and the tables of ratios that it ends with."""

import io
import os
from collections.abc import Callable

import pytest
import torch
from rich.console import Console

from bench.base import machine
from bench.speed.survey import survey, table
from bench.speed.survey.cases import LIMIT, Case, choose_setting

AT = choose_setting(
    torch.device("cuda" if torch.cuda.is_available() else "cpu"),
    machine.cores(),
    compiled=bool(os.environ.get("COMPILE")),
    quick=False,
)
WIDTH = 100
machine.keep_pages()  # as workers do
ROWS = pytest.StashKey[list[table.CaseResult]]()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each way of each case is a benchmark; the machine's limit is no way of ours."""
    if "case" not in metafunc.fixturenames:
        return
    ways = [(c, way) for c in survey.list_cases(AT) for way in c.ways if way != LIMIT]
    names = [f"{c.group}: {c.name}: {way}" for c, way in ways]
    metafunc.parametrize(("case", "way"), ways, ids=names)


@pytest.fixture(scope="session")
def measured(pytestconfig: pytest.Config) -> Callable[[Case], dict[str, list[float]]]:
    """The seconds of a case's ways; all of them are measured in turn when the first is wanted."""
    found: dict[str, dict[str, list[float]]] = {}
    rows = pytestconfig.stash.setdefault(ROWS, [])

    def measure(case: Case) -> dict[str, list[float]]:
        name = case.group + case.name
        if name not in found:
            with survey.use_threads(AT.threads):
                found[name] = case.measure()
                rows.extend(table.list_results(case, found[name]))
        return found[name]

    return measure


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """The same tables as `bench perf`."""
    if rows := config.stash.get(ROWS, []):
        text = io.StringIO()
        found = survey.make_report(AT, rows)
        Console(file=text, width=WIDTH).print(table.render_tables(found.rows, found.caption))
        terminalreporter.write_line(text.getvalue())
