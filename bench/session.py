"""One call of `bench run`: what is missing is run and shown, then the table and its files."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from bench import attic, executor, journal, leaderboard, live, render, store
from bench.cell import Cell
from bench.errors import UsageError
from bench.executor import Settings, Tally
from bench.journal import Journal
from bench.plan import Plan
from bench.standing import Standing, Standings
from bench.tuning import tuned


@dataclass(frozen=True)
class Choice:
    """What a run does with cells that have a record."""

    rerun: tuple[str, ...] = ()  # `failed`, `stale`, or cells by name: those run and no others
    allow_stale: bool = False  # stale records stand in the table


@dataclass
class _Sum(Tally):
    """What became of the cells of all parts of a run."""

    journals: list[Path] = field(default_factory=list[Path])


def run(
    plan: Plan,
    chosen: list[Cell],
    settings: Settings,
    out: Console,
    err: Console,
    choice: Choice | None = None,
) -> bool:
    """
    Run the chosen cells that have no record, and print the plan's leaderboard and files.

    Returns whether every cell came to a measurement. Failures are named on `err`, with the log,
    and so is what is stale: measured by other code or on other data, and not run unasked.

    Raises:
        UsageError: the choice names no cell, or several by one name.
    """
    choice = choice or Choice()
    _refuse_namesake(plan, settings.root)
    again = _again(chosen, choice.rerun, settings.root)
    written = [store.save_plan(settings.root, plan)]
    ids = {cell.id for cell in chosen}
    tally, undone = _Sum(), 0
    for part, cells in _parts(plan, again, settings.root, choice):
        here = [cell for cell in cells if cell.id in ids]
        anew = bool(choice.rerun)
        undone += _execute(plan, here, part, settings, tally, (out, err), anew=anew)
    written += [*_table(plan, settings.root, choice, out), *tally.journals]
    _say(out, "files:")
    for line in _files(written, plan, settings.root):
        _say(out, f"  {line}")
    for event in tally.failed:
        log = store.folder(settings.root, plan.cell(event.cell_id)) / "log.txt"
        _say(err, f"failed: {event.reason}; log: {log}")
    if undone and not choice.allow_stale:
        hint = "--rerun stale measures them again, --allow-stale shows what there is"
        _say(err, f"stale: {undone} cells were measured by other code or on other data; {hint}")
    return not (tally.failed or (undone and not choice.allow_stale))


def _again(chosen: list[Cell], rerun: tuple[str, ...], root: Path) -> list[Cell]:
    """The cells that `--rerun` names, in their order."""
    if not rerun:
        return []
    standings = Standings(root, chosen).of
    wanted: set[str] = set()
    for word in rerun:
        named = [c.id for c in chosen if word in c.slug]
        if word in {"failed", "stale"}:
            named = [c.id for c in chosen if standings[c.id].state == word]
        elif len(named) != 1:
            found = ", ".join([c.slug for c in chosen if word in c.slug][:5]) or "none"
            message = f"--rerun `{word}` names {len(named)} cells of this suite: {found}"
            raise UsageError(message)
        wanted |= {*named}
    return [cell for cell in chosen if cell.id in wanted]


def _parts(
    plan: Plan, again: list[Cell], root: Path, choice: Choice
) -> Iterator[tuple[str, list[Cell]]]:
    """What runs first, and then what that decides."""
    if choice.rerun:
        yield "again: ", again
        return
    trials = [trial for row in plan.rows for trial in row.trials]
    yield "", [*plan.cells, *(cell for trial in trials for cell in trial.held_out)]
    if trials:
        found = Standings(root, plan.possible).records(stale=choice.allow_stale)
        known = {record.cell.id: record for record in found}
        yield "tuned: ", [c for trial in tuned(plan, known) for c in trial.cells]


def _execute(
    plan: Plan,
    cells: list[Cell],
    part: str,
    settings: Settings,
    tally: _Sum,
    consoles: tuple[Console, Console],
    *,
    anew: bool,
) -> int:
    """
    Run those cells that have no measurement, `anew` all; what went wrong joins the tally.

    Returns how many are stale and do not run.
    """
    out, err = consoles
    standings = Standings(settings.root, cells).of
    missing = [s for s in standings.values() if anew or s.state in {"to run", "failed"}]
    stale = [s for s in standings.values() if s.state == "stale" and not anew]
    for s in missing:
        _clear(s, settings.root, err)
    for s in stale:
        _say(err, f"stale: {s.cell.slug}: {s.note}")
    recorded = len(standings) - len(missing) - len(stale)
    counts = f"{recorded} recorded" + f", {len(stale)} stale" * bool(stale)
    _say(out, f"{part}{len(standings)} cells, {counts}, {len(missing)} to run")
    if missing:
        found, book = _watched(plan, [s.cell for s in missing], settings, consoles)
        tally.ended |= found.ended
        tally.journals.append(book)
    return len(stale)


def _clear(standing: Standing, root: Path, err: Console) -> None:
    """Make room for a cell's record; one that is there is kept elsewhere."""
    cell = standing.cell
    if standing.state == "recorded":
        _say(err, f"note: {cell.slug} runs again; what it was is kept as {attic.put(root, cell)}")
    elif moved := store.set_aside(root, cell):
        _say(err, f"note: an unreadable record is kept as {moved}; its cell runs again")


