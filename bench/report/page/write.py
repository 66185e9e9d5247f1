"""The page of a suite, made and written: `bench report`."""

from dataclasses import dataclass
from pathlib import Path

from bench.base.console import discard_output
from bench.base.files import write_output
from bench.errors import UsageError
from bench.report.page.page import Extra, html
from bench.report.page.page_figures import Drawn, figures
from bench.report.page.suite_data import Dossier, gather
from bench.spec.choices import Definition


@dataclass(frozen=True)
class Asked:
    """A suite by the name of its results, and what its page shall hold."""

    name: str
    root: Path
    definition: Definition | None = None
    stale: bool = False
    figures: bool = True
    code: bool = True  # what only the estimators' code can tell: certificates, origins of values


def write(asked: Asked, path: Path) -> tuple[Path, int]:
    """
    Make the page; returns its path and its size in bytes.

    Raises:
        UsageError: the suite never ran, or its plan cannot be read; or the file is called like
            something else than a page.
        EnvironmentProblem: the disk is full, or the folder cannot be written.
    """
    if path.suffix not in {".html", ".htm"}:
        message = f"--output `{path}`: a page's name ends in .html"
        raise UsageError(message)
    found = gather(asked.root, asked.name, asked.definition, stale=asked.stale)
    with discard_output():
        content = html(found, asked.root, _extra(asked, found)).encode()
    return write_output(path, content), len(content)


def _extra(asked: Asked, found: Dossier) -> Extra:
    drawn: list[Drawn] = []
    prove, origins = None, ""
    if asked.figures:
        drawn = figures(found.plan, found.records, found.definition)
    if asked.code:
        from bench.report.page import from_code  # torch

        prove, origins = from_code.proofs, from_code.origins(found.plan)
        drawn += from_code.estimators_drawn(found.rows) if asked.figures else []
    return Extra(drawn, prove, origins)
