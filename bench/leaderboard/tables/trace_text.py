"""What `bench trace` prints: a row's numbers by seed, and what there is of a cell."""

from collections.abc import Iterator
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.base.text import count
from bench.leaderboard.cell_trace import CellTrace
from bench.leaderboard.columns.column import Column, half_width
from bench.leaderboard.columns.selection import column, named, traced
from bench.leaderboard.trace import RowTrace, SeedTrace


def print_row(trace: RowTrace, console: Console) -> None:
    """A row's numbers, how they are made, and what there is of each of its cells."""
    console.print(_numbers(trace))
    for text in explained(trace):
        console.print(Text(f"· {text}", style="dim"))
    for cell in trace.cells:
        console.print()
        print_cell(cell, console)
    console.print()


def _numbers(trace: RowTrace) -> Table:
    """A line for each seed, then what the table prints."""
    row = trace.row
    tuned = f", tuned: {row.tuned.chosen}" if row.tuned else ""
    rank = f", rank {row.comparison.rank}" if row.comparison.rank else ""
    title = f"{trace.suite}: {row.title}, {row.backbone}, W/A {row.wa}{tuned}{rank}"
    table = Table(title=Text(title, style="bold"), title_justify="left")
    table.box, table.padding = box.SIMPLE_HEAD, (0, 1, 0, 0)
    shown = shown_columns(trace)
    table.add_column("seed", justify="right", no_wrap=True)
    table.add_column("cell", no_wrap=True)
    for own in shown:
        table.add_column(own.head, justify="right", no_wrap=True)
    for seed in trace.seeds:
        words = seed_words(seed, shown) or [seed.state]
        table.add_row(str(seed.seed), cell_name(seed), *words)
    table.add_section()
    table.add_row("mean", "as printed", *(mean(trace, own) for own in shown), style="bold")
    table.add_row("95 %", "interval", *(interval(trace, own) for own in shown), style="bold")
    return table


def shown_columns(trace: RowTrace) -> list[Column]:
    """The columns of means in which the row has numbers."""
    return [
        named(own, trace.definition)
        for own in traced()
        if any(own.key in seed.values for seed in trace.seeds)
        and (own.key != "top5" or trace.classes > 10)
    ]


def seed_words(seed: SeedTrace, columns: list[Column]) -> list[str]:
    """What a seed gives to each column, as tables print it; nothing if it gives no number."""
    return [own.written(seed.values.get(own.key)) for own in columns] if seed.values else []


def cell_name(seed: SeedTrace) -> str:
    """Its id, marked if it gives numbers of a stale record."""
    stale = seed.values and seed.state.startswith("stale")
    return f"{seed.cell} (stale)" if stale else seed.cell


def mean(trace: RowTrace, own: Column) -> str:
    """What the row prints in that column, without its interval."""
    return own.written(own.flat(own.value(trace.row)))


def interval(trace: RowTrace, own: Column) -> str:
    """The half width of its interval, if it has one."""
    width = half_width(own.value(trace.row))
    return f"± {width}" if width else ""


def explained(trace: RowTrace) -> Iterator[str]:
    """Where the numbers are in the records, and what else stands behind the row."""
    row, source = trace.row, {own.key: own.source for own in traced()}
    costs = [f"{c.head} is {c.source}" for c in shown_columns(trace) if c.group == "cost"]
    yield "; ".join(
        (
            f"of record.json: acc is {source['acc']}, best {source['best']}",
            f"e and s are {source['e']}, `{trace.definition}` definition",
            *costs,
        )
    )
    if trace.baseline and row.comparison.difference:
        yield f"Δ is {source['difference']}: {_accuracies(trace.baseline)}"
    planned = count(len(trace.seeds), "seed")
    reasons = {
        "lost": row.seeds.lost,
        "stale": row.seeds.stale,
        "stale, not used without --allow-stale": row.seeds.unused,
    }
    for what, counts in reasons.items():
        for reason, n in counts.items():
            yield f"{what}: {n} of {planned}, {reason}"
    if row.seeds.missing:
        yield f"missing: {row.seeds.missing} of {planned} without a record"
    if trace.held_out:
        accuracies = _accuracies(trace.held_out)
        yield f"chosen by its accuracy on held-out training images: {accuracies}"
    if row.claim:
        yield f"published {row.claim.acc:.2f}, {row.claim.source}: {row.verdict}"
    yield f"plan and table: {trace.table}, from {trace.source}"


