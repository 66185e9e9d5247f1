"""What strangers hand in, checked again, and sites made of folders that are theirs."""

import json
import re
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from random import Random

from bench.base.text import CONTROLS
from fuzz import mutate
from fuzz.archives import PACKINGS, resealed
from fuzz.box import Box, Read, misplace
from fuzz.sound import command, fresh, measured

SCRIPT = re.compile(r"<script\b", re.IGNORECASE)
HANDLER = re.compile(r"<[a-z][^<>]*\son[a-z]+\s*=", re.IGNORECASE)


def handed_in(box: Box, rng: Random) -> Read:
    """An archive that was changed: checked as it is, or merged into nothing and handed in again."""
    plan, _ = measured(box)
    cell = rng.choice(plan.cells)
    path = box.results / "x.tar.gz"
    starts = (f"cells/{cell.slug}/", "suites/")
    entries = [(n, c) for n, c in box.known["files"].items() if n.startswith(starts)]
    entries = [(n, c) for n, c in entries if "/checkpoints/" not in n or rng.random() < 0.1]
    rng.choice(PACKINGS)(box, rng, path, [*entries])
    names = rng.choice([[], [], ["tiny"], [cell.slug], [rng.choice(mutate.STRANGE)]])
    names = [name for name in names if not name.startswith("-") and "\0" not in name]
    how = rng.choice([["--no-accuracy"], ["--sample", "1"], ["--strict"], ["--format", "json"]])

    def read() -> None:
        with _temporary(box.results):
            fresh()
            if rng.random() < 0.5:
                command(["verify", str(path), *names, *how, "--seed", "1"])
                return
            command(["submit", str(path), *names, "-o", str(box.results / "again.tar.gz")])
            again = "verify", str(box.results / "again.tar.gz"), "--no-accuracy"
            command([*again])  # what is handed in can be checked

    return read


def sites(box: Box, rng: Random) -> Read:
    """A results folder some of whose files say something else or are none: its site, twice."""
    measured(box)
    import_module("bench.report.figures.style")  # makes folders of its own
    root = box.results / "theirs"
    files = _laid(box, root)
    plan = root / "suites" / "tiny" / "plan.json"
    also = [plan] if rng.random() < 0.3 else []
    for path in dict.fromkeys(rng.sample(files, rng.choice([1, 1, 2, 3])) + also):
        path.write_bytes(_changed(rng, path))
        if rng.random() < 0.1:
            misplace(box, rng, path)
    if rng.random() < 0.05:
        misplace(box, rng, rng.choice([plan.parent, root / "suites", files[0].parent]))
    home, more = box.results / "site", ["--no-figures"]
    if rng.random() < 0.1:  # what was there before is no site, or one whose list leads elsewhere
        home.mkdir()
        (home / "site-files.txt").write_bytes(
            rng.choice([b"../../outside/precious.txt\n", b"/etc/passwd\n", *mutate.LINES])
        )

    def read() -> None:
        with _temporary(box.results):
            fresh()
            command(["site", str(home), str(root), *more])
            for page in home.rglob("*.html"):
                _sound(page)
            if rng.random() < 0.2:
                command(["site", str(home), str(root), *more])

    return read


def _laid(box: Box, root: Path) -> list[Path]:
    """The files of the tiny suite without weights, laid out below `root`."""
    there = {n: c for n, c in box.known["files"].items() if n.endswith((".json", ".txt", ".md"))}
    files = [root / name for name in sorted(there) if "/checkpoints/" not in name]
    for path in files:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(there[str(path.relative_to(root))])
    return files


def _changed(rng: Random, path: Path) -> bytes:
    """What a file may say instead; a record with a seal that is right, mostly."""
    content = path.read_bytes()
    if path.suffix != ".json" or rng.random() < 0.1:
        return mutate.raw(rng, content)
    data = mutate.structure(rng, json.loads(content))
    if path.name == "record.json":
        return resealed(data) or content
    return json.dumps(data).encode()


def _sound(page: Path) -> None:
    """
    One script, no other that runs, and nothing that a terminal obeys.

    Raises:
        AssertionError: there is more.
    """
    text = page.read_text(encoding="utf-8")
    body = re.sub(r"<(script|style)\b.*?</\1>", "", text, flags=re.DOTALL)
    for problem, found in {
        "another script": SCRIPT.search(body),
        "a handler": HANDLER.search(body),
        "a control character": CONTROLS.search(text),
    }.items():
        if found:
            around = text[max(0, text.find(found[0]) - 60) :][:160]
            message = f"{problem} in {page.name}: {around!r}"
            raise AssertionError(message)


@contextmanager
def _temporary(folder: Path) -> Generator[None, None, None]:
    """Have temporary files lie where an input may write."""
    before, tempfile.tempdir = tempfile.tempdir, str(folder)
    try:
        yield
    finally:
        tempfile.tempdir = before
