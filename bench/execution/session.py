"""One call of `bench run`: what is missing is run and shown, then the table and its files."""

import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path

from rich.console import Console

from bench.base.collector import held_back
from bench.base.console import print_text
from bench.base.files import real_path, write_file
from bench.base.text import count
from bench.errors import EmptyMatch, UsageError
from bench.execution import display, journal
from bench.execution.events import Event, Listener
from bench.execution.executor import Executor, RunResult, execute_here
from bench.execution.job import Slot
from bench.execution.journal import JournalWriter
from bench.execution.json_stream import JsonEventWriter
from bench.execution.parents import find_obstacle
from bench.execution.progress import run_progress
from bench.execution.request import PreparedRun, RunRequest
from bench.execution.settings import Settings
from bench.execution.tracking import Tracking, open_trackers
from bench.leaderboard import saved, sequential
from bench.leaderboard.ranking import rank
from bench.leaderboard.tables.formats import KEPT
from bench.leaderboard.tables.render import render_short, text
from bench.leaderboard.tuning import tuned
from bench.results import cell_folders, store
from bench.results.cell_state import CellState, CellStates
from bench.spec.cell import Cell, Parent
from bench.spec.plan import Plan, with_ancestry


@dataclass(frozen=True)
class _Session:
    """What all parts of a run share, and what has become of them so far."""

    request: RunRequest
    states: CellStates
    choose_slots: Callable[[], tuple[Slot, ...]]
    executor: Executor
    out: Console
    err: Console
    json_events: JsonEventWriter | None
    tracking: Tracking
    result: RunResult = field(default_factory=RunResult)
    journals: list[Path] = field(default_factory=list[Path])
    stale: list[Cell] = field(default_factory=list[Cell])  # that did not run

    @cached_property
    def settings(self) -> Settings:
        """How cells run; not asked for before there is one to run, for it may take measuring."""
        return self.request.settings(self.choose_slots())

    def execute(self, plan: Plan, part: str, states: Iterable[CellState]) -> None:
        """Run those of the plan's cells that have no measurement; if asked for by name, all."""
        states, remeasure = list(states), bool(self.request.rerun)
        missing = _missing(states, remeasure=remeasure)
        stale = [s for s in states if s.state == "stale" and not remeasure]
        recorded = len(states) - len(missing) - len(stale)
        for s in stale:
            print_text(self.err, f"stale: {s.cell.slug}: {s.note}")
        self.stale.extend(s.cell for s in stale)
        if self.json_events:
            self.json_events.counts.update(recorded=recorded, stale=len(stale))
        counts = f"{recorded} recorded"
        if stale:
            counts += f", {len(stale)} stale"
        print_text(self.out, f"{part}{count(len(states), 'cell')}, {counts}, {len(missing)} to run")
        if missing:
            root = self.request.root
            store.save_plan(root, saved.continued(plan, root))
            self._train(plan, missing, remeasure=remeasure)
            self.states.refresh(missing)

    def _train(self, plan: Plan, cells: list[Cell], *, remeasure: bool) -> None:
        """Train cells, shown and written to a journal."""
        settings, out = self.settings, self.out
        progress = run_progress(plan, [cell.id for cell in cells], settings.root)
        view = display.TableView if display.redraws(out) else display.LineView
        entries = journal.entries(cells, progress.names)
        echo = (self.json_events.write,) if self.json_events else ()
        writer = JournalWriter(
            settings.root, plan.suite, entries, settings.argv, *echo, profile=self.request.on
        )
        self.tracking.cells |= {cell.id: cell for cell in cells}
        self.journals.append(writer.path)
        try:
            with writer, view(progress, out) as shown:
                listeners: list[Listener] = [writer, shown, self.tracking]
                result = self.executor(
                    plan,
                    cells,
                    settings,
                    partial(notify_all, listeners),
                    writer.header.owner,
                    remeasure=remeasure,
                )
            self.result.ended.update(result.ended)
        finally:
            if writer.problem:
                print_text(self.err, f"note: the journal has gaps: {writer.problem}")


def first_cells(prepared: PreparedRun) -> list[Cell]:
    """The cells that a run begins with; what these decide may add more."""
    _, states = next(_parts(prepared))
    return _missing(states, remeasure=bool(prepared.request.rerun))


def _missing(states: Iterable[CellState], *, remeasure: bool) -> list[Cell]:
    return [s.cell for s in states if remeasure or s.state in {"to run", "failed"}]


def notify_all(listeners: Iterable[Listener], event: Event) -> None:
    """Call each listener with an event, in their order."""
    for listener in listeners:
        listener(event)