def _accuracies(seeds: list[SeedTrace]) -> str:
    """Cells and their accuracies."""
    acc = column("acc")
    return ", ".join(
        f"seed {seed.seed} {cell_name(seed)} {acc.written(seed.values.get('acc'))}"
        for seed in seeds
    )


def print_cell(trace: CellTrace, console: Console) -> None:
    """A cell's files and facts, a line each; a terminal has long ones wrapped."""
    console.print(Text(trace.cell, style="bold"), soft_wrap=True)
    width = max(len(name) for name, _ in facts(trace)) + 2
    grid = Table.grid(padding=(0, 1))
    grid.add_column(width=width, no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in facts(trace):
        head = Text(f"  {name}".ljust(width), style="dim")
        if console.is_terminal:
            grid.add_row(head, Text(value))
        else:
            console.print(head + Text(f" {value}"), soft_wrap=True)
    if grid.rows:
        console.print(grid)


def facts(trace: CellTrace) -> Iterator[tuple[str, str]]:
    """Name and text of each line."""
    yield "status", trace.state
    if trace.outcome:
        yield "outcome", trace.outcome
    if trace.counted:
        yield "counted", trace.counted
    if trace.record:
        seals = {"holds": "its seal holds", "none": "without a seal"}
        yield "record", f"{trace.record} ({seals.get(trace.seal, 'cannot be used')})"
    for number, process in enumerate(trace.processes, start=1):
        last = number == len(trace.processes)
        yield from _process(process, "" if last else f" {number}")
    if trace.receipt:
        yield "receipt", _receipt(trace.receipt)
    if trace.digests:
        yield "digests", ", ".join(f"{name} {digest}" for name, digest in trace.digests.items())
    yield from _files(trace)
    for text in trace.rows:
        yield "in table", text


def _files(trace: CellTrace) -> Iterator[tuple[str, str]]:
    """What else lies on disk."""
    for path, digest in trace.weights.items():
        yield "weights", f"{path} (SHA-256 of its tensors {digest or 'not recorded'})"
    if trace.record and not trace.weights:
        yield "weights", "not kept here"
    if trace.log:
        yield "log", trace.log
    for name, paths in (("checkpoint", trace.checkpoints), ("file", trace.others)):
        yield from ((name, path) for path in paths)
    for path, lines in trace.journals.items():
        yield "journal", f"{path} (named in {count(lines, 'line')})"


def _process(p: dict[str, Any], number: str) -> Iterator[tuple[str, str]]:
    """One process that worked on the cell; the last one wrote its record."""
    dirty = ", with uncommitted changes" if p["dirty"] else ", clean"
    threads = count(p["threads"], "thread")
    versions = ", ".join(f"{name} {v}" for name, v in p["versions"].items() if v)
    yield f"command{number}", p["command"]
    yield f"started{number}", f"{p['started']}, {p['wall_s']:,.1f} s, on {p['host']}"
    yield f"commit{number}", f"{p['commit']}{dirty}" if p["commit"] else "none: no checkout"
    for name, origin in p["plugins"].items():
        yield f"plugin{number}", f"{name} of {_plugin(origin)}"
    yield f"versions{number}", versions
    cells = p["cells_at_once"]
    others = f", {count(cells, 'cell')} at a time" if cells else ""
    engine = "compiled" if p["compiled"] else "eager"
    yield f"device{number}", f"{p['device']}, {threads}, {engine}{others}"
    if p["ranks"]:
        yield f"processes{number}", f"{len(p['ranks'])}: {', '.join(p['ranks'])}"
    if p["energy_j"] is not None:
        yield f"energy{number}", f"{column('energy_j').write(p['energy_j'])} kJ"


def _plugin(origin: dict[str, Any]) -> str:
    """Where a stranger's plugin is from."""
    dirty = ", with uncommitted changes" if origin["dirty"] else ", clean"
    commit = f"commit {origin['commit']}{dirty}" if origin["commit"] else "no checkout"
    return ", ".join(filter(None, [origin["distribution"], commit]))


def _receipt(receipt: dict[str, Any]) -> str:
    step = receipt["first_difference"]
    agreed = "agreed to the bit" if step is None else f"DIFFERED from step {step}"
    return (
        f"two trainings of {count(len(receipt['steps']), 'step')} {agreed}, {receipt['made']}, on "
        f"{receipt['environment']}"
    )
