"""
Local plugins as they were when cells were submitted: nothing that is edited later reaches a job.

A copy that is there already is taken if it is the same to the byte; one that came with the folder
from elsewhere, or was edited, is not.

    ROOT/plugins/<digest of all files>/<folder>/...
"""

import hashlib
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from bench.base.files import is_plain_file, sync_folder
from bench.errors import EnvironmentProblem, UsageError
from bench.registry import BACKBONES, DATA, ESTIMATORS
from bench.results import store

MOST_MIB = 64.0  # of one folder; what plugins read is copied with them
ASIDE = ("__pycache__", ".git")


def copy_plugins(root: Path) -> list[Path]:
    """
    Copy the folders of local plugins that this process looks into; those that are there are taken.

    Returns the copies, as paths below `root`, relative to it.

    Raises:
        UsageError: a folder is too large to be one of plugins.
        EnvironmentProblem: one cannot be read, or the copy not be written.
    """
    local = dict.fromkeys([*ESTIMATORS.local_folders(), *BACKBONES.local_folders()])
    copies = [_copy(folder, _files(folder), root) for folder in local if folder.is_dir()]
    among = [folder for folder in DATA.local_folders() if folder not in local and folder.is_dir()]
    chosen = ((folder, [*_code(folder)]) for folder in among)
    return copies + [_copy(folder, files, root) for folder, files in chosen if files]


def _code(folder: Path) -> Iterator[Path]:
    """The files of the data plugins in a folder that may hold data, and of what they import."""
    own = [name for name, origin in DATA.origins().items() if origin.file]
    files = {DATA.file(name): DATA.files_beside(name).values() for name in own}
    here = {path for file, beside in files.items() if file and file.parent == folder
            for path in (file, *beside) if path.is_relative_to(folder)}  # fmt: skip
    yield from sorted(here)


def _copy(folder: Path, paths: Iterable[Path], root: Path) -> Path:
    try:
        files = {path.relative_to(folder): path.read_bytes() for path in paths}
        words = [f"{name}\n{hashlib.sha256(files[name]).hexdigest()}" for name in sorted(files)]
        digest = hashlib.sha256("\n".join([folder.name, *words]).encode()).hexdigest()[:16]
        home = store.path_inside(root, "plugins", digest)
        if os.path.lexists(home):
            _refuse_other(home, folder, files)
        if not home.exists():
            part = home.with_name(f".{digest}.{uuid.uuid4().hex[:8]}")
            for name, content in files.items():
                (part / folder.name / name).parent.mkdir(parents=True, exist_ok=True)
                (part / folder.name / name).write_bytes(content)
            _rename(part, home)
    except OSError as error:
        message = f"cannot copy the plugins of `{folder}`: {error.strerror or error}"
        raise EnvironmentProblem(message) from None
    return home.relative_to(root) / folder.name


def _refuse_other(home: Path, folder: Path, files: Mapping[Path, bytes]) -> None:
    """Refuse what is called a copy of the folder and is none; compiled files are made anew."""
    copy = home / folder.name
    for cache in [*copy.rglob("__pycache__")]:
        shutil.rmtree(cache, ignore_errors=True)
    found = {p.relative_to(copy): p for p in copy.rglob("*") if p.is_symlink() or not p.is_dir()}
    same = not home.is_symlink() and not copy.is_symlink() and found.keys() == files.keys()
    if not same or any(
        not is_plain_file(p) or p.read_bytes() != files[n] for n, p in found.items()
    ):
        message = f"`{home}` is not the copy of `{folder}` that it is called; remove it"
        raise EnvironmentProblem(message)


def _rename(part: Path, home: Path) -> None:
    """Put the copy in its place, unless somebody else just did."""
    try:
        part.rename(home)
        sync_folder(home.parent)
    except OSError:
        shutil.rmtree(part)
        if not home.exists():
            raise


def _files(folder: Path) -> Iterator[Path]:
    """All files of a folder of plugins."""
    total = 0
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not set(path.relative_to(folder).parts) & {*ASIDE}:
            total += path.stat().st_size
            if total > MOST_MIB * 2**20:
                message = (
                    f"`{folder}` has more than {MOST_MIB:.0f} MiB: jobs are given a copy of each "
                    "folder of local plugins; keep other files elsewhere"
                )
                raise UsageError(message)
            yield path