def run(
    prepared: PreparedRun,
    choose_slots: Callable[[], tuple[Slot, ...]],
    out: Console,
    err: Console,
    json_events: JsonEventWriter | None = None,
    executor: Executor | None = None,
    table: Console | None = None,
) -> bool:
    """
    Run the chosen cells that have no record, and print the plan's leaderboard and files.

    Args:
        choose_slots: where cells run; called once, before the first of them.
        err: failures are named here, with their log, and so is what is stale: measured by other
            code or on other data, and not run unasked.
        json_events: given every line that the run's journals are given.
        executor: sees cells ended elsewhere; None: in slots of this machine.
        table: where table and files are printed; None: to `out`.

    Returns whether every cell came to a measurement.

    Raises:
        UsageError: `rerun` names no cell, or several by one name; or `track` names no tracker.
        EnvironmentProblem: a tracker is not installed, or cannot write.
    """
    request, plan = prepared.request, prepared.plan
    _refuse_namesake(plan, request.root)
    trackers = open_trackers(request.track, request.root, plan.suite)
    notes = out if display.redraws(out) else err  # a table is torn by what others print
    tracking = Tracking(trackers, request.root, lambda text: print_text(notes, text))
    for tracker in trackers.values():
        print_text(out, f"tracked: `{tracker.command}` shows it")
    session = _Session(
        request,
        prepared.states,
        choose_slots,
        executor or execute_here,
        out,
        err,
        json_events,
        tracking,
    )
    with closing(tracking):
        for part, states in _parts(prepared):
            session.execute(plan, part, states)
        plan = _add_seeds(session, plan, prepared.looks)
    table = table or out
    written = [*_write_table(plan, session, table), *session.journals]
    if request.paths:
        print_text(table, "files:")
        for line in _files(written, plan, request.root):
            print_text(table, f"  {line}")
    fine = _report_problems(session, plan)
    for line in _ending(session, plan, fine=fine):
        print_text(table, line)
    return fine


def _ending(session: _Session, plan: Plan, *, fine: bool) -> Iterator[str]:
    """Where the table is, and the command that may come next."""
    request = session.request
    home = store.suite_path(request.root, plan.suite)
    if not home.is_dir():
        return
    yield f"The table is in {home}, the records are in {request.root / 'cells'}."
    first = next(iter(session.result.failed), None)
    if first:
        command = _again("logs", session, first.cell_id)
    elif fine:
        command = _again("report", session)
    else:
        command = _again("run", session, more=["--rerun", "stale"] * bool(session.stale))
    yield f"next: {command}"


def _again(verb: str, session: _Session, *names: str, more: Sequence[str] = ()) -> str:
    """A command on the same suite, or what is named, in the same results folder."""
    request = session.request
    what = names or (str(request.suite), *request.overrides)
    where = () if request.root == Path("results") else ("--results", str(request.root))
    return shlex.join(["bench", verb, *what, *more, *where])


def _report_problems(session: _Session, plan: Plan) -> bool:
    """Name what failed and what is stale; returns whether there is neither."""
    request, err = session.request, session.err
    for event in session.result.failed:
        cell = plan.cell(event.cell_id)
        log = store.cell_path(request.root, cell) / "log.txt"
        print_text(err, f"failed: {cell.slug}: {event.reason}; log: {log}")
    for event in session.result.interrupted:
        slug = plan.cell(event.cell_id).slug
        print_text(err, f"interrupted: {slug}: {event.reason}; run again to continue")
    for event in session.result.blocked:
        print_text(err, f"blocked: {plan.cell(event.cell_id).slug}: {event.reason}")
    undone = 0 if request.allow_stale else len(session.stale)
    if undone:
        hint = "--rerun stale measures them again, --allow-stale shows what there is"
        cells = "1 cell was" if undone == 1 else f"{undone} cells were"
        print_text(err, f"stale: {cells} measured by other code or on other data; {hint}")
    result = session.result
    return not (result.failed or result.blocked or result.interrupted or undone)


def _add_seeds(session: _Session, plan: Plan, looks: tuple[int, ...]) -> Plan:
    """Add seeds to the rows that cannot be told apart, look by look; the plan as it has grown."""
    states, allow_stale = session.states, session.request.allow_stale
    looked = sorted({*plan.looked, *(n for n in looks if n > 1)})
    plan = plan.model_copy(update={"looked": looked})
    for n in looks[1:]:
        known = states.select(plan.possible)
        ranked = rank(plan, known.records(stale=allow_stale), stale=known.stale)
        names = sequential.wanting(ranked)
        more = sequential.grown(plan, names, n)
        if more != plan:
            old = {cell.id for cell in plan.cells}
            new = states.select(with_ancestry(cell for cell in more.cells if cell.id not in old))
            part = f"{n} seeds for {count(len(names), 'row')} that cannot be told apart: "
            session.execute(more, part, new.by_id.values())
            plan = more
    return plan


