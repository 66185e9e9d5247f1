"""Images in parquet or arrow files, as Hugging Face lays them out: bytes, labels, class names."""

import hashlib
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeAlias

from bench.base.plain_data import as_list, as_mapping
from bench.data.album import Album, Picture
from bench.errors import DataError, EnvironmentProblem

Row: TypeAlias = tuple[str, bytes, Any]  # place, content of an image file, label
SUFFIXES = (".parquet", ".arrow", ".feather")
IMAGES = ("image", "img", "images", "picture", "photo", "pixels")
LABELS = ("label", "fine_label", "labels", "class", "target", "y")
SPLIT = re.compile(r"(?:^|[-_./])(train|test|validation|valid|val)(?=[-_./]|$)")


def read_tables(home: Path, images: str | None, labels: str | None) -> Album:
    """
    Find the images of a file, or of all files of a folder.

    Args:
        home: the file or folder.
        images, labels: the columns; None: those of usual names.

    Raises:
        DataError: no such file, or none with images and labels.
        EnvironmentProblem: there is no pyarrow.
    """
    arrow = _arrow()
    files = [home] if home.is_file() else sorted(p for p in home.rglob("*") if _is_table(p, home))
    if not files:
        message = f"`{home}` holds no {', '.join(SUFFIXES)} file"
        raise DataError(message)
    by_split: dict[str, list[Path]] = {}
    for file in files:
        by_split.setdefault(_split(file, home), []).append(file)
    tables = {split: [_read(arrow, file) for file in some] for split, some in by_split.items()}
    first = "train" if "train" in tables else ""
    if first not in tables:
        message = f"`{home}`: files of {', '.join(tables)}, and none of train"
        raise DataError(message)
    tested = next((split for split in ("test", "val") if first and split in tables), None)
    notes = tuple(
        f"files of `{split or 'no split'}` are not used" for split in tables
        if split not in {first, tested}
    )  # fmt: skip
    some = tables[first][0]
    column = _column(files[0], some, images, IMAGES, "images")
    label = _column(files[0], some, labels, LABELS, "labels")
    used = [split for split in (first, tested) if split is not None]
    rows = {split: _rows(by_split[split], tables[split], column, label) for split in used}
    classes, numbers = _classes(home, some, label, rows)
    pictures = {
        split: [
            Picture(numbers[y], hashlib.sha256(content).digest(), place, content)
            for place, content, y in rows[split]
        ]
        for split in used
    }
    return Album(classes, pictures[first], pictures[tested] if tested else None, notes)


def _arrow() -> Any:
    try:
        import pyarrow.parquet  # pyright: ignore[reportUnusedImport] - used as its attribute
    except ImportError:
        message = "parquet and arrow files need pyarrow: pip install 'signbench[parquet]'"
        raise EnvironmentProblem(message) from None
    return pyarrow


def _is_table(path: Path, home: Path) -> bool:
    """Is it a table, and not what a cache left beside some?"""
    hidden = any(part.startswith(".") for part in path.relative_to(home).parts)
    made = path.name.startswith("cache-")  # by maps and filters of the library
    return path.suffix in SUFFIXES and not hidden and not made and path.is_file()


def _split(file: Path, home: Path) -> str:
    """Which split a file is of, by its name or else a folder's; empty: none is said."""
    name = file.name if file == home else file.relative_to(home).as_posix()
    found: list[str] = SPLIT.findall(name.lower().removesuffix(file.suffix))
    last = found[-1] if found else ""
    return "val" if last.startswith("val") else last


def _read(arrow: Any, file: Path) -> Any:
    try:
        if file.suffix == ".parquet":
            return arrow.parquet.read_table(file)
        with arrow.memory_map(str(file)) as source:
            try:
                return arrow.ipc.open_stream(source).read_all()  # as the library keeps them
            except arrow.ArrowInvalid:
                source.seek(0)
                return arrow.ipc.open_file(source).read_all()
    except (arrow.ArrowException, OSError) as error:
        message = f"`{file}` cannot be read: {str(error).splitlines()[0]}"
        raise DataError(message) from None


def _column(file: Path, table: Any, given: str | None, usual: Iterable[str], what: str) -> str:
    """The name of a column."""
    names: list[str] = table.column_names
    wanted = usual if given is None else (given,)
    found = next((name for name in wanted if name in names), None)
    if found is None:
        message = f"`{file}`: no column `{given}`" if given else f"`{file}`: no column of {what}"
        raise DataError(f"{message}; there are {', '.join(names)}; say `{what}: NAME`")
    return found


def _rows(files: list[Path], tables: list[Any], image: str, label: str) -> list[Row]:
    """Place, content and label of each row."""
    found: list[Row] = []
    for file, table in zip(files, tables, strict=True):
        if absent := [name for name in (image, label) if name not in table.column_names]:
            message = f"`{file}`: no column `{absent[0]}`, which another file has"
            raise DataError(message)
        values, labels = table[image].to_pylist(), table[label].to_pylist()
        for row, (value, y) in enumerate(zip(values, labels, strict=True)):
            place = f"{file.name}[{row}]"
            content = value if isinstance(value, bytes) else (as_mapping(value) or {}).get("bytes")
            if not isinstance(content, bytes):
                message = f"{file}, row {row}: `{image}` holds no bytes of an image file"
                raise DataError(message)
            if y is None:
                message = f"{file}, row {row}: no label"
                raise DataError(message)
            found.append((place, content, y))
    return found


def _classes(
    home: Path, table: Any, column: str, rows: dict[str, list[Row]]
) -> tuple[tuple[str, ...], dict[Any, int]]:
    """The names of the classes, and the number of every label."""
    every = {y for some in rows.values() for _, _, y in some}
    if every and all(isinstance(y, str) for y in every):
        known = sorted(every)
        return tuple(known), {name: place for place, name in enumerate(known)}
    if not every or any(type(y) is not int or y < 0 for y in every):
        odd = next((y for y in every if type(y) is not int or y < 0), "none")
        message = f"`{home}`: label {odd!r} in `{column}`; wants numbers from 0, or names"
        raise DataError(message)
    names = _names(table, column)
    most = max(every) + 1
    if most > sum(map(len, rows.values())) or (names and len(names) < most):
        message = f"`{home}`: label {most - 1} in `{column}`, with {len(names)} class names"
        raise DataError(message)
    return tuple(names or map(str, range(most))), {y: y for y in range(most)}


def _names(table: Any, column: str) -> list[str]:
    """The class names that the library wrote into a table's schema, if it did."""
    said: dict[bytes, bytes] = table.schema.metadata or {}
    try:
        found: Any = json.loads(said[b"huggingface"])["info"]["features"][column]["names"]
    except (KeyError, TypeError, ValueError):
        return []
    return [str(name) for name in as_list(found)]
