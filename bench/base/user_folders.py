"""
The folders of this user, and what takes their place where there is no home, no name, or no room.

A container may run as a number that no file knows, with a home that cannot be written or none at
all; in a job of a cluster the home is often a disk that all nodes share.
"""

import os
import stat
import tempfile
from functools import cache
from pathlib import Path

from platformdirs import user_cache_path, user_config_path, user_data_path

NAME = "signbench"


def cache_folder() -> Path:
    """
    What can be made again.

    Raises:
        RuntimeError: the user has no home.
    """
    return _of_home(user_cache_path(NAME))


def data_folder() -> Path:
    """What cannot; raises as `cache_folder`."""
    return _of_home(user_data_path(NAME))


def config_folder() -> Path:
    """What the user writes; raises as `cache_folder`."""
    return _of_home(user_config_path(NAME, appauthor=False))


def compiled_folder() -> Path:
    """Where compiled steps are kept: in the user's cache or, in a job and without one, here."""
    if not os.environ.get("SLURM_JOB_ID"):
        try:
            folder = cache_folder() / "compiled"
            folder.mkdir(parents=True, exist_ok=True)
            if os.access(folder, os.W_OK | os.X_OK):
                return folder
        except (OSError, RuntimeError):
            pass
    return local_folder() / "compiled"


def keep_compiled() -> None:
    """
    Tell torch's compiler about `compiled_folder`, unless the environment names another.

    Its own is in the folder for temporary files, by the user's name; it is in the environment, for
    processes to come too, as soon as the compiler is imported, so this is to be called before.
    """
    if not os.environ.get("TORCHINDUCTOR_CACHE_DIR"):
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(compiled_folder())


@cache
def local_folder() -> Path:
    """
    A folder of this user alone on a disk of this machine, kept between processes if it can be.

    What lies there is run, so one that somebody else made is not taken.
    """
    home = Path(os.environ.get("SLURM_TMPDIR") or tempfile.gettempdir())
    folder = home / f"{NAME}-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
        if stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid():
            folder.chmod(0o700)
            return folder
    except OSError:
        pass
    return Path(tempfile.mkdtemp(prefix=f"{NAME}-"))


def _of_home(folder: Path) -> Path:
    if not folder.is_absolute():  # begins with the ~ that nobody could replace
        message = "this user has no home folder"
        raise RuntimeError(message)
    return folder
