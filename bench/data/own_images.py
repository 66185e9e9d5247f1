"""
Data sets of one's own: a folder of images, an npz file, parquet or arrow files. Torch-free.

They are read whole, each image made the square that a net sees, and kept in memory; what a plan
needs to know of them is kept by sizes and times of files, so that it is fast the second time.
"""

from __future__ import annotations

import os
from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import Field, PositiveInt, field_validator

from bench.base.answer_cache import Question, keep, recall
from bench.base.file_states import file_state, tree_state
from bench.data.source import DataSource
from bench.errors import DataError

if TYPE_CHECKING:  # naming data sets needs no torch
    from bench.data.album import Album
    from bench.data.dataset import Dataset, Tensors

Augment: TypeAlias = Literal["none", "crop", "flip", "crop+flip"]
Norm: TypeAlias = Literal["own", "imagenet", "cifar", "none"]


class OwnImages(DataSource):
    """What such data sets share; `album` finds the images."""

    path: Annotated[
        str, Field(min_length=1, description="where it lies: below the data folder, or absolute")
    ]
    name: Annotated[
        str | None,
        Field(pattern=r"^\S(.{0,58}\S)?$", description="what tables call it; else as its path"),
    ] = None
    val: Annotated[
        float | None,
        Field(gt=0, lt=1, description="part of each class to test on, where nothing says; 0.2"),
    ] = None
    image: Annotated[
        PositiveInt | None,
        Field(le=1024, description="make images N x N: the shorter side N, the middle of the rest"),
    ] = None
    augment: Annotated[
        Augment, Field(description="of training: crop moves by up to image/8, flip mirrors")
    ] = "none"
    norm: Annotated[
        Norm, Field(description="mean and deviation; own: measured on the training images")
    ] = "own"
    classes: Annotated[
        Annotated[int, Field(ge=2)] | tuple[str, ...] | None,
        Field(description="how many there have to be; or which, in the order of their labels"),
    ] = None
    damaged: Annotated[
        Literal["skip", "stop"], Field(description="leave out what cannot be decoded, or refuse")
    ] = "skip"

    @field_validator("classes")
    @classmethod
    def _differ(cls, classes: int | tuple[str, ...] | None) -> int | tuple[str, ...] | None:
        if isinstance(classes, tuple) and (len(classes) < 2 or len({*classes}) < len(classes)):
            message = f"must be two names at least, each once, got {list(classes)}"
            raise ValueError(message)
        return classes

    def home(self, folder: Path) -> Path:
        """The file or folder that `path` names."""
        return folder / Path(self.path).expanduser()

    def files(self, folder: Path) -> list[Path]:
        return [self.home(folder)]

    def state(self, folder: Path) -> tuple[str, ...] | None:
        home = self.home(folder)
        state = tree_state(home) if home.is_dir() else file_state(home)
        return None if state is None else (state,)

    @abstractmethod
    def album(self, home: Path) -> Album:
        """
        Find the images.

        Raises:
            DataError: there are none, or not as they should be.
        """

    def find(self, folder: Path) -> Tensors:
        home = self.home(folder)
        if not home.exists():
            raise DataError(self._absent(home))
        if not (home.is_file() or home.is_dir()):  # a pipe may never end
            message = f"`{home}` is neither a file nor a folder"
            raise DataError(message)
        from bench.data.album import View, assemble

        label = self.name or Path(os.path.normpath(self.path)).stem
        view = View(self.image, self.augment, stop=self.damaged == "stop")
        return assemble(self.album(home), label, view, self.classes, self.val)

    def load(self, folder: Path) -> Dataset:
        """
        Load the data set as its fields say, or say what is known of it and read it when used.

        Raises:
            DataError: it is not there, or not what it should be.
        """
        from bench.data.described import Described, Facts

        home = self.home(folder)
        words = ("images", type(self).__name__, self.model_dump_json(), str(home.absolute()))
        question = Question(words, self.state(folder))
        facts = recall(question, Facts.from_json)
        if facts is None:
            data = self.read(folder)
            keep(question, Facts.of(data).to_json())
            return data
        found: Any = Described(facts, lambda: self.read(folder))  # cut or moved it is `Tensors`
        return found

    def read(self, folder: Path) -> Tensors:
        """Read the data set as its fields say; raises as `load` does."""
        found = self.find(folder)
        from bench.data.album import normalized_by
        from bench.data.reading import cut

        return normalized_by(cut(found, self.train, self.test, self.held_out), self.norm)

    def _absent(self, home: Path) -> str:
        hint = f"; `{self.path}` is here: --data ." if Path(self.path).exists() else ""
        where = "`path` is below the data folder (--data, BENCH_DATA), or absolute"
        return f"no `{home}`; {where}{hint}"


class FolderImages(OwnImages):
    """
    A folder of images, one folder for each class, below `train/` and `test/` (or `val/`) or not.

    Where nothing says which images to test on, it is the part `val` of each class whose contents
    have the smallest SHA-256: the same on every machine, whatever files are called and in what
    order they lie; two files of equal contents are never split. Hidden files and other programs'
    are passed over and told, as is what cannot be decoded. Training images are what evaluation
    sees unless `augment` says more. The fingerprint is of pixels.
    """

    def album(self, home: Path) -> Album:
        from bench.data.picture_folder import read_folder

        return read_folder(home)


class NpzImages(OwnImages):
    """
    Images in an npz file: `x_train`, `y_train`, `x_test`, `y_test`, or `images` and `labels`.

    Words may stand in any order (`train_images`); `val` stands for a test split that is not there.
    Images are bytes, (N, H, W), (N, H, W, C) or (N, C, H, W); labels are numbers from 0, or names.
    `class_names` names the classes.
    """

    def album(self, home: Path) -> Album:
        from bench.data.npz_file import read_npz

        return read_npz(home)


class ParquetImages(OwnImages):
    """
    Images in parquet or arrow files, as Hugging Face has them: bytes of image files, and labels.

    `path` is a file, or a folder whose files say `train`, `test` or `validation` in their names or
    folders. Needs pyarrow: pip install 'signbench[parquet]'.
    """

    images: Annotated[str | None, Field(description="its column; else image, img or the like")] = (
        None
    )
    labels: Annotated[str | None, Field(description="its column; else label, fine_label, ...")] = (
        None
    )

    def album(self, home: Path) -> Album:
        from bench.data.image_table import read_tables

        return read_tables(home, self.images, self.labels)
