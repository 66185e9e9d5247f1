"""Rows of all suites by what they have in common: a method, a network, a machine."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from bench.base.text import count
from bench.leaderboard.columns.selection import column
from bench.report.site.entries import SHOWN, Process, RowEntry, SuiteEntry
from bench.report.site.folder import Names
from bench.report.site.grid import Grid, GridRow, Head, Word

Kind: TypeAlias = Literal["methods", "networks", "machines"]
SUITE = Head("suite", "The suite whose table the row stands in.")
METHOD = Head("estimator", "The row, as its suite calls it; it leads to the cells behind it.")
FORMULA = replace(METHOD)  # its formula and type stand below it
NETWORK = Head("network", "The network, and its parameters that are not the defaults.")
DATA = Head("data", "The data set.")
BITS = Head("W/A", "Bits of weights and activations.")
FEW = 4  # suites that are named on the first page


@dataclass(frozen=True)
class Group:
    """What a page tells of a method, a network or a machine."""

    kind: Kind
    title: str
    href: str  # of its page, seen from the site's folder
    facts: list[tuple[str, str]]
    grids: list[Grid]
    line: GridRow  # of it on the first page; its link is seen from there


@dataclass(frozen=True)
class Place:
    """A row, and the suite whose page tells of it."""

    suite: SuiteEntry
    row: RowEntry

    @property
    def href(self) -> str:
        """Where its trace is, seen from a page in a folder of its own."""
        return f"../{self.suite.href}#{self.row.place}"


def methods(suites: Iterable[SuiteEntry], names: Names) -> Iterator[Group]:
    """A group for each estimator, by name."""
    for title, places in _sorted(suites, lambda row: row.methods).items():
        rows = [place.row for place in places]
        won = sum(row.best for row in rows)
        facts = [(name, text) for name, texts in (
            ("formula", _once(t for row in rows for t in row.formulas)),
            ("type", _once(t for row in rows for t in row.kinds)),
            ("its f", _once(t for row in rows for t in row.judged)),
        ) for text in texts]  # fmt: skip
        words = [Word(str(won), value=won), Word(str(len(rows)), value=len(rows))]
        yield Group(
            kind="methods",
            title=title,
            href=href("methods", title, names),
            facts=facts,
            grids=[_grid("rows", "Its rows", places, names)],
            line=_line("methods", title, names, places, words),
        )


def networks(suites: Iterable[SuiteEntry], names: Names) -> Iterator[Group]:
    """A group for each network, by name; rows are beside those that they may be compared with."""
    for title, places in _sorted(suites, lambda row: [row.network]).items():
        sections: dict[tuple[str, str], list[Place]] = {}
        for place in places:
            sections.setdefault((place.suite.href, place.row.section), []).append(place)
        tables = len(sections)
        yield Group(
            kind="networks",
            title=title,
            href=href("networks", title, names),
            facts=[("as", text) for text in _nets(place.row for place in places)],
            grids=[_section(n, own, names) for n, own in enumerate(sections.values(), start=1)],
            line=_line("networks", title, names, places, [Word(str(tables), value=tables)]),
        )


def machines(suites: Iterable[SuiteEntry], names: Names) -> Iterator[Group]:
    """A group for each machine and device that trained cells."""
    found: dict[tuple[str, str], list[tuple[Place, Process]]] = {}
    for suite in suites:
        for row in suite.rows:
            for process in row.processes:
                key = process.device, process.host
                found.setdefault(key, []).append((Place(suite, row), process))
    for (device, host), trained in sorted(found.items()):
        title = machine(device, host)
        processes = list({(p.cell, p.started): p for _, p in trained}.values())
        hours = sum(process.hours for process in processes)
        cells = len({process.cell for process in processes})
        words = [Word(f"{cells:,}", value=cells), Word(f"{hours:.1f}", value=hours)]
        yield Group(
            kind="machines",
            title=title,
            href=href("machines", title, names),
            facts=[*_machine_facts(device, host, processes, hours)],
            grids=[_trained(trained, names)],
            line=_line("machines", title, names, [place for place, _ in trained], words),
        )


def machine(device: str, host: str) -> str:
    """How a machine is called."""
    return f"{device}, {host}" if host else device


def href(kind: Kind, title: str, names: Names) -> str:
    """Where a group's page is, seen from the site's folder."""
    return f"{kind}/{names.name(kind, title)}.html"


def _sorted(
    suites: Iterable[SuiteEntry], keys: Callable[[RowEntry], list[str]]
) -> dict[str, list[Place]]:
    """The rows by each of their keys, in the order of keys."""
    found: dict[str, list[Place]] = {}
    for suite in suites:
        for row in suite.rows:
            for key in keys(row):
                found.setdefault(key, []).append(Place(suite, row))
    return dict(sorted(found.items(), key=lambda item: (item[0].casefold(), item[0])))


def _line(
    kind: Kind, title: str, names: Names, places: Iterable[Place], words: list[Word]
) -> GridRow:
    """What the first page says of a group."""
    suites = {place.suite.href: place.suite.name for place in places}
    more = f" and {len(suites) - FEW} more" if len(suites) > FEW else ""
    told = Word(", ".join([*suites.values()][:FEW]) + more)
    return GridRow([Word(title, href(kind, title, names)), *words, told])


def _grid(
    name: str,
    title: str,
    places: list[Place],
    names: Names,
    heads: tuple[Head, ...] = (SUITE, METHOD, BITS),
    about: tuple[Head, ...] = (NETWORK, DATA),
) -> Grid:
    """A table of rows: what they are, their numbers, each a link to its trace, and more of them."""
    columns = [
        own
        for own in map(column, SHOWN)
        if not own.optional or any(place.row.words[own.key] != "-" for place in places)
    ]
    numbers = [Head(own.head, own.about, own.kind == "number", own.downward) for own in columns]
    lines = [
        [
            *(_word(head, place, names) for head in heads),
            *(_number(own.key, place) for own in columns),
            *(_word(head, place, names) for head in about),
        ]
        for place in places
    ]
    rows = [GridRow(words, place.row.best) for words, place in zip(lines, places, strict=True)]
    return Grid(name, title, [*heads, *numbers, *about], rows)


def _number(key: str, place: Place) -> Word:
    text = place.row.words[key]
    return Word(text, place.href if text != "-" else "", place.row.values[key])


def _word(head: Head, place: Place, names: Names) -> Word:
    """What stands below one of the heads that are no numbers."""
    suite, row = place.suite, place.row
    if head is SUITE:
        return Word(suite.name, f"../{suite.href}")
    if head is METHOD or head is FORMULA:
        texts = (*row.formulas, *row.kinds) if head is FORMULA else ()
        beneath = [text for text in texts if text != row.name]
        return Word(row.name, place.href, beneath=beneath)
    if head is NETWORK:
        return Word(row.net, f"../{href('networks', row.network, names)}")
    return Word(row.wa if head is BITS else row.data)


def _section(number: int, places: list[Place], names: Names) -> Grid:
    """A table of a suite as far as it is of one network."""
    suite, row = places[0].suite, places[0].row
    said = [answer.text for answer in suite.answers if answer.section == row.section]
    grid = _grid(
        f"table-{number}", f"{suite.name}: {row.section}", places, names, (FORMULA, BITS), ()
    )
    return replace(grid, about=[f"{row.net}; {row.data}", *said], href=f"../{suite.href}")


def _trained(trained: Iterable[tuple[Place, Process]], names: Names) -> Grid:
    """A table of the rows of which a machine trained cells."""
    rows: dict[str, tuple[Place, list[Process]]] = {}
    for place, process in trained:
        rows.setdefault(place.href, (place, []))[1].append(process)
    heads = [SUITE, METHOD, NETWORK]
    lines: list[GridRow] = []
    for place, processes in rows.values():
        cells, hours = len({p.cell for p in processes}), sum(p.hours for p in processes)
        words = [_word(head, place, names) for head in heads]
        words.append(Word(f"{cells:,}", place.href, cells))
        words.append(Word(f"{hours:.2f}", place.href, hours))
        words.append(Word(max(p.started for p in processes)[:16].replace("T", " ")))
        lines.append(GridRow(words))
    counted = [
        Head("cells", "Cells of the row that it trained.", number=True, downward=True),
        Head("hours", "What they took, on the clock.", number=True, downward=True),
        Head("last begun", "When the last of them was begun, UTC."),
    ]
    return Grid("rows", "What it trained", [*heads, *counted], lines)


def _machine_facts(
    device: str, host: str, processes: list[Process], hours: float
) -> Iterator[tuple[str, str]]:
    yield "device", device
    yield "machine", host
    yield "trained", f"{count(len({p.cell for p in processes}), 'cell')}, {hours:.1f} hours"
    if joules := sum(p.joules or 0 for p in processes):
        yield "energy", f"{joules / 3.6e6:.2f} kWh, of the GPU alone"
    for package in dict.fromkeys(name for p in processes for name in p.versions):
        if versions := _once(p.versions.get(package, "") for p in processes):
            yield package, ", ".join(sorted(versions))
    commits = _once(p.commit[:12] for p in processes)
    yield "commits", ", ".join(commits[:5]) + (", ..." if len(commits) > 5 else "") or "none"


def _nets(rows: Iterable[RowEntry]) -> Iterator[str]:
    """Each form of a network, and how many parameters it has; methods add some."""
    found: dict[str, list[int]] = {}
    for row in rows:
        counted = found.setdefault(row.net, [])
        counted += [row.parameters] if row.parameters else []
    for net, counted in found.items():
        ends = sorted({min(counted), max(counted)}) if counted else list[int]()
        yield f"{net}, {' to '.join(f'{n:,}' for n in ends)} parameters" if ends else net


def _once(texts: Iterable[str]) -> list[str]:
    return [text for text in dict.fromkeys(texts) if text]
