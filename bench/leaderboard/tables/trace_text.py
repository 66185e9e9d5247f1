"""What `bench trace` prints: a row's numbers by seed, and a cell's trail."""

from collections.abc import Callable, Iterator
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.base.text import count
from bench.leaderboard.stats.intervals import Estimate
from bench.leaderboard.tables.layout import EXPENSES
from bench.leaderboard.trace import NUMBERS, RowTrail, Seed, Trail

HEADS = {
    "acc": "acc, %",
    "best": "best, %",
    "top5": "top-5, %",
    "difference": "Δ, points",
    "e": "e",
    "s": "s",
    **{name: head for head, (name, _) in EXPENSES.items()},
}
FORMS: dict[str, Callable[[float], str]] = {
    "e": "{:.4g}".format,
    "s": "{:.2e}".format,
    "difference": lambda value: f"{100 * value:+.2f}",
    **dict(EXPENSES.values()),
}


def row(found: RowTrail, console: Console) -> None:
    """A row's numbers, how they are made, and the trail of each of its cells."""
    console.print(_numbers(found))
    for text in how(found):
        console.print(Text(f"· {text}", style="dim"))
    for one in found.trails:
        console.print()
        trail(one, console)
    console.print()


def _numbers(found: RowTrail) -> Table:
    """A line for each seed, then what the table prints."""
    line = found.line
    tuned = f", tuned: {line.chosen}" if line.chosen else ""
    rank = f", rank {line.rank}" if line.rank else ""
    title = f"{found.suite}: {line.title}, {line.backbone}, W/A {line.wa}{tuned}{rank}"
    table = Table(title=Text(title, style="bold"), title_justify="left")
    table.box, table.padding = box.SIMPLE_HEAD, (0, 1, 0, 0)
    shown = shown_numbers(found)
    table.add_column("seed", justify="right", no_wrap=True)
    table.add_column("cell", no_wrap=True)
    for name in shown:
        table.add_column(HEADS[name], justify="right", no_wrap=True)
    for seed in found.seeds:
        values = [number(name, seed.values.get(name)) for name in shown]
        cells = values if seed.values else [seed.state]
        table.add_row(str(seed.seed), cell_name(seed), *cells)
    table.add_section()
    for name, of in {"mean": mean, "95 %": spread}.items():
        told = "as printed" if of is mean else "interval"
        table.add_row(name, told, *(of(found, column) for column in shown), style="bold")
    return table


def shown_numbers(found: RowTrail) -> list[str]:
    """Names of the numbers that the row has."""
    shown = [name for name in HEADS if any(name in seed.values for seed in found.seeds)]
    return [name for name in shown if name != "top5" or found.classes > 10]


def number(name: str, value: float | None) -> str:
    """A value of `trace.NUMBERS` as tables print it; a dash for none."""
    if value is None:
        return "-"
    return FORMS[name](value) if name in FORMS else f"{100 * value:.2f}"


def cell_name(seed: Seed) -> str:
    """Its id, marked if it gives numbers of a stale record."""
    return seed.cell + " (stale)" * bool(seed.values and seed.state.startswith("stale"))


def mean(found: RowTrail, name: str) -> str:
    """What the row prints under the name."""
    value: Estimate | float | None = getattr(found.line, name)
    return number(name, value.mean if isinstance(value, Estimate) else value)


def spread(found: RowTrail, name: str) -> str:
    """The half width of its interval, if it has one."""
    value: Estimate | float | None = getattr(found.line, name)
    width = value.half_width if isinstance(value, Estimate) else None
    return "" if width is None else f"± {100 * width:.2f}"


