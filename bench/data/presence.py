"""Is a data set there? Files and folders are looked for, not read, and what is absent is named."""

from pathlib import Path

from bench.errors import DataError


def missing(name: str, path: Path) -> str:
    """What to do about a file that a data set needs."""
    return (
        f"no `{path}`; run `bench data prepare {name}`, or point --data or BENCH_DATA at the "
        f"folder that holds `{path.parent.name}/`"
    )


def need_file(name: str, path: Path) -> None:
    """
    Make sure that a data set's file is there.

    Raises:
        DataError: it is not.
    """
    if not path.is_file():
        raise DataError(missing(name, path))


def need_split(root: Path, split: str) -> None:
    """
    Make sure that there is the folder `root/split` of ImageNet.

    Raises:
        DataError: there is none.
    """
    home = root / split
    if not home.is_dir():
        message = (
            f"no `{home}`; `bench data prepare imagenet` says what goes where, or point --data or "
            f"BENCH_DATA at the folder that holds `{root.name}/`"
        )
        raise DataError(message)


def idx_files(homes: list[Path], name: str) -> list[Path]:
    """Where an IDX file may lie, gzipped or plain, the first that is there going before others."""
    return [home / f"{name}{end}" for home in homes for end in ("", ".gz")]


def idx_file(homes: list[Path], name: str) -> Path:
    """
    The IDX file of that name, in the first folder that has it.

    Raises:
        DataError: none has.
    """
    for path in idx_files(homes, name):
        if path.is_file():
            return path
    message = (
        f"no `{name}[.gz]`; put Fashion-MNIST's four IDX files into "
        f"`{homes[0]}/`, or on Debian: apt-get install dataset-fashion-mnist"
    )
    raise DataError(message)