def _watched(
    plan: Plan, cells: list[Cell], settings: Settings, consoles: tuple[Console, Console]
) -> tuple[Tally, Path]:
    """Run cells, shown and written to a journal, whose path is returned, too."""
    out, err = consoles
    board = live.board(plan, [cell.id for cell in cells], settings.root)
    view = live.Terminal if out.is_terminal else live.Plain
    book = Journal(settings.root, plan.suite, journal.entries(cells, board.names), settings.argv)
    try:
        with book, view(board, out) as watch:
            owner = book.header.owner
            return executor.execute(cells, settings, book.before(watch), owner), book.path
    finally:
        if book.problem:
            _say(err, f"note: the journal has gaps: {book.problem}")


def states(plan: Plan, chosen: Iterable[Cell], root: Path) -> Iterator[str]:
    """One line per chosen cell, recorded or to run, then what is left out, then the sums."""
    chosen = list(chosen)
    standings = Standings(root, chosen).of
    counts = {"recorded": 0, "stale": 0, "to run": 0, "if best": 0}
    for row, part, cell in plan.every():
        standing = standings.pop(cell.id, None)  # once, though several rows may share it
        if standing is None:
            continue
        state = "to run" if standing.state == "failed" else standing.state
        if part.startswith("tuned") and state == "to run":
            state = "if best"
        counts[state] += 1
        name = f"{row.label} x {row.backbone} x {row.wa} x {row.schedule} x seed {cell.seed}"
        note = f" ({standing.note})" if standing.note else ""
        yield f"{cell.id}  {state:8}  {name}{f' ({part})' if part else ''}{note}"
    for left in plan.left_out:
        yield f"{'left out':>22}  {left.combination}: {left.reason}"
    for absent in plan.absent:
        claim = absent.claim
        name = f"{claim.method} x {claim.backbone} x {claim.wa}"
        yield f"{'published':>22}  {name}: {claim.acc:.2f}, {absent.reason}"
    stale = f"{counts['stale']} stale, " if counts["stale"] else ""
    tuning = f", {counts['if best']} if tuning chooses them" if counts["if best"] else ""
    yield (
        f"{sum(counts.values())} cells on {', '.join(dict.fromkeys(r.data for r in plan.rows))}: "
        f"{counts['recorded']} recorded, {stale}{counts['to run']} to run{tuning}; "
        f"{len(plan.left_out)} combinations left out"
    )


def _refuse_namesake(plan: Plan, root: Path) -> None:
    """
    Keep the table of another suite that has the same file name.

    Raises:
        UsageError: the results folder holds one, and its suite still exists.
    """
    if not (store.suite_folder(root, plan.suite) / "plan.json").is_file():
        return
    try:
        other = Path(store.find_plan(root, plan.suite).source)
    except UsageError:  # damaged: nothing to keep
        return
    if other.is_file() and other.resolve() != Path(plan.source).resolve():
        message = (
            f"`{root}` holds the table of `{other}`, another suite named {plan.suite}; "
            "rename one, or give another --results"
        )
        raise UsageError(message)


def _table(plan: Plan, root: Path, choice: Choice, out: Console) -> list[Path]:
    """Print the leaderboard, and write it in every format."""
    found = Standings(root, plan.possible)
    board = leaderboard.rank(plan, found.records(stale=choice.allow_stale), stale=found.stale)
    render.render(board, "rich", out)
    home = store.suite_folder(root, plan.suite)
    forms = {"md": render.markdown, "csv": render.csv, "json": render.as_json}
    return [store.write(home / f"leaderboard.{end}", form(board)) for end, form in forms.items()]


def _files(written: list[Path], plan: Plan, root: Path) -> Iterator[str]:
    """Every file of this suite; a cell's files on one line."""
    yield from map(str, [*written, *sorted((root / "receipts").glob("*.json"))])
    for cell in plan.possible:
        home = store.folder(root, cell)
        names = sorted(p.name for p in home.glob("[!.]*")) if home.is_dir() else []
        if names:
            yield f"{home}/{{{','.join(names)}}}"


def _say(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)