def _parts(prepared: PreparedRun) -> Iterator[tuple[str, Iterable[CellState]]]:
    """What runs first, and then what that decides; chosen cells only, each with its state."""
    request, plan, states = prepared.request, prepared.plan, prepared.states
    if request.rerun:
        yield "again: ", _states_to_rerun(states.select(prepared.chosen), request.rerun)
        return
    ids = {cell.id for cell in prepared.chosen}
    trials = [trial for row in plan.rows for trial in row.trials]
    first = with_ancestry([*plan.cells, *(cell for trial in trials for cell in trial.held_out)])
    yield "", states.select([cell for cell in first if cell.id in ids]).by_id.values()
    if trials:
        records = states.select(plan.possible).records(stale=request.allow_stale)
        known = {record.cell.id: record for record in records}
        chosen = with_ancestry(cell for trial in tuned(plan, known) for cell in trial.cells)
        best = [cell for cell in chosen if cell.id in ids]
        yield "tuned: ", states.select(best).by_id.values()


def _states_to_rerun(chosen: CellStates, rerun: tuple[str, ...]) -> list[CellState]:
    """
    The states of the chosen cells that `--rerun` names, in the plan's order.

    With them come cells without a record that waited for one of them, and what they need and lack.

    `failed` are cells that failed when they were last tried, before a change of code or data, too.

    Raises:
        UsageError: a word names several cells.
        EmptyMatch: nothing is to be run again.
    """
    slugs = {state.cell.slug: i for i, state in chosen.by_id.items()}
    wanted: set[str] = set()
    for word in rerun:
        if word == "failed":
            wanted |= {i for i, state in chosen.by_id.items() if state.failed_before}
            continue
        if word == "stale":
            wanted |= {i for i, state in chosen.by_id.items() if state.state == word}
            continue
        named = cell_folders.match_slugs(word, slugs)
        if not named:
            message = f"--rerun `{word}` names no cell of this suite; `bench plan` lists them"
            raise EmptyMatch(message)
        if len(named) > 1:
            listed = ", ".join(named[:5])
            message = f"--rerun `{word}` names {len(named)} cells of this suite: {listed}"
            raise UsageError(message)
        wanted.add(slugs[named[0]])
    if not wanted:
        states = Counter(state.state for state in chosen.by_id.values())
        there = ", ".join(f"{n} {state}" for state, n in states.items())
        message = f"--rerun {' '.join(rerun)}: no such cell in this suite, which has {there}"
        raise EmptyMatch(message)
    wanted |= _waiting_for(chosen, wanted)
    above = {c.id for i in wanted for c in chosen.by_id[i].cell.ancestry()}
    wanted |= {i for i in above & chosen.by_id.keys() if chosen.by_id[i].state != "recorded"}
    return [state for i, state in chosen.by_id.items() if i in wanted]


def _waiting_for(chosen: CellStates, wanted: set[str]) -> set[str]:
    """Cells that have no measurement, and could have none for want of one of the wanted cells."""
    lacking = {
        i
        for i in wanted
        if (state := chosen.by_id[i]).state != "recorded"
        or (state.state == "recorded" and find_obstacle(chosen.root, Parent(cell=state.cell)))
    }
    return {
        i
        for i, state in chosen.by_id.items()
        if state.state in {"to run", "failed"}
        and any(cell.id in lacking for cell in state.cell.ancestry())
    }


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
    if other.is_file() and real_path(other) != real_path(Path(plan.source)):
        message = (
            f"`{root}` holds the table of `{other}`, another suite named {plan.suite}; "
            "rename one, or give another --results"
        )
        raise UsageError(message)


@held_back()
def _write_table(plan: Plan, session: _Session, out: Console) -> list[Path]:
    """
    Print the leaderboard, and write it beside its plan; returns the files.

    Where every record is stale, so that it would be empty, an earlier one stays as it is.
    """
    root, err = session.request.root, session.err
    plan = saved.continued(plan, root)  # another run may have added seeds meanwhile
    session.states.refresh_unmeasured()
    states = session.states.select(plan.possible)
    records = states.records(stale=session.request.allow_stale)
    board = rank(plan, records, stale=states.stale, notes=states.damaged)
    render_short(
        board, out, f"other columns, and what each means: {_again('leaderboard', session)}"
    )
    for note in states.damaged if out.is_terminal else ():
        print_text(err, f"note: {note}")
    home = store.suite_path(root, plan.suite)
    if not records and states.stale and (home / "plan.json").is_file():
        print_text(err, f"note: all records are stale; the table in `{home}` stays as it was")
        return []
    tables = [write_file(home / f"leaderboard.{form}", text(board, form)) for form in KEPT]
    return [store.save_plan(root, plan), *tables]


def _files(written: list[Path], plan: Plan, root: Path) -> Iterator[str]:
    """Every file of this suite; a cell's files on one line."""
    yield from map(str, [*written, *sorted((root / "receipts").glob("*.json"))])
    for cell in plan.possible:
        home = store.cell_path(root, cell)
        names = sorted(p.name for p in home.glob("[!.]*")) if home.is_dir() else []
        if names:
            yield f"{home}/{{{','.join(names)}}}" if len(names) > 1 else f"{home}/{names[0]}"
