"""A suite trained from Python: `bench.run`."""

from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from bench.api.arguments import Folders, Overrides, look_for_plugins, spell_overrides
from bench.api.suite_board import SuiteBoard
from bench.api.torch_threads import one_thread
from bench.base import signals
from bench.base.console import Terminal, print_text
from bench.base.duration import read_seconds
from bench.execution import session
from bench.execution.request import PreparedRun, RunRequest, prepare
from bench.execution.settings import RetryPolicy
from bench.leaderboard import saved
from bench.speed.slots import SlotOptions

if TYPE_CHECKING:
    from bench.execution.job import Slot


def run(
    suite: str | Path,
    overrides: Overrides = (),
    *,
    results: str | Path = "results",
    data: str | Path | None = None,
    filter: str = "",
    device: str = "auto",
    gpus: Sequence[int] | None = None,
    slots_per_gpu: int | Literal["auto"] | None = None,
    jobs: int | None = None,
    threads: int = 1,
    ranks: int = 1,
    workers: int | None = None,
    compile: bool | None = None,
    rerun: Iterable[str] = (),
    allow_stale: bool = False,
    unchecked: bool = False,
    track: Iterable[str] = (),
    until_separated: bool = False,
    max_seeds: int | None = None,
    checkpoint_every: float | str = "5m",
    timeout: float | str | None = None,
    retries: int = 0,
    max_failures: int | None = None,
    plugins: Folders = (),
    progress: bool = True,
) -> SuiteBoard:
    """
    Run every cell of a suite that has no record yet, as `bench run` does, and return its board.

    Cells train in processes of their own; what each records is on disk the moment it ends. Called
    again it continues: measured cells are kept, failed ones are tried again. Ctrl-C, or a
    notebook's stop button, lets what trains leave a checkpoint first, from which it goes on; a
    second one does not wait. What failed is named on stderr, and in the board and its cells.

    Args:
        suite: a file, or the name of a shipped suite.
        overrides: `{"train.epochs": 3}`, or as the command takes them: `["train.epochs=3"]`.
        results: the results folder.
        data: the data folder; None: `$BENCH_DATA`, or `./data`.
        filter: which cells, as in `"estimator=reste,ste & seed=0"`.
        device: auto, cpu, cuda, cuda:N or mps.
        gpus: numbers of GPUs; None: all.
        slots_per_gpu: cells at a time on each GPU; None: one; "auto": what is measured to be best.
        jobs: cells at a time; None: on every core.
        threads: CPU threads for each cell.
        ranks: processes that train one cell together.
        workers: threads for each cell that decode image files.
        compile: torch.compile the training step; None: for long trainings.
        rerun: `failed`, `stale`, or cells by name: these run again, and no others.
        allow_stale: stale records stand in the board, marked.
        unchecked: train plugins that fail `bench check`, too.
        track: trackers, `tensorboard` or `trackio`, with `:FOLDER` or without.
        until_separated: add seeds to rows until they can be told apart.
        max_seeds: the most seeds of a row then; None: 20.
        checkpoint_every: time between two checkpoints of a cell: seconds, or `5m`.
        timeout: the longest that one try at a cell may take: seconds, or `2h`.
        retries: tries more for a cell that fails.
        max_failures: stop the run after so many failed cells.
        plugins: folders of plugins of your own.
        progress: print what becomes of cells.

    Raises:
        BenchError: as `bench.plan`; no such device; nothing to run again; too many cells failed.
        KeyboardInterrupt: it was stopped; what is recorded stays.
    """
    words = spell_overrides(overrides)
    request = RunRequest(
        suite=Path(suite),
        root=Path(results),
        overrides=tuple(words),
        data=Path(data) if data else None,
        filter_=filter,
        rerun=tuple(rerun),
        allow_stale=allow_stale,
        unchecked=unchecked,
        track=tuple(track),
        until_separated=until_separated,
        max_seeds=max_seeds,
        compiled=compile,
        workers=workers,
        argv=("run", str(suite), *words, *(("--filter", filter) if filter else ())),
        checkpoint_s=_seconds("checkpoint_every", checkpoint_every),
        timeout_s=None if timeout is None else _seconds("timeout", timeout),
        retry=RetryPolicy(retries, max_failures),
    )
    look_for_plugins(plugins)
    numbers = None if gpus is None else list(gpus)
    where = SlotOptions(device, numbers, jobs, threads, slots_per_gpu, ranks)
    with signals.halting(), one_thread() as prepare_torch:
        prepared = prepare(request, prepare_torch)
        _train(prepared, where, quiet=not progress)
    plan, ranked, warnings = saved.board(request.root, prepared.plan.suite, stale=allow_stale)
    return SuiteBoard(plan, ranked, request.root, warnings)


def _train(prepared: PreparedRun, where: SlotOptions, *, quiet: bool) -> None:
    """Train what is missing; where a notebook shows what is printed, in lines that stay."""
    terminal = False if Terminal().is_jupyter else None  # its stdout says that it is one
    out = Terminal(force_jupyter=False, force_terminal=terminal, emoji=False, quiet=quiet)
    err = Terminal(force_jupyter=False, force_terminal=terminal, emoji=False, stderr=True)

    def choose_slots() -> "tuple[Slot, ...]":
        from bench.speed.run_slots import choose_run_slots  # it imports torch

        return choose_run_slots(where, prepared, partial(print_text, err))

    session.run(prepared, choose_slots, out, err, table=Terminal(quiet=True))


def _seconds(name: str, time: float | str) -> float:
    return read_seconds(name, str(time))
