"""
Two processes on two machines try a folder that both should see.

They speak by files: what one writes, the other waits for. So what is tried is what leases, records
and journals do there: a new name seen, a file replaced, a lock, a link. No two clocks are compared
but to say how far apart they are.
"""

import errno
import fcntl
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from bench.base.files import write_file
from bench.base.validation import Frozen

POLL_S = 0.005
ENOUGH_S = 20.0  # of repetitions, where each takes long
TURNS = 8
CLAIMS = 24

Side = Literal[0, 1]
Locked = Literal["excludes", "does not exclude", "no locks"]


class Message(Frozen):
    """What one side says at one point; `at` is its own clock's."""

    at: float
    last: bool = False
    text: str = ""


class Observations(Frozen):
    """
    What one side saw of the folder and of the other side.

    Args:
        heard: was there another side at all?
        new_s, replaced_s: the longest until the other's new file, and what it put in the place of
            a file that was read before, was seen; half of there and back.
        clock_s: how far the other's clock is ahead of ours.
        clock_error_s: at most so much of it is the folder's own slowness.
        lock: does flock exclude the other side?
        claims: which names this side got by link, of those that both wanted.
        tried: how many those were.
        problem: what stopped it early.
    """

    heard: bool = False
    new_s: float | None = None
    replaced_s: float | None = None
    clock_s: float | None = None
    clock_error_s: float | None = None
    lock: Locked | None = None
    claims: list[int] = []
    tried: int = 0
    problem: str = ""


class Silence(Exception):
    """The other side did not say what was waited for."""


class FolderTrial:
    """
    One side of it.

    Args:
        folder: as this machine sees it; it is there.
        side: 0 speaks first.
        patience_s: how long the other side is waited for each time.
        give_up: asked meanwhile; True: nobody will come any more.
    """

    def __init__(
        self,
        folder: Path,
        side: Side,
        patience_s: float = 120.0,
        give_up: Callable[[], bool] = lambda: False,
    ) -> None:
        self.folder, self.side, self.patience_s = folder, side, patience_s
        self._give_up = give_up

    def hold(self) -> Observations:
        """Try all of it; what was seen before somebody fell silent is kept."""
        seen: dict[str, object] = {}
        try:
            self._exchange("hello")
            seen["heard"] = True
            seen["new_s"], seen["clock_s"], seen["clock_error_s"] = self._take_turns("new", False)
            seen["replaced_s"], _, _ = self._take_turns("replaced", True)
            seen["lock"] = self._try_lock()
            seen["claims"], seen["tried"] = self._claim(seen["new_s"])
            self._exchange("farewell")
        except Silence as silence:
            seen["problem"] = str(silence)
        except OSError as error:
            seen["problem"] = f"`{error.filename}`: {error.strerror or error}"
        return Observations.model_validate(seen)

    def _exchange(self, name: str) -> None:
        self._say(name)
        self._hear(name)

    def _take_turns(self, name: str, replacing: bool) -> tuple[float, float, float]:
        """Write and wait in turn; returns the longest way, the other's clock, and its error."""
        trips: list[tuple[float, float]] = []  # there and back, and the other's clock against ours
        began = time.monotonic()
        for turn in range(TURNS):
            file = name if replacing else f"{name}-{turn}"
            if self.side:
                last = self._hear(file, str(turn)).last
                self._say(file, str(turn))
            else:
                last = turn == TURNS - 1 or time.monotonic() - began > ENOUGH_S
                sent, steady = time.time(), time.monotonic()
                self._say(file, str(turn), last=last)
                heard = self._hear(file, str(turn))
                trip = time.monotonic() - steady
                trips.append((trip, heard.at - sent - trip / 2))
            if last:
                break
        if self.side:
            return 0.0, 0.0, 0.0
        shortest = min(trips)
        return max(trips)[0] / 2, shortest[1], shortest[0] / 2

    def _try_lock(self) -> Locked | None:
        """Side 0 holds a lock while side 1 tries to take it; both know the answer."""
        path = self.folder / "lock"
        if self.side:
            self._hear("held")
            answer = self._take_held(path)
            self._say("tried", answer)
        else:
            with path.open("wb") as file:
                with suppress(OSError):
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self._say("held")
                answer = self._hear("tried").text
        return answer  # pyright: ignore[reportReturnType]  # validated with the rest

    @staticmethod
    def _take_held(path: Path) -> Locked:
        with path.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                held = error.errno in {errno.EAGAIN, errno.EACCES}
                return "excludes" if held else "no locks"
        return "does not exclude"

    def _claim(self, late_s: object) -> tuple[list[int], int]:
        """Both want the same names, at about the same time; returns those that this side got."""
        own = self.folder / f"own-{self.side}"
        own.write_bytes(b"")
        won: list[int] = []
        began, tried = time.monotonic(), 0
        for n in range(CLAIMS):
            if self.side:
                last = self._hear(f"go-{n}").last
            else:
                last = n == CLAIMS - 1 or time.monotonic() - began > ENOUGH_S
                self._say(f"go-{n}", last=last)
                time.sleep(min(float(str(late_s)), 1.0))  # until it is seen there
            if _link(own, self.folder / f"claim-{n}"):
                won.append(n)
            tried += 1
            if last:
                break
        return won, tried

    def _say(self, name: str, text: str = "", *, last: bool = False) -> None:
        message = Message(at=time.time(), last=last, text=text)
        write_file(self.folder / f"{name}.{self.side}", message.model_dump_json())

    def _hear(self, name: str, text: str | None = None) -> Message:
        """
        Wait for what the other side says by that name, and with that text.

        Raises:
            Silence: it was not there in time.
        """
        path = self.folder / f"{name}.{1 - self.side}"
        until = time.monotonic() + self.patience_s
        while time.monotonic() < until and not self._give_up():
            with suppress(FileNotFoundError, ValidationError):
                message = Message.model_validate_json(path.read_bytes())
                if text is None or message.text == text:
                    return message
            time.sleep(POLL_S)
        message = f"the other side was not heard (`{name}`)"
        raise Silence(message)


def _link(own: Path, name: Path) -> bool:
    """Claim a name; whether it is ours is what the file says, not what the call answered."""
    with suppress(OSError):
        os.link(own, name)
    try:
        return name.stat().st_ino == own.stat().st_ino
    except OSError:
        return False
