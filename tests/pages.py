"""A page of the docs: its files and commands in order, and whether they print what it says."""

import os
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

ROOT = Path(__file__).parent.parent
PAGES = {path.stem: path for path in sorted((ROOT / "docs" / "pages").glob("*.md"))}
VARIABLES = re.compile(r"^(?:[A-Z_]+=\S+ )+")
FENCE = re.compile(r'^```(\w+)(?: title="([^"]*)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)
MACHINE = f"torch {torch.__version__.partition('+')[0]}, {torch.backends.cpu.get_cpu_capability()}"
MEASURED = {
    "deploy",
    "run",
    "power",
    "logs",
    "merge",
    "submit",
    "verify",
}  # whose numbers are those of one kind of machine
PRIVATE = {"make", "status"}  # which tell of one machine
STAMP = re.compile(r"^\d{4}-\d\d-\d\d [\d:,]+\t[A-Z]+ [\w.]+:\d+ -- ")  # of lines of Ray
REWRITE = bool(os.environ.get("REWRITE"))  # outputs that are no longer so


@dataclass(frozen=True)
class Command:
    """A line after `$ ` and what the page says that it prints; `...` stands for any lines."""

    line: str
    printed: str

    @property
    def words(self) -> list[str]:
        return shlex.split(VARIABLES.sub("", self.line))

    @property
    def environment(self) -> dict[str, str]:
        """What stands before the command, as in `BENCH_RUN_JOBS=2 bench run`."""
        found = VARIABLES.match(self.line)
        return dict(word.split("=", 1) for word in shlex.split(found[0])) if found else {}

    @property
    def verb(self) -> str:
        return self.words[1] if self.words[0] == "bench" else self.words[0]

    @property
    def fails(self) -> bool:
        return self.printed.startswith("error: ")


def steps(text: str) -> list[tuple[str, Path | Command]]:
    """The files that a page has one write, with their text, and its commands, in order."""
    found: list[tuple[str, Path | Command]] = []
    for kind, title, body in FENCE.findall(text):
        if title:
            found.append((body, Path(title)))
        elif kind == "console":
            parts = re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", body, re.MULTILINE)
            found += [("", Command(line, printed)) for line, printed in parts]
    return found


def lasting(text: str) -> str:
    """What is printed, without times, speeds, last bits, ids of cells, empty lines at its end."""
    text = re.sub(r"^.* seed \d+: epoch .*\n", "", text, flags=re.MULTILINE)
    text = re.sub(r", about [\d:]+ left|,? [\d,]+ (images/s|bytes)|, [\d:]+ gone", "", text)
    text = re.sub(r"(?<![0-9a-f])[0-9a-f]{12}(?![0-9a-f])", "ID", text)
    text = re.sub(r"(0\.0e\+00|\d\.\de-1[5-9])", "a last bit", text)
    text = re.sub(r"\d{4}-\d\d-\d\d.\d\d:\d\d:\d\d", "TIME", text)
    tables = re.split(r"(\n\n\n)", text)  # one empty line divides tiers
    return "".join(_without_speeds(table) for table in tables).rstrip() + "\n"


def _without_speeds(table: str) -> str:
    """A table whose last columns are images/s and other costs, without their numbers."""
    head = re.search(r"images/s(  .*)?\n", table)
    if not head:
        return table
    costs = len(re.split(r" {2,}", head[0].strip()))
    return re.sub(rf"(?: +[\d,.]+){{1,{costs}}}$", "", table, flags=re.MULTILINE)


def agrees(printed: str, found: str) -> bool:
    """Is that what the page says? A line `...` of it stands for any lines."""
    parts = re.split(r"^\.\.\.\n", lasting(printed), flags=re.MULTILINE)
    pattern = r".*?".join(re.escape(part) for part in parts)
    return re.fullmatch(pattern, lasting(found), re.DOTALL) is not None


def walk(page: str, at: Callable[[Command], str], *, anywhere: bool = False) -> None:
    """Do what a page says, in order; `anywhere` it prints the same."""
    text = PAGES[page].read_text(encoding="utf-8")
    elsewhere = MACHINE not in text and not REWRITE and not anywhere
    wrong: list[str] = []
    for body, step in steps(text):
        if isinstance(step, Path):
            step.parent.mkdir(exist_ok=True)
            step.write_text(body, encoding="utf-8")
            continue
        found = at(step)
        if (step.verb in PRIVATE and not anywhere) or (step.verb in MEASURED and elsewhere):
            continue
        if not agrees(step.printed, found):
            wrong.append(f"$ {step.line}\n{found}")
            text = text.replace(f"$ {step.line}\n{step.printed}", wrong[-1], 1)
    if wrong and REWRITE:
        PAGES[page].write_text(text, encoding="utf-8")
    assert not wrong, "\n".join(wrong)
