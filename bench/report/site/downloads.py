"""The files of a suite that a site offers: its board, its cells, and an archive of its results."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from bench.base.text import printable
from bench.leaderboard import cell_table, frame_files
from bench.leaderboard.tables.choice import TableChoice
from bench.leaderboard.tables.formats import TableFormat
from bench.leaderboard.trace import SuiteTrace
from bench.report.page.page import Link
from bench.report.site.folder import SiteFolder
from bench.results import archive, publication, store
from bench.results.cell_folders import CellFolder

FORMS = {  # of the board
    TableFormat.CSV: "The board, a line for each row, for spreadsheets",
    TableFormat.JSON: "The board, for programs",
    TableFormat.LATEX: "The board, for papers: booktabs tables and a macro for each number",
}


@dataclass(frozen=True)
class Offer:
    """A suite that was read, what its files are called, and what goes into its archive."""

    trace: SuiteTrace
    name: str
    weights: bool


def write_downloads(site: SiteFolder, offer: Offer) -> list[Link]:
    """Write a suite's files below `downloads`; returns links from a page beside that folder."""
    links: list[Link] = []
    for form, about in FORMS.items():
        name = f"downloads/{offer.name}.{form}"
        size = site.write(name, form.write(offer.trace.board, TableChoice()))
        links.append(
            _link(form.name if form is not TableFormat.LATEX else "LaTeX", name, size, about)
        )
    lines = cell_table.plan_lines(offer.trace.plan, offer.trace.states, offer.trace.definition)
    name = f"downloads/{offer.name}-cells.csv"
    size = site.write(name, printable(frame_files.write_csv(cell_table.tabulate(lines))))
    links.append(_link("Cells", name, size, "A line for each cell, each parameter in a column"))
    name = f"downloads/{offer.name}.tar.gz"
    if size := _write_archive(site, name, offer):
        told = "records, logs and weights" if offer.weights else "records and logs"
        links.append(_link("Archive", name, size, f"Plan, {told}, for `bench merge`"))
    return links


def _write_archive(site: SiteFolder, name: str, offer: Offer) -> int:
    """Write what may go to others; returns its size, 0 of nothing."""
    trace, path = offer.trace, site.home / name
    cells = [
        CellFolder(store.find_cell_path(trace.root, record.cell), record)
        for state in trace.states.values()
        if (record := state.record) and not publication.secrets_of(record)
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)  # of the last time
    with tempfile.TemporaryDirectory(prefix="bench-site-") as scratch:
        chosen = publication.Chosen(trace.root, [trace.plan], cells, weights=offer.weights)
        size = archive.write_archive(path, publication.list_files(chosen, Path(scratch)), effort=6)
    site.written[name] = size
    return size


def _link(text: str, name: str, size: int, about: str) -> Link:
    return Link(f"{text}, {_spelled(size)}", f"../{name}", about)


def _spelled(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{max(size / 1e3, 1):.0f} kB"
