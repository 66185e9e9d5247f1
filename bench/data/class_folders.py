"""
Folders of images, one for each class: which classes and which files there are.

What programs leave behind is none of them: names that begin with a dot, and `PASSED_OVER`. A folder
that links lead to again is read once; one that two classes share is refused.
"""

import errno
import os
import stat
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from bench.errors import DataError, EnvironmentProblem

EXTENSIONS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
PASSED_OVER = {  # folders of other programs, in small letters; and all that begin with a dot
    "__macosx", "__pycache__", "lost+found", "@eadir", "@tmp", "#recycle", "#snapshot",
    "$recycle.bin", "system volume information", "network trash folder", "temporary items",
}  # fmt: skip
ABSENT = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EACCES, errno.EPERM}
Place = tuple[int, int]  # device and inode of a folder
Image = tuple[str, int]  # path below the root, size in bytes


def same_spelling(name: str) -> str:
    """A name in one of the Unicode forms that write it alike: macOS writes others than Linux."""
    return unicodedata.normalize("NFC", name)


def list_classes(root: Path, split: str) -> dict[str, list[Image]]:
    """
    The images of each class of `root/split`, sorted, by the class's name in one spelling.

    Raises:
        DataError: no class, no image in one, a folder of two classes or one that cannot be read,
            a class in two spellings, or an image that is no file.
        EnvironmentProblem: the machine fails to look.
    """
    home = root / split
    places: dict[Place, tuple[str, str]] = {}  # of folders that were read: class, path
    found: dict[str, list[Image]] = {}
    for entry in _entries(str(home)):
        if not entry.is_dir() or (entry.is_symlink() and _leads_back(entry.path, str(home))):
            continue
        name = same_spelling(entry.name)
        if name in found:
            message = f"`{home}`: class `{name}` is there twice, in two Unicode spellings"
            raise DataError(f"{message}; move the images into one folder")
        below = len(str(root)) + 1
        files = ((path[below:], _size(path)) for path in _walk(entry.path, name, places))
        found[name] = sorted(files, key=lambda file: same_spelling(file[0]))
    empty = [name for name, files in found.items() if not files]
    if empty or not found:
        message = f"`{home / empty[0]}` holds no image" if empty else f"`{home}` holds no class"
        raise DataError(f"{message}; images lie in `{home}/<class>/`")
    return dict(sorted(found.items()))


def _walk(folder: str, name: str, places: dict[Place, tuple[str, str]]) -> Iterator[str]:
    """The images of a class below a folder, each folder once."""
    waiting = [folder]
    while waiting:
        here = waiting.pop()
        status = os.stat(here)  # noqa: PTH116 - of many folders
        place = (status.st_dev, status.st_ino)
        other, there = places.setdefault(place, (name, here))
        if other != name:
            message = f"`{here}` and `{there}` are one folder, and two classes"
            raise DataError(f"{message}; remove the link that leads there")
        if there != here:
            continue  # a link to what was read already
        for entry in _entries(here):
            if entry.is_dir():
                if not (entry.is_symlink() and _leads_back(entry.path, here)):
                    waiting.append(entry.path)
            elif entry.name.lower().endswith(EXTENSIONS):
                yield entry.path


def _leads_back(link: str, folder: str) -> bool:
    """Does a link in a folder lead to that folder, or to one above it?"""
    real, target = os.path.realpath(folder), os.path.realpath(link)
    return os.path.commonpath([real, target]) == target


def _entries(folder: str) -> list[os.DirEntry[str]]:
    """
    What is in a folder, sorted, less what other programs leave behind.

    Raises:
        DataError: it cannot be read.
    """
    try:
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: same_spelling(entry.name))
    except OSError as error:
        message = f"cannot read the folder `{folder}`: {error.strerror}"
        raise DataError(message) from None
    return [e for e in entries if e.name[0] != "." and e.name.casefold() not in PASSED_OVER]


def _size(path: str) -> int:
    """
    A file's size; -1 of a dead link, of which is said what is wrong with it when it is decoded.

    Raises:
        DataError: it is a pipe or a device, a read of which might never end.
        EnvironmentProblem: the machine fails to say.
    """
    try:
        status = os.stat(path)  # noqa: PTH116 - of a million files, a Path each is slow
    except OSError as error:
        if error.errno in ABSENT:
            return -1
        message = f"cannot look at `{path}`: {error.strerror}"
        raise EnvironmentProblem(message) from None
    if not stat.S_ISREG(status.st_mode):
        message = f"`{path}` is no file, but a pipe or a device; remove it"
        raise DataError(message)
    return status.st_size
