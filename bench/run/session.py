"""One call of `bench run`: what is missing is run and shown, then the table and its files."""

from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from rich.console import Console

from bench.base.console import print_text
from bench.base.files import write_file
from bench.base.text import count
from bench.errors import UsageError
from bench.leaderboard import saved, sequential
from bench.leaderboard.ranking import rank
from bench.leaderboard.tables.formats import FORMATS, TERMINAL
from bench.leaderboard.tables.render import render, text
from bench.leaderboard.tuning import tuned
from bench.results import cell_folders, store
from bench.results.cell_state import CellState, CellStates
from bench.run import display, executor, journal
from bench.run.events import Event, Listener
from bench.run.executor import Tally
from bench.run.journal import JournalWriter
from bench.run.json_stream import Stream
from bench.run.progress import run_progress
from bench.run.request import Choice
from bench.run.settings import Settings
from bench.run.tracking import Tracking, opened
from bench.spec.cell import Cell
from bench.spec.plan import Plan


@dataclass(frozen=True)
class _Session:
    """What all parts of a run share, and what has become of them so far."""

    settings: Settings
    out: Console
    err: Console
    choice: Choice
    states: CellStates
    stream: Stream | None
    tracking: Tracking
    tally: Tally = field(default_factory=Tally)
    journals: list[Path] = field(default_factory=list[Path])
    stale: list[Cell] = field(default_factory=list[Cell])  # that did not run

    def execute(self, plan: Plan, part: str, states: list[CellState]) -> None:
        """Run those of the plan's cells that have no measurement; if asked for by name, all."""
        anew = bool(self.choice.rerun)
        missing = [s.cell for s in states if anew or s.state in {"to run", "failed"}]
        stale = [s for s in states if s.state == "stale" and not anew]
        for s in stale:
            print_text(self.err, f"stale: {s.cell.slug}: {s.note}")
        self.stale.extend(s.cell for s in stale)
        n = len(states)
        if self.stream:
            self.stream.counts.update(recorded=n - len(missing) - len(stale), stale=len(stale))
        counts = f"{n - len(missing) - len(stale)} recorded"
        if stale:
            counts += f", {len(stale)} stale"
        print_text(self.out, f"{part}{count(n, 'cell')}, {counts}, {len(missing)} to run")
        if missing:
            store.save_plan(self.settings.root, saved.continued(plan, self.settings.root))
            self._watched(plan, missing, anew=anew)
            self.states.refresh(missing)

    def _watched(self, plan: Plan, cells: list[Cell], *, anew: bool) -> None:
        """Run cells, shown and written to a journal."""
        settings, out = self.settings, self.out
        progress = run_progress(plan, [cell.id for cell in cells], settings.root)
        view = display.TableView if display.redraws(out) else display.LineView
        entries = journal.entries(cells, progress.names)
        echo = (self.stream.tell,) if self.stream else ()
        book = JournalWriter(settings.root, plan.suite, entries, settings.argv, *echo)
        self.tracking.cells |= {cell.id: cell for cell in cells}
        self.journals.append(book.path)
        try:
            with book, view(progress, out) as shown:
                listeners: list[Listener] = [book, shown, self.tracking]
                tell = partial(tell_all, listeners)
                found = executor.execute(cells, settings, tell, book.header.owner, anew=anew)
            self.tally.ended.update(found.ended)
        finally:
            if book.problem:
                print_text(self.err, f"note: the journal has gaps: {book.problem}")


def tell_all(listeners: Iterable[Listener], event: Event) -> None:
    """Tell each listener of an event, in their order."""
    for listener in listeners:
        listener(event)


def run(
    plan: Plan,
    chosen: list[Cell],
    settings: Settings,
    out: Console,
    err: Console,
    choice: Choice | None = None,
    stream: Stream | None = None,
    states: CellStates | None = None,
) -> bool:
    """
    Run the chosen cells that have no record, and print the plan's leaderboard and files.

    Trackers hear of the run, and `stream` of all that its journals are told. `states` are those of
    the plan's cells, where they are known already.

    Returns whether every cell came to a measurement. Failures are named on `err`, with the log,
    and so is what is stale: measured by other code or on other data, and not run unasked.

    Raises:
        UsageError: the choice names no cell, or several by one name, or no tracker.
        EnvironmentProblem: a tracker is not installed, or cannot write.
    """
    choice = choice or Choice()
    _refuse_namesake(plan, settings.root)
    trackers = opened(choice.track, settings.root, plan.suite)
    notes = out if display.redraws(out) else err  # a table is torn by what others print
    tracking = Tracking(trackers, settings.root, lambda text: print_text(notes, text))
    for told in trackers.values():
        print_text(out, f"tracked: `{told.command}` shows it")
    states = states or CellStates(settings.root, plan.possible)
    session = _Session(settings, out, err, choice, states, stream, tracking)
    with closing(tracking):
        for part, chosen_states in _parts(plan, chosen, states, choice):
            session.execute(plan, part, chosen_states)
        plan = _separated(session, plan)
    written = [*_table(plan, session), *session.journals]
    print_text(out, "files:")
    for line in _files(written, plan, settings.root):
        print_text(out, f"  {line}")
    for event in session.tally.failed:
        cell = plan.cell(event.cell_id)
        log = store.cell_path(settings.root, cell) / "log.txt"
        print_text(err, f"failed: {cell.slug}: {event.reason}; log: {log}")
    undone = 0 if choice.allow_stale else len(session.stale)
    if undone:
        hint = "--rerun stale measures them again, --allow-stale shows what there is"
        cells = "1 cell was" if undone == 1 else f"{undone} cells were"
        print_text(err, f"stale: {cells} measured by other code or on other data; {hint}")
    return not (session.tally.failed or undone)


