"""
One of several processes that race for leases: `racer.py ROOT MODE NUMBER`.

Whoever has the cell locks a witness file, which on this machine excludes; what finds it locked has
been granted a cell that another has. Each grant is a letter in the file `granted`.
"""

import errno
import fcntl
import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import Any

from bench.results.lease import Lease, Leases
from bench.results.lease_files import LeaseFolder
from bench.results.owner import myself

really_lock, really_link, really_list = fcntl.flock, os.link, os.listdir
RACERS = 3
GRANTS = 100  # for each process
ROUNDS = 100


def main(root: Path, mode: str, number: int) -> None:
    random.seed(number)
    fcntl.flock = refuse  # pyright: ignore[reportAttributeAccessIssue]
    {"killed": be_killed, "dead": follow_the_dead}.get(mode, share)(root, mode, number)


def refuse(*_: object) -> None:
    raise OSError(errno.ENOSYS, "no locks")


def share(root: Path, mode: str, number: int) -> None:
    """Take and let go, each on a machine of its own, on a disk of some `mode`."""
    {"plain": lambda: None, "late": late_listing, "lost": lost_answers, "bare": no_links}[mode]()
    home = root / "cells" / "a"
    home.mkdir(parents=True, exist_ok=True)
    owner = myself().model_copy(update={"host": f"m{number}", "place": f"boot{number} x"})
    leases, granted = Leases(root, owner), 0
    while granted < GRANTS:
        if not leases.take_folder(home).ours:
            time.sleep(random.random() / 2000)
            continue
        granted += 1
        with witness(root):
            time.sleep(random.random() / 2000)
        if random.random() < 0.1:  # as a cell that is measured, and put back to be measured anew
            (home / "record.json").touch()
        leases.release_all()
        (home / "record.json").unlink(missing_ok=True)


def late_listing() -> None:
    """What is listed is what was there some calls before."""
    before: list[Any] = []

    def late(path: Any) -> list[str]:
        before.append(really_list(path))
        return before[max(0, len(before) - random.randint(1, 6))]

    os.listdir = late  # pyright: ignore[reportAttributeAccessIssue]


def lost_answers() -> None:
    """A link is made, and the answer says that it is not, or was there already."""

    def link(*args: Any) -> None:
        really_link(*args)
        if random.random() < 0.5:
            raise OSError(random.choice([errno.EEXIST, errno.EIO]), "lost")

    os.link = link


def no_links() -> None:
    def link(*_: Any) -> None:
        raise OSError(errno.EPERM, "no hard links")

    os.link = link


def be_killed(root: Path, mode: str, number: int) -> None:
    """Processes of this machine of which half die with the cell."""
    home = root / "cells" / "a"
    home.mkdir(parents=True, exist_ok=True)
    for _ in range(ROUNDS // 4):
        child = os.fork()
        if not child:
            leases = Leases(root, myself())
            while not leases.take_folder(home).ours:
                time.sleep(0.001)
            with witness(root):
                if random.random() < 0.5:
                    os.kill(os.getpid(), signal.SIGKILL)
            leases.release_all()
            os._exit(0)
        os.waitpid(child, 0)
        random.random()


def follow_the_dead(root: Path, mode: str, number: int) -> None:
    """Owners elsewhere that show no life for a minute are followed, each by one."""
    now = [0.0]
    owner = myself().model_copy(update={"host": f"m{number}", "place": f"boot{number} x"})
    dead = Lease(owner=owner.model_copy(update={"place": "off x"}), beat=1, at="")
    leases = Leases(root, owner, lambda: now[0])
    for i in range(ROUNDS):
        home = root / "cells" / f"{i}"
        LeaseFolder(home).claim(1, dead.model_dump_json())
        assert not leases.take_folder(home).ours
        (root / f"{i}.{number}").touch()
        while len([*root.glob(f"{i}.*")]) < RACERS:
            time.sleep(0.0001)
        now[0] += 61
        if leases.take_folder(home).ours:
            say(root, f"{i} ")


class witness:  # noqa: N801 - a verb where it is used
    def __init__(self, root: Path) -> None:
        self.handle, self.root = os.open(root / "witness", os.O_RDWR | os.O_CREAT), root

    def __enter__(self) -> None:
        try:
            really_lock(self.handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            say(self.root, "+")
        except BlockingIOError:
            say(self.root, "DOUBLE")

    def __exit__(self, *_: object) -> None:
        os.close(self.handle)


def say(root: Path, word: str) -> None:
    with (root / "granted").open("a", encoding="utf-8") as file:
        file.write(word)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
