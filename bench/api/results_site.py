"""A site of many suites: `bench.site`."""

from pathlib import Path

from bench.report.site.write import SiteRequest, Written, write_site


def site(
    folder: str | Path,
    *results: str | Path,
    title: str = "signbench",
    allow_stale: bool = False,
    figures: bool = True,
    weights: bool = False,
) -> Written:
    """
    Write a site of every suite that ran, as `bench site` does; it opens from its folder.

    Returns what it holds: the suites, its files with their sizes, and why a suite has no page.

    Args:
        folder: the site's, new or an older site's.
        results: results folders; `results` if none is given.
        title: what the site is called.
        allow_stale: show records that other code made, too, marked.
        figures: draw them.
        weights: archives have the trained weights, too.

    Raises:
        UsageError: the folder holds something else, or one of the others is no results folder.
        EmptyMatch: no suite has a page.
        EnvironmentProblem: the disk is full, or the folder cannot be written.
    """
    roots = [Path(root) for root in results] or [Path("results")]
    return write_site(SiteRequest(roots, title, allow_stale, figures, weights), Path(folder))
