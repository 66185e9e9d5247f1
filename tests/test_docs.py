"""The site: every command on it is run, every example computed, and what is generated is whole."""

import doctest
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from typer.main import get_command

from bench import claim, crossing, terminal
from bench.cli import app
from bench.registry import BACKBONES, ESTIMATORS

pytest.importorskip("matplotlib")
pytest.importorskip("mkdocs")

from docs import commands, formula, gallery, plot, tables

ROOT = Path(__file__).parent.parent
PAGES = {path.stem: path for path in sorted((ROOT / "docs" / "pages").glob("*.md"))}
FENCE = re.compile(r'^```(\w+)(?: title="(.*)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)
MACHINE = f"torch {torch.__version__.partition('+')[0]}, {torch.backends.cpu.get_cpu_capability()}"
MEASURED = {"run", "power"}  # whose numbers are those of one kind of machine
PRIVATE = {"doctor", "make"}  # which tell of one machine
REWRITE = bool(os.environ.get("REWRITE"))  # outputs that are no longer so

Ask = Callable[..., tuple[int, str, str]]


@dataclass(frozen=True)
class Command:
    """A line after `$ ` and what the page says that it prints; `...` stands for any lines."""

    line: str
    printed: str

    @property
    def words(self) -> list[str]:
        return shlex.split(self.line)

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
