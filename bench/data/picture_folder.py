"""A folder of images, one folder for each class, split by folders or not, and what is odd in it."""

import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.base.machine import cores
from bench.base.text import count
from bench.data.album import Album, Picture
from bench.data.class_folders import EXTENSIONS, PASSED_OVER, list_classes
from bench.errors import DataError, EnvironmentProblem

TRAIN = ("train", "training")
TEST = ("test", "testing")  # goes before `val`
VAL = ("val", "valid", "validation", "eval")


def read_folder(home: Path) -> Album:
    """
    Find the images of a folder, and read every file once, for a digest of what it holds.

    Raises:
        DataError: no class, none in one, a class that is tested and not trained, or no folder.
    """
    if not home.is_dir():
        message = f"`{home}` is a file, no folder of images"
        raise DataError(message)
    notes = [*_odd_files(home)]
    train, test, unused = _splits(home)
    notes += [f"`{name}/` is not used: `{test}/` is what is tested on" for name in unused]
    images = list_classes(home, train)
    classes = tuple(images)
    if not test:
        return Album(classes, _pictures(home, images, classes), None, tuple(notes))
    if os.path.realpath(home / train) == os.path.realpath(home / test):
        message = f"`{home}`: {train}/ and {test}/ are one folder; training images would be tested"
        raise DataError(message)
    tested = list_classes(home, test)
    if other := next((name for name in tested if name not in images), None):
        near = next((f", which has `{x}`" for x in classes if x.casefold() == other.casefold()), "")
        message = f"`{home}`: class `{other}` is in {test}/ and not in {train}/{near}"
        raise DataError(message)
    untested = [name for name in classes if name not in tested]
    if untested:
        more = f", nor {len(untested) - 1} more" * (len(untested) > 1)
        notes.append(f"class `{untested[0]}` is in {train}/ and not in {test}/{more}")
    split = [_pictures(home, found, classes) for found in (images, tested)]
    return Album(classes, split[0], split[1], tuple(notes))


def _splits(home: Path) -> tuple[str, str, list[str]]:
    """Names of the folders to train and to test on, empty where there is none, and unused ones."""
    try:
        names = {entry.name.casefold(): entry.name for entry in os.scandir(home) if entry.is_dir()}
    except OSError as error:
        message = f"cannot read the folder `{home}`: {error.strerror}"
        raise DataError(message) from None
    train = next((names[name] for name in TRAIN if name in names), "")
    others = [names[name] for name in (*TEST, *VAL) if name in names]
    if not train:
        return "", "", []
    return train, (others[0] if others else ""), others[1:]


def _pictures(
    home: Path, images: dict[str, list[tuple[str, int]]], classes: tuple[str, ...]
) -> list[Picture]:
    files = [(classes.index(name), path) for name, paths in images.items() for path, _ in paths]
    with ThreadPoolExecutor(cores(), "read") as pool:
        digests = pool.map(_digest, (home / path for _, path in files))
        return [
            Picture(label, digest, path, home / path)
            for (label, path), digest in zip(files, digests, strict=True)
        ]


def _digest(path: Path) -> bytes:
    """The digest of a file; of one that cannot be read its name's, for it is left out later."""
    try:
        return hashlib.sha256(path.read_bytes()).digest()
    except (FileNotFoundError, PermissionError):
        return hashlib.sha256(os.fsencode(path)).digest()
    except OSError as error:
        message = f"cannot read `{path}`: {error.strerror or error}"
        raise EnvironmentProblem(message) from None


def _odd_files(home: Path) -> Iterator[str]:
    """Say what lies in the folder that is no image of a class, one line of each kind."""
    odd: dict[str, list[str]] = {}
    for here, folders, names in os.walk(home):
        passed = [f for f in folders if f[0] == "." or f.casefold() in PASSED_OVER]
        folders[:] = [name for name in folders if name not in passed]
        below = os.path.relpath(here, home)
        odd.setdefault("hidden or another program's", []).extend(
            os.path.normpath(f"{below}/{name}")
            for name in (*(f"{folder}/" for folder in passed), *names)
            if name[0] == "." or name.endswith("/")
        )
        plain = [name for name in names if name[0] != "."]
        odd.setdefault("no image, by its name", []).extend(
            os.path.normpath(f"{below}/{name}")
            for name in plain
            if not name.lower().endswith(EXTENSIONS)
        )
        if below == ".":
            odd["in no class folder"] = [n for n in plain if n.lower().endswith(EXTENSIONS)]
    for kind, paths in odd.items():
        if paths:
            yield f"{count(len(paths), 'file')} passed over, {kind} (first: {min(paths)})"