def how(found: RowTrail) -> Iterator[str]:
    """Where the numbers are in the records, and what else stands behind the row."""
    line, shown = found.line, shown_numbers(found)
    costs = [f"{HEADS[name]} is {NUMBERS[name]}" for name, _ in EXPENSES.values() if name in shown]
    yield "; ".join(
        (
            f"of record.json: acc is {NUMBERS['acc']}, best {NUMBERS['best']}",
            f"e and s are {NUMBERS['e']}, `{found.definition}` definition",
            *costs,
        )
    )
    if found.baseline and line.difference:
        accs = ", ".join(_short(seed) for seed in found.baseline)
        yield f"Δ is {NUMBERS['difference']}: {accs}"
    told = {
        "lost": line.lost,
        "stale": line.stale,
        "stale, not used without --allow-stale": line.unused,
    }
    for what, reasons in told.items():
        for reason, n in reasons.items():
            yield f"{what}: {n} of {count(len(found.seeds), 'seed')}, {reason}"
    if line.missing:
        yield f"missing: {line.missing} of {count(len(found.seeds), 'seed')} without a record"
    if found.held_out:
        accs = ", ".join(_short(seed) for seed in found.held_out)
        yield f"chosen by its accuracy on held-out training images: {accs}"
    if line.claim:
        yield f"published {line.claim.acc:.2f}, {line.claim.source}: {line.verdict}"
    yield f"plan and table: {found.table}, from {found.source}"


def _short(seed: Seed) -> str:
    """A cell and its accuracy."""
    return f"seed {seed.seed} {cell_name(seed)} {number('acc', seed.values.get('acc'))}"


def trail(found: Trail, console: Console) -> None:
    """A cell's files and facts, a line each; a terminal has long ones wrapped."""
    console.print(Text(found.cell, style="bold"), soft_wrap=True)
    width = max(len(name) for name, _ in facts(found)) + 2
    grid = Table.grid(padding=(0, 1))
    grid.add_column(width=width, no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in facts(found):
        head = Text(f"  {name}".ljust(width), style="dim")
        if console.is_terminal:
            grid.add_row(head, Text(value))
        else:
            console.print(head + Text(f" {value}"), soft_wrap=True)
    if grid.rows:
        console.print(grid)


def facts(found: Trail) -> Iterator[tuple[str, str]]:
    """Name and text of each line."""
    yield "status", found.state
    if found.outcome:
        yield "outcome", found.outcome
    if found.record:
        seals = {"holds": "its seal holds", "none": "without a seal"}
        yield "record", f"{found.record} ({seals.get(found.seal, 'cannot be used')})"
    for number, process in enumerate(found.processes, start=1):
        last = number == len(found.processes)
        yield from _process(process, "" if last else f" {number}")
    if found.receipt:
        yield "receipt", _receipt(found.receipt)
    if found.digests:
        yield "digests", ", ".join(f"{name} {digest}" for name, digest in found.digests.items())
    yield from _files(found)
    for text in found.rows:
        yield "in table", text


def _files(found: Trail) -> Iterator[tuple[str, str]]:
    """What else lies on disk."""
    for path, digest in found.weights.items():
        yield "weights", f"{path} (SHA-256 of its tensors {digest or 'not recorded'})"
    if found.record and not found.weights:
        yield "weights", "not kept here"
    if found.log:
        yield "log", found.log
    for name, paths in (("checkpoint", found.checkpoints), ("file", found.others)):
        yield from ((name, path) for path in paths)
    for path, lines in found.journals.items():
        yield "journal", f"{path} (named in {count(lines, 'line')})"


def _process(p: dict[str, Any], number: str) -> Iterator[tuple[str, str]]:
    """One process that worked on the cell; the last one wrote its record."""
    dirty = ", with uncommitted changes" if p["dirty"] else ", clean"
    threads = count(p["threads"], "thread")
    versions = ", ".join(f"{name} {v}" for name, v in p["versions"].items() if v)
    yield f"command{number}", p["command"]
    yield f"started{number}", f"{p['started']}, {p['wall_s']:,.1f} s, on {p['host']}"
    yield f"commit{number}", f"{p['commit']}{dirty}" if p["commit"] else "none: no checkout"
    yield f"versions{number}", versions
    cells = p["cells_at_once"]
    others = f", {count(cells, 'cell')} at a time" if cells else ""
    engine = "compiled" if p["compiled"] else "eager"
    yield f"device{number}", f"{p['device']}, {threads}, {engine}{others}"
    if p["energy_j"] is not None:
        yield f"energy{number}", f"{EXPENSES['kJ'][1](p['energy_j'])} kJ"


def _receipt(receipt: dict[str, Any]) -> str:
    step = receipt["first_difference"]
    agreed = "agreed to the bit" if step is None else f"DIFFERED from step {step}"
    return (
        f"two trainings of {count(len(receipt['steps']), 'step')} {agreed}, {receipt['made']}, on "
        f"{receipt['environment']}"
    )
