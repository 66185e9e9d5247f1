"""The page of a suite, made and written: `bench report`."""

from dataclasses import dataclass
from pathlib import Path

from bench.base.console import discard_output
from bench.base.files import write_output
from bench.errors import UsageError
from bench.report.page.page import Extra, html
from bench.report.page.page_figures import PageFigure, figures
from bench.report.page.suite_data import SuiteData, gather
from bench.spec.choices import Definition


@dataclass(frozen=True)
class ReportRequest:
    """A suite by the name of its results, and what its page shall hold."""

    name: str
    root: Path
    definition: Definition | None = None
    stale: bool = False
    figures: bool = True
    code: bool = True  # what only the estimators' code can tell: certificates, origins of values


def write(request: ReportRequest, path: Path) -> tuple[Path, int]:
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
    data = gather(request.root, request.name, request.definition, stale=request.stale)
    with discard_output():
        content = html(data, request.root, _extra(request, data)).encode()
    return write_output(path, content), len(content)


def _extra(request: ReportRequest, data: SuiteData) -> Extra:
    drawn, undrawn = list[PageFigure](), ""
    prove, origins = None, ""
    if request.figures:
        drawn, undrawn = figures(data.plan, data.records, data.definition)
    if request.code:
        from bench.report.page import from_code  # torch

        prove, origins = from_code.proofs, from_code.origins(data.plan)
        drawn += from_code.estimator_figures(data.rows) if request.figures else []
    return Extra(drawn, undrawn, prove, origins)