def _separated(session: _Session, plan: Plan) -> Plan:
    """Add seeds to the rows that cannot be told apart, look by look; the plan as it has grown."""
    states, sizes = session.states, session.choice.looks
    looked = sorted({*plan.looked, *(n for n in sizes if n > 1)})
    plan = plan.model_copy(update={"looked": looked})
    for n in sizes[1:]:
        found = states.select(plan.possible)
        records = found.records(stale=session.choice.allow_stale)
        names = sequential.wanting(rank(plan, records, stale=found.stale))
        more = sequential.grown(plan, names, n)
        if more != plan:
            old = {cell.id for cell in plan.cells}
            new = states.select([cell for cell in more.cells if cell.id not in old])
            part = f"{n} seeds for {count(len(names), 'row')} that cannot be told apart: "
            session.execute(more, part, [*new.of.values()])
            plan = more
    return plan


def _parts(
    plan: Plan, chosen: list[Cell], states: CellStates, choice: Choice
) -> Iterator[tuple[str, list[CellState]]]:
    """What runs first, and then what that decides; chosen cells only, each with its state."""
    if choice.rerun:
        of_chosen = states.select(chosen).of
        yield "again: ", [of_chosen[i] for i in _again(of_chosen, choice.rerun)]
        return
    ids = {cell.id for cell in chosen}
    trials = [trial for row in plan.rows for trial in row.trials]
    first = [*plan.cells, *(cell for trial in trials for cell in trial.held_out)]
    yield "", [*states.select([cell for cell in first if cell.id in ids]).of.values()]
    if trials:
        found = states.select(plan.possible)
        known = {record.cell.id: record for record in found.records(stale=choice.allow_stale)}
        best = {c.id: c for trial in tuned(plan, known) for c in trial.cells if c.id in ids}
        yield "tuned: ", [found.of[i] for i in best]


def _again(states: dict[str, CellState], rerun: tuple[str, ...]) -> list[str]:
    """The ids of the cells that `--rerun` names, in the plan's order."""
    slugs = {state.cell.slug: i for i, state in states.items()}
    wanted: set[str] = set()
    for word in rerun:
        if word in {"failed", "stale"}:
            wanted |= {i for i, state in states.items() if state.state == word}
            continue
        named = cell_folders.match_slugs(word, slugs)
        if len(named) != 1:
            found = ", ".join(named[:5]) or "none"
            message = f"--rerun `{word}` names {len(named)} cells of this suite: {found}"
            raise UsageError(message)
        wanted.add(slugs[named[0]])
    return [i for i in states if i in wanted]


def _refuse_namesake(plan: Plan, root: Path) -> None:
    """
    Keep the table of another suite that has the same file name.

    Raises:
        UsageError: the results folder holds one, and its suite still exists.
    """
    if not (store.suite_path(root, plan.suite) / "plan.json").is_file():
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


def _table(plan: Plan, session: _Session) -> list[Path]:
    """
    Print the leaderboard, and write it in every format beside its plan.

    Where every record is stale, so that it would be empty, an earlier one stays as it is.
    """
    root, out, err = session.settings.root, session.out, session.err
    plan = saved.continued(plan, root)  # another run may have added seeds meanwhile
    session.states.refresh_unmeasured()
    found = session.states.select(plan.possible)
    records = found.records(stale=session.choice.allow_stale)
    board = rank(plan, records, stale=found.stale, notes=found.damaged)
    render(board, TERMINAL, out)
    home = store.suite_path(root, plan.suite)
    if not records and found.stale and (home / "plan.json").is_file():
        print_text(err, f"note: all records are stale; the table in `{home}` stays as it was")
        return []
    tables = [
        write_file(home / f"leaderboard.{name}", text(board, name))
        for name, form in FORMATS.items()
        if form.kept
    ]
    return [store.save_plan(root, plan), *tables]


def _files(written: list[Path], plan: Plan, root: Path) -> Iterator[str]:
    """Every file of this suite; a cell's files on one line."""
    yield from map(str, [*written, *sorted((root / "receipts").glob("*.json"))])
    for cell in plan.possible:
        home = store.cell_path(root, cell)
        names = sorted(p.name for p in home.glob("[!.]*")) if home.is_dir() else []
        if names:
            yield f"{home}/{{{','.join(names)}}}" if len(names) > 1 else f"{home}/{names[0]}"
