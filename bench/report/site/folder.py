"""The folder of a site: names of its pages, and what it held before."""

import hashlib
import re
from pathlib import Path

from bench.base.files import write_file
from bench.errors import EnvironmentProblem, UsageError

KEPT = "site-files.txt"  # the files of the last time, so that pages of what is gone go, too
LONGEST = 60


class Names:
    """Names of pages: of anything its own, always the same, of letters that every disk has."""

    def __init__(self) -> None:
        self._given: dict[tuple[str, str], str] = {}
        self._taken: set[tuple[str, str]] = set()

    def name(self, kind: str, what: str) -> str:
        """The name of the page of `what`, no other's of its kind."""
        if (kind, what) not in self._given:
            name = re.sub(r"[^A-Za-z0-9@=,_-]+|\.", "-", what).strip("-")[:LONGEST]
            if name != what or (kind, name.casefold()) in self._taken:
                digest = hashlib.sha256(what.encode(errors="surrogatepass")).hexdigest()[:6]
                name = f"{name or 'page'}-{digest}"
            self._taken.add((kind, name.casefold()))
            self._given[kind, what] = name
        return self._given[kind, what]


class SiteFolder:
    """
    A folder that holds one site and nothing else.

    Raises:
        UsageError: there are files in it that no `bench site` wrote.
        EnvironmentProblem: it cannot be read.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        there: list[str] = []
        try:
            there = sorted(path.name for path in home.iterdir()) if home.exists() else []
            self._before = (home / KEPT).read_text("utf-8").splitlines() if there else []
        except FileNotFoundError:
            message = f"`{home}` holds other files, as `{there[0]}`; name a new folder for the site"
            raise UsageError(message) from None
        except NotADirectoryError:
            message = f"`{home}` is a file; name a new folder for the site"
            raise UsageError(message) from None
        except (OSError, ValueError) as error:
            message = f"cannot read `{home}`: {error}"
            raise EnvironmentProblem(message) from None
        self.written: dict[str, int] = {}  # name → bytes

    def write(self, name: str, content: str) -> int:
        """Write a file; returns its size in bytes."""
        encoded = content.encode()
        write_file(self.home / name, encoded)
        self.written[name] = len(encoded)
        return len(encoded)

    def conclude(self) -> None:
        """Remove what was written the last time and is not now, and remember what is."""
        home = self.home.resolve()
        for name in self._before:
            path = self.home / name
            if name not in self.written and path.resolve().is_relative_to(home) and path.is_file():
                path.unlink()
        write_file(self.home / KEPT, "".join(f"{name}\n" for name in sorted(self.written)))
