"""Journals of runs, read whole and while they grow."""

import io
import json
from dataclasses import asdict
from pathlib import Path
from random import Random
from typing import Any

from bench.base.console import Terminal
from bench.base.signals import Stopped
from bench.base.text import printable
from bench.execution import display, journal, status
from bench.execution.events import (
    Elsewhere,
    Ended,
    Moved,
    Progressed,
    Queued,
    Retrying,
    Started,
    Stopping,
    TakenOver,
)
from bench.fleet.board import find_boards
from bench.spec.cell_status import CellStatus
from fuzz import mutate, reports
from fuzz.box import Box, Read, misplace
from fuzz.sound import command, measured


def journals(box: Box, rng: Random) -> Read:
    """The journals of some runs, damaged, and read while one of them goes on."""
    lines = _journal(box)
    homes = box.results / "events"
    homes.mkdir()
    rests: dict[Path, bytes] = {}
    for number in range(rng.choice([1, 1, 3, 9])):
        content = _events(rng, lines)
        path = homes / f"{rng.choice(['2026', '', '..', 'é'])}{number}.jsonl"
        cut = rng.randrange(len(content) + 1)
        path.write_bytes(content[:cut])
        rests[path] = content[cut:]
        if rng.random() < 0.1:
            rests.pop(path)
            misplace(box, rng, path)
    if rng.random() < 0.02:
        rests.clear()
        misplace(box, rng, homes)
    ways = [_as_json, _shown, _watched, _watched, _on_a_terminal]
    way = rng.choice(ways)
    return lambda: way(box, rng, rests)


def _journal(box: Box) -> list[bytes]:
    """The lines of a journal: of this process, which goes on."""
    if "journal" not in box.known:
        plan, _ = measured(box)
        a, b, c, *_ = cells = [cell.id for cell in plan.cells]
        known = journal.entries(plan.cells, dict.fromkeys(cells, "a cell"))
        with journal.JournalWriter(box.results, "tiny", known, ["run", "tiny"]) as book:
            for event in (
                Started(a),
                Progressed(a, 0, 0.5),
                Progressed(a, 1, 0.0, 0.5, 900.0),
                Ended(a, acc=0.5, status=CellStatus.OK),
                Queued(b, reason="Priority"),
                TakenOver(b, reason="host, process 3"),
                Started(b),
                Retrying(b, reason="its process died"),
                Started(b),
                Progressed(b, 1, 0.5, 0.5, 900.0),
                Elsewhere(c, reason="host, process 4"),
                Stopping(reason="SIGTERM"),
                Ended(b, status=CellStatus.INTERRUPTED),
                Moved(c, reason="attic/x"),
                Ended(c, status=CellStatus.FAILED, reason="ValueError: x"),
            ):
                book(event)
        box.known["journal"] = book.path.read_bytes().splitlines()
        box.clear()
    return box.known["journal"]


def _events(rng: Random, lines: list[bytes]) -> bytes:
    """A journal some of whose lines are not what they were."""
    lines = lines[:-1] if rng.random() < 0.7 else lines[:]  # the last one says that it is over
    for _ in range(rng.choice([1, 1, 2, 5])):
        place = rng.choice([0, rng.randrange(len(lines)), rng.randrange(len(lines))])
        try:
            data = json.loads(lines[place])
        except (ValueError, RecursionError):
            continue
        if not isinstance(data, dict):
            continue
        if "owner" in data and rng.random() < 0.5:
            data["owner"] = mutate.structure(rng, data["owner"])
        else:
            data = mutate.structure(rng, data | asdict(Stopping()) | data)
        said = json.dumps(data).encode()
        lines[place] = rng.choice([said, said, said, mutate.raw(rng, said), *mutate.LINES])
    content = b"\n".join(lines) + b"\n"
    return mutate.raw(rng, content) if rng.random() < 0.2 else content


def _as_json(box: Box, _: Random, rests: dict[Path, bytes]) -> None:
    """For programs: JSON as it is defined, which has no NaN."""
    _grow(rests)
    json.loads(
        printable(json.dumps(status.list_boards(box.results, find_boards))),
        parse_constant=_no_constant,
    )


def _no_constant(word: str) -> None:
    message = f"{word} is no JSON"
    raise AssertionError(message)


def _shown(box: Box, rng: Random, rests: dict[Path, bytes]) -> None:
    """As `bench status` shows it."""
    _grow(rests)
    if rng.random() < 0.1:
        command(["status"])
    for run in status.all_runs(box.results):
        reports.on_terminal(run.line)
        json.dumps(run.facts())
        place = Terminal(file=io.StringIO(), width=rng.choice([20, 30, 100]))
        reports.on_terminal(display.table(run.progress, place, rng.choice([3, 50])))


def _watched(box: Box, _: Random, rests: dict[Path, bytes]) -> None:
    reports.sound(_seen(box, rests, Terminal(file=io.StringIO(), width=200)))


def _on_a_terminal(box: Box, rng: Random, rests: dict[Path, bytes]) -> None:
    width = rng.choice([30, 100])
    _seen(box, rests, Terminal(file=io.StringIO(), width=width, height=20, force_terminal=True))


def _seen(box: Box, rests: dict[Path, bytes], out: Terminal) -> str:
    """What `bench status --watch` writes while journals grow, until somebody leaves it."""
    watch, every_s = status._Watch, status.EVERY_S  # pyright: ignore[reportPrivateUsage]
    wait = watch.wait

    def grown(self: Any) -> Any:
        if not rests:
            raise Stopped(2)
        _grow(rests)
        return wait(self)

    status.EVERY_S, watch.wait = 0.0, grown
    try:
        status.watch_boards(box.results, out, find_boards)
    finally:
        status.EVERY_S, watch.wait = every_s, wait
    return out.file.getvalue()  # type: ignore[attr-defined]


def _grow(rests: dict[Path, bytes]) -> None:
    """The rest of each journal is written."""
    for path, rest in rests.items():
        with path.open("ab") as file:
            file.write(rest)
    rests.clear()
