"""A site made and written: `bench site`. Suites are read one after the other, and let go."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from bench.base.console import discard_output
from bench.base.text import count
from bench.errors import BenchError, EmptyMatch
from bench.leaderboard.trace import FolderTrace, SuiteTrace
from bench.report.page.page import Extra, Link, Place, html
from bench.report.page.page_figures import PageFigure, figures
from bench.report.page.rendering import render
from bench.report.page.suite_data import of_trace
from bench.report.site import groups
from bench.report.site.downloads import Offer, write_downloads
from bench.report.site.entries import SuiteEntry, suite_entry
from bench.report.site.folder import Names, SiteFolder
from bench.report.site.front import front
from bench.results import cell_folders

PACKAGE = "bench.report.site"


@dataclass(frozen=True)
class SiteRequest:
    """Results folders, and what their site shall hold."""

    roots: list[Path]
    title: str = "signbench"
    stale: bool = False
    figures: bool = True
    weights: bool = False  # in the archives


@dataclass
class Written:
    """What a site came to hold."""

    suites: list[SuiteEntry] = field(default_factory=list[SuiteEntry])
    problems: list[str] = field(default_factory=list[str])  # why a suite has no page
    files: dict[str, int] = field(default_factory=dict[str, int])  # name → bytes


def write_site(request: SiteRequest, home: Path) -> Written:
    """
    Write the site of all suites that ran in some results folders.

    Raises:
        UsageError: `home` holds something else, or one of the roots is no results folder.
        EmptyMatch: no suite has a page.
        EnvironmentProblem: the disk is full, or the folder cannot be written.
    """
    site, names, made = SiteFolder(home), Names(), Written()
    for root in request.roots:
        cell_folders.list_paths(root)  # is it a results folder?
    for root in dict.fromkeys(request.roots):
        for entry in _write_suites(request, root, site, names, made.problems):
            made.suites.append(entry)
    if not made.suites:
        said = "; ".join([*made.problems, "no suite ran there"][:1])
        message = f"no site of {', '.join(map(str, request.roots))}: {said}"
        raise EmptyMatch(message)
    every = [
        *groups.methods(made.suites, names),
        *groups.networks(made.suites, names),
        *groups.machines(made.suites, names),
    ]
    for group in every:
        values = {"group": group, "site": request.title}
        site.write(group.href, render("group.html", values, PACKAGE))
    values = front(made.suites, every, names) | {"site": request.title, "problems": made.problems}
    site.write("index.html", render("front.html", values, PACKAGE))
    site.conclude()
    made.files = site.written
    return made


def _write_suites(
    request: SiteRequest, root: Path, site: SiteFolder, names: Names, problems: list[str]
) -> Iterator[SuiteEntry]:
    """Write the page and files of each suite of a folder."""
    shared = FolderTrace(root)
    readable = {plan.suite for plan in shared.plans}
    unreadable = [name for name in cell_folders.list_suites(root) if name not in readable]
    problems += [f"{root}: the plan of `{name}` cannot be read" for name in unreadable]
    for plan in shared.plans:
        try:
            trace = SuiteTrace(plan, root, plan.equilibrium, stale=request.stale, shared=shared)
            yield _write_suite(request, trace, site, names)
        except BenchError as error:
            problems.append(f"{root}: `{plan.suite}`: {error}")


def _write_suite(
    request: SiteRequest, trace: SuiteTrace, site: SiteFolder, names: Names
) -> SuiteEntry:
    data, root = of_trace(trace), trace.root
    name = names.name("suites", trace.plan.suite)
    if f"suites/{name}.html" in site.written:  # it ran in another folder, too
        name = names.name("suites", f"{trace.plan.suite} {root}")
    folder = _called(root, request.roots)
    entry = suite_entry(data, f"suites/{name}.html", folder)
    links = write_downloads(site, Offer(trace, name, request.weights))
    place = Place(request.title, "../index.html", links, _others(entry, names))
    with discard_output():
        drawn, undrawn = list[PageFigure](), ""
        if request.figures:
            drawn, undrawn = figures(data.plan, data.records, data.definition)
        text = html(data, Path(folder), Extra(drawn, undrawn, place=place))
    site.write(entry.href, text)
    return entry


def _called(root: Path, roots: list[Path]) -> str:
    """A folder by as many of its last names as tell it from the others."""
    every = {other.resolve() for other in roots}
    parts = root.resolve().parts
    for last in range(1, len(parts)):
        if sum(other.parts[-last:] == parts[-last:] for other in every) == 1:
            return "/".join(parts[-last:])
    return str(root)


def _others(entry: SuiteEntry, names: Names) -> list[tuple[str, list[Link]]]:
    """What a suite's page leads to beside its own parts."""
    rows = entry.rows
    kinds: dict[groups.Kind, list[str]] = {
        "methods": [method for row in rows for method in row.methods],
        "networks": [row.network for row in rows],
        "machines": [groups.machine(p.device, p.host) for row in rows for p in row.processes],
    }
    return [
        (
            kind.capitalize(),
            [Link(t, f"../{groups.href(kind, t, names)}") for t in sorted({*titles})],
        )
        for kind, titles in kinds.items()
    ]


def summarize(made: Written) -> str:
    """What was written, in a line."""
    pages = sum(name.endswith(".html") for name in made.files)
    size = sum(made.files.values())
    settled = sum(entry.settled == "settled" for entry in made.suites)
    return (
        f"{count(len(made.suites), 'suite')}, {settled} settled; {count(pages, 'page')}, "
        f"{count(len(made.files), 'file')}, {size / 1e6:.1f} MB"
    )
