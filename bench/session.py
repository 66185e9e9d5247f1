"""One call of `bench run`: what is missing is run and shown, then the table and its files."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from rich.console import Console

from bench import executor, journal, leaderboard, live, render, store
from bench.cell import Cell
from bench.errors import UsageError
from bench.executor import Settings, Tally
from bench.journal import Journal
from bench.plan import Plan
from bench.tuning import tuned


def run(plan: Plan, chosen: list[Cell], settings: Settings, out: Console, err: Console) -> bool:
    """
    Run the chosen cells that have no measurement, and print the plan's leaderboard and files.

    Returns whether every cell came to a measurement. Failures are named on `err`, with the log.
    """
    _refuse_namesake(plan, settings.root)
    written = [store.save_plan(settings.root, plan)]
    ids = {cell.id for cell in chosen}
    tally = Tally()
    for part, cells in _parts(plan, settings.root):
        _execute(
            plan, [cell for cell in cells if cell.id in ids], part, settings, tally, (out, err)
        )
    written += _table(plan, settings.root, out)
    _say(out, "files:")
    for line in _files(written, plan, settings.root):
        _say(out, f"  {line}")
    for event in tally.failed:
        log = store.folder(settings.root, plan.cell(event.cell_id)) / "log.txt"
        _say(err, f"failed: {event.reason}; log: {log}")
    for problem in tally.errors:
        _say(err, f"error: {problem}")
    return not (tally.failed or tally.errors)


def _parts(plan: Plan, root: Path) -> Iterator[tuple[str, list[Cell]]]:
    """What runs first, and then what that decides."""
    trials = [trial for row in plan.rows for trial in row.trials]
    yield "", [*plan.cells, *(cell for trial in trials for cell in trial.held_out)]
    if trials:
        known = {record.cell.id: record for record in store.records(root, plan)}
        yield "tuned: ", [c for trial in tuned(plan, known) for c in trial.cells]


def _execute(
    plan: Plan,
    cells: list[Cell],
    part: str,
    settings: Settings,
    tally: Tally,
    consoles: tuple[Console, Console],
) -> None:
    """Run those cells that have no measurement; what went wrong joins the tally."""
    out, err = consoles
    cells = list({cell.id: cell for cell in cells}.values())
    missing = executor.wanted(settings.root, cells)
    for moved in (store.set_aside(settings.root, cell) for cell in missing):
        if moved:
            _say(err, f"note: an unreadable record is kept as {moved}; its cell runs again")
    recorded = len(cells) - len(missing)
    _say(out, f"{part}{len(cells)} cells, {recorded} recorded, {len(missing)} to run")
    if missing:
        found = _watched(plan, missing, settings, consoles)
        tally.ended |= found.ended
        tally.errors += found.errors


def _watched(
    plan: Plan, cells: list[Cell], settings: Settings, consoles: tuple[Console, Console]
) -> Tally:
    """Run cells, shown and written to the ledger of events."""
    out, err = consoles
    board = live.board(plan, [cell.id for cell in cells], settings.root)
    view = live.Terminal if out.is_terminal else live.Plain
    book = Journal(settings.root, plan.suite, journal.entries(cells, board.names), settings.argv)
    try:
        with book, view(board, out) as watch:
            return executor.execute(cells, settings, book.before(watch))
    finally:
        if book.problem:
            _say(err, f"note: the ledger of events has gaps: {book.problem}")


def states(plan: Plan, chosen: Iterable[Cell], root: Path) -> Iterator[str]:
    """One line per chosen cell, recorded or to run, then what is left out, then the sums."""
    wanted = {cell.id for cell in chosen}
    counts = {"recorded": 0, "to run": 0, "if best": 0}
    for row, part, cell in plan.every():
        if cell.id not in wanted:
            continue
        wanted.remove(cell.id)  # once, though several rows may share it
        record = store.find(root, cell)
        state = "recorded" if record and record.measured else "to run"
        if part.startswith("tuned"):
            state = state if state == "recorded" else "if best"
        counts[state] += 1
        name = f"{row.label} x {row.backbone} x {row.wa} x {row.schedule} x seed {cell.seed}"
        note = f" ({record.status}: {record.reason})" if record and record.reason else ""
        yield f"{cell.id}  {state:8}  {name}{f' ({part})' if part else ''}{note}"
    for left in plan.left_out:
        yield f"{'left out':>22}  {left.combination}: {left.reason}"
    for absent in plan.absent:
        claim = absent.claim
        name = f"{claim.method} x {claim.backbone} x {claim.wa}"
        yield f"{'published':>22}  {name}: {claim.acc:.2f}, {absent.reason}"
    tuning = f", {counts['if best']} if tuning chooses them" if counts["if best"] else ""
    yield (
        f"{sum(counts.values())} cells on {', '.join(dict.fromkeys(r.data for r in plan.rows))}: "
        f"{counts['recorded']} recorded, {counts['to run']} to run{tuning}; "
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


def _table(plan: Plan, root: Path, out: Console) -> list[Path]:
    """Print the leaderboard, and write it in every format."""
    board = leaderboard.rank(plan, store.records(root, plan))
    render.render(board, "rich", out)
    home = store.suite_folder(root, plan.suite)
    forms = {"md": render.markdown, "csv": render.csv, "json": render.as_json}
    return [store.write(home / f"leaderboard.{end}", form(board)) for end, form in forms.items()]


def _files(written: list[Path], plan: Plan, root: Path) -> Iterator[str]:
    """Every file of this suite; a cell's files on one line."""
    yield from map(str, written)
    for cell in plan.possible:
        home = store.folder(root, cell)
        names = sorted(p.name for p in home.glob("[!.]*")) if home.is_dir() else []
        if names:
            yield f"{home}/{{{','.join(names)}}}"


def _say(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)
