"""One's own images: folders, npz, parquet and arrow files, split, measured and told of honestly."""

import io
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.feather
import pyarrow.parquet
import pytest
import torch
from PIL import Image
from pydantic import ValidationError

from bench.base import file_states
from bench.data.dataset import Dataset, Tensors
from bench.data.described import Described
from bench.data.own_images import FolderImages, NpzImages, OwnImages, ParquetImages
from bench.data.reading import DIGITS
from bench.errors import DataError, EnvironmentProblem
from bench.planning import planner
from bench.properties.data_claims import check_data

Bench = Callable[..., tuple[int, str, str]]
SUITE = """
estimators: [ste]
backbones: {resnet20: {width: 4}}
data: {folder: {path: digits, name: her digits}}
seeds: [0]
train: {epochs: 1, batch_size: 32}
"""


@pytest.fixture(scope="module")
def digits() -> tuple[Any, Any]:
    """The first 200 digits, with the range of bytes, and their labels."""
    with np.load(DIGITS) as file:
        return file["images"][:200] * 15, file["labels"][:200]


@pytest.fixture
def folder(digits: tuple[Any, Any], tmp_path: Path) -> Path:
    """They as PNG files, a folder for each class."""
    write_folder(tmp_path / "digits", *digits)
    return tmp_path


def write_folder(home: Path, images: Any, labels: Any) -> None:
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        path = home / f"digit{label}" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)


def png(image: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


def held(data: Dataset) -> dict[str, list[tuple[bytes, int]]]:
    """What the splits hold, in no order."""
    data = data.to(torch.device("cpu"))
    assert isinstance(data, Tensors)
    return {
        name: sorted((x.numpy().tobytes(), int(y)) for x, y in zip(*split, strict=True))
        for name, split in (("train", data.train), ("test", data.test))
    }


def test_a_folder_is_split_by_what_files_hold(folder: Path) -> None:
    """Of each class a fifth is tested on, whatever files are called; grey images stay grey."""
    found = FolderImages(path="digits").load(folder)
    for path in [*(folder / "digits").rglob("*.png")]:
        path.rename(path.with_name(f"x{1000 - int(path.stem)}.png"))
    renamed = FolderImages(path="digits").load(folder)

    assert (found.label, found.shape, found.num_classes) == ("digits", (1, 8, 8), 10)
    assert found.class_names == tuple(f"digit{n}" for n in range(10))
    assert sum(found.sizes.values()) == 200
    assert 38 <= found.sizes["test"] <= 42
    assert renamed.fingerprint == found.fingerprint
    assert all(c.ok for c in check_data("folder", FolderImages(path="digits"), folder)[0])
    other = FolderImages(path="digits", val=0.5).load(folder)
    assert {x for x, _ in held(found)["test"]} < {x for x, _ in held(other)["test"]}


def test_equal_contents_are_never_split(folder: Path) -> None:
    """Copies go where their original goes; one image in two classes is told."""
    (first, *_) = sorted((folder / "digits" / "digit3").iterdir())
    for number in range(5):
        shutil.copy(first, first.with_name(f"copy{number}.png"))
    shutil.copy(first, folder / "digits" / "digit8" / "wrong.png")
    data = FolderImages(path="digits").load(folder)
    train, test = ({x for x, y in held(data)[split] if y == 3} for split in ("train", "test"))

    assert not train & test
    assert any("image of two classes" in note and "wrong.png" in note for note in data.notes)


@pytest.mark.parametrize(
    ("augment", "pad", "flip"),
    [("none", 0, False), ("crop", 1, False), ("flip", 0, True), ("crop+flip", 1, True)],
)
def test_nothing_is_augmented_unasked(folder: Path, augment: Any, pad: int, flip: bool) -> None:
    """Training images are what evaluation sees, but for what the suite chose."""
    data = FolderImages(path="digits", augment=augment, image=8).read(folder)

    assert (data.transform.pad, data.transform.flip) == (pad, flip)
    seen = torch.cat([x for x, _ in data.epoch(50, torch.Generator().manual_seed(0))])
    plain = torch.cat([x for x, _ in data.batches("train", 50)])
    same = {x.numpy().tobytes() for x in seen} == {x.numpy().tobytes() for x in plain}
    assert same == (augment == "none")


def test_mean_and_deviation_are_the_training_images(folder: Path) -> None:
    """Measured to four decimals where nothing else is chosen; constants have three channels."""
    data = FolderImages(path="digits").read(folder)
    images = data.train[0].double() / 255

    assert data.transform.mean == (round(float(images.mean()), 4),)
    assert data.transform.std == (round(float(images.std(correction=0)), 4),)
    assert FolderImages(path="digits", norm="none").read(folder).transform.std == (1.0,)
    with pytest.raises(DataError, match="images are grey"):
        FolderImages(path="digits", norm="cifar").load(folder)


def test_given_splits_are_taken(folder: Path, digits: tuple[Any, Any]) -> None:
    """`train/` and `test/`, or `val/`, say what is tested; `val:` beside them is refused."""
    home = folder / "split"
    write_folder(home / "train", digits[0][:120], digits[1][:120])
    write_folder(home / "val", digits[0][120:160], digits[1][120:160])
    assert FolderImages(path="split").load(folder).sizes == {"train": 120, "test": 40}
    write_folder(home / "Test", digits[0][150:], digits[1][150:])
    data = FolderImages(path="split").load(folder)

    assert data.sizes == {"train": 120, "test": 50}
    assert "`val/` is not used: `Test/` is what is tested on" in data.notes
    with pytest.raises(DataError, match="say themselves what to test on; drop it"):
        FolderImages(path="split", val=0.3).load(folder)
    shutil.rmtree(home / "Test" / "digit4")
    assert any("`digit4` is in train/" in n for n in FolderImages(path="split").load(folder).notes)
    (home / "Test" / "digit5").rename(home / "Test" / "DIGIT5")
    with pytest.raises(DataError, match="`DIGIT5` is in Test/ and not in train/, which has `digit"):
        FolderImages(path="split").load(folder)


def test_odd_files_are_told_in_a_line_each(folder: Path) -> None:
    """Hidden files, thumbnails, texts, what cannot be decoded; `damaged: stop` refuses the last."""
    home = folder / "digits"
    for name in ("digit1/.hidden", "digit2/@eaDir/thumb.jpg", "digit3/Thumbs.db", "notes.txt"):
        (home / name).parent.mkdir(exist_ok=True)
        (home / name).write_bytes(b"x")
    (home / "digit4" / "broken.png").write_bytes(b"no image")
    (home / "loose.png").write_bytes(b"x")
    data = FolderImages(path="digits").load(folder)

    assert sorted(data.notes) == [
        "1 file passed over, in no class folder (first: loose.png)",
        "1 image left out, damaged (first: digit4/broken.png: not an image)",
        "2 files passed over, hidden or another program's (first: digit1/.hidden)",
        "2 files passed over, no image, by its name (first: digit3/Thumbs.db)",
    ]
    with pytest.raises(DataError, match=r"digit4/broken.png: not an image"):
        FolderImages(path="digits", damaged="stop").load(folder)


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        ({"path": "nowhere"}, "no `.*nowhere`; `path` is below the data folder"),
        ({"path": "digits/digit1/1.png"}, "is a file, no folder of images"),
        ({"path": "digits", "classes": 5}, "`classes: 5`, and there are 10"),
        ({"path": "digits", "classes": ["digit1", "nut"]}, "no class `nut`; there are digit0"),
        ({"path": "digits/digit1"}, "holds no class"),
        ({"path": "one"}, "one class, a; there is nothing to tell apart"),
        ({"path": "few"}, "class `b` has one image; training and testing need one each"),
        ({"path": "uneven"}, "images of 8x8 and 9x9; say `image: 8`"),
        ({"path": "wide"}, "images of 9x7; say `image: 7`, which takes the middle square"),
    ],
)
def test_what_cannot_be_is_one_line(folder: Path, parameters: dict[str, Any], told: str) -> None:
    """It says what is wrong, where, and what to do."""
    sizes = {
        "one/a": [(8, 8)] * 3, "few/a": [(8, 8)] * 3, "few/b": [(8, 8)],
        "uneven/a": [(8, 8)] * 3, "uneven/b": [(9, 9)] * 3,
        "wide/a": [(9, 7)] * 3, "wide/b": [(9, 7)] * 3,
    }  # fmt: skip
    rng = np.random.default_rng(0)
    for name, shapes in sizes.items():
        (folder / name).mkdir(parents=True)
        for number, (width, height) in enumerate(shapes):
            pixels = rng.integers(256, size=(height, width), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
    with pytest.raises(DataError, match=told) as caught:
        FolderImages.model_validate(parameters).load(folder)

    assert "\n" not in str(caught.value)


def test_classes_are_chosen_in_an_order(folder: Path) -> None:
    """Labels follow the names that are given; what is not named is left out."""
    data = FolderImages(path="digits", classes=("digit7", "digit1")).load(folder)

    assert (data.num_classes, data.class_names) == (2, ("digit7", "digit1"))
    with pytest.raises(ValidationError, match="two names at least, each once"):
        FolderImages(path="digits", classes=("a", "a"))


@pytest.mark.parametrize("kind", [FolderImages, NpzImages, ParquetImages])
def test_a_pipe_is_not_waited_for(kind: type[OwnImages], tmp_path: Path) -> None:
    """What is neither a file nor a folder is named; a read of it might never end."""
    os.mkfifo(tmp_path / "images")
    with pytest.raises(DataError, match="neither a file nor a folder"):
        kind(path="images").find(tmp_path)


def test_an_image_becomes_the_middle_square(tmp_path: Path) -> None:
    """`image: N` cuts nothing of a square, and the ends of what is longer than wide."""
    rows = np.zeros((20, 40, 3), np.uint8)
    rows[:, 10:30] = 200
    for name in ("a", "b"):
        (tmp_path / "bars" / name).mkdir(parents=True)
        for number in range(3):
            rows[0, 0] = number
            Image.fromarray(rows + (name == "b")).save(tmp_path / "bars" / name / f"{number}.png")
    data = FolderImages(path="bars", image=10).read(tmp_path)

    assert {*data.train[0].flatten().tolist()} == {200, 201}


def test_the_second_time_is_from_sizes_and_times(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is read for what a plan asks; a changed file is, and what trains is the same."""
    monkeypatch.setattr(file_states, "SETTLED_S", -1e6)  # all files are old
    source = FolderImages(path="digits", train=100, norm="own")
    first, second = source.load(folder), source.load(folder)

    assert isinstance(second, Described)
    assert "images" not in vars(second)
    for fact in ("label", "shape", "sizes", "fingerprint", "transform", "class_names", "notes"):
        assert getattr(second, fact) == getattr(first, fact)
    assert held(second) == held(first)
    path = next((folder / "digits" / "digit1").iterdir())
    Image.fromarray(np.full((8, 8), 77, np.uint8)).save(path)
    assert source.load(folder).fingerprint != first.fingerprint


def test_her_name_and_classes_are_in_plan_and_cell(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was found stands in the cell: class names, channels, mean and deviation."""
    monkeypatch.chdir(folder)
    Path("x.yaml").write_text(SUITE, encoding="utf-8")
    (folder / "digits" / ".hidden").write_bytes(b"")
    plan = planner.plan(Path("x.yaml"), data=folder)
    found = plan.cells[0].data.found

    assert plan.rows[0].data == "her digits"
    assert plan.notes == [
        "her digits: 1 file passed over, hidden or another program's (first: .hidden)"
    ]
    assert found
    assert (found.classes[0], found.channels, len(found.mean)) == ("digit0", 1, 1)


def test_a_suite_is_shown_without_its_data(tmp_path: Path, ask: Bench) -> None:
    """Rows say that the data is missing, with no id that could be trained; the exit code is 5."""
    (tmp_path / "x.yaml").write_text(SUITE, encoding="utf-8")
    code, out, err = ask("plan", str(tmp_path / "x.yaml"), "--data", str(tmp_path))

    assert code == 5
    assert out.splitlines()[0].startswith("------------  no data   ste x resnet20")
    assert "1 without their data" in out
    assert err.startswith(f"error: no `{tmp_path}/digits`")
    assert ask("run", str(tmp_path / "x.yaml"), "--data", str(tmp_path))[0] == 5


NPZ = {
    "keras": lambda x, y: {
        "x_train": x[:150], "y_train": y[:150], "x_test": x[150:], "y_test": y[150:],
    },
    "medmnist": lambda x, y: {
        "train_images": x[:150, ..., None], "train_labels": y[:150, None],
        "test_images": x[150:, ..., None], "test_labels": y[150:, None], "val_images": x[:1],
    },
    "channels first": lambda x, y: {
        "train_data": x[:150, None], "train_targets": y[:150],
        "val_data": x[150:, None], "val_targets": y[150:],
    },
}  # fmt: skip


@pytest.mark.parametrize("layout", NPZ)
def test_npz_files(digits: tuple[Any, Any], tmp_path: Path, layout: str) -> None:
    """However people name and order the arrays, the same images come out of them."""
    images, labels = digits
    arrays: dict[str, Any] = NPZ[layout](images, labels.astype(np.int64))
    np.savez(tmp_path / "mine.npz", class_names=np.array([f"d{n}" for n in range(10)]), **arrays)
    data = NpzImages(path="mine.npz").load(tmp_path)

    assert (data.label, data.shape, data.class_names[3]) == ("mine", (1, 8, 8), "d3")
    wanted = sorted((x.tobytes(), int(y)) for x, y in zip(images[150:], labels[150:], strict=True))
    assert held(data)["test"] == wanted


def test_one_array_of_images_is_split(digits: tuple[Any, Any], tmp_path: Path) -> None:
    """As a folder is; names may stand for numbers."""
    names = np.array([f"digit{y}" for y in digits[1]])
    np.savez(tmp_path / "mine.npz", images=digits[0], labels=names)
    data = NpzImages(path="mine.npz").load(tmp_path)

    assert data.class_names[1] == "digit1"
    assert sum(data.sizes.values()) == 200


@pytest.mark.parametrize(
    ("arrays", "told"),
    [
        ({"a": np.zeros(3)}, "holds a; wants `x_train`"),
        ({"x": np.zeros((4, 8, 8)), "y": np.arange(4)}, "images are float64, from 0 to 0; wants"),
        ({"x": np.zeros((4, 8), np.uint8), "y": np.arange(4)}, r"images of shape \(4, 8\)"),
        ({"x": np.zeros((3, 8, 8), np.uint8), "y": np.arange(4)}, "and 4 labels"),
        ({"x": np.zeros((4, 8, 8), np.uint8), "y": np.arange(4) - 1}, "must be numbers from 0"),
        ({"x": np.zeros((4, 8, 8), np.uint8), "y": np.eye(4)}, r"labels of shape \(4, 4\)"),
        ({"x": np.array([{}]), "y": np.arange(1)}, "no npz file of plain arrays"),
        (b"PK no zip", "no npz file of plain arrays"),
    ],
)
def test_what_an_npz_file_lacks_is_told(tmp_path: Path, arrays: Any, told: str) -> None:
    """In one line; pickled objects are never read."""
    path = tmp_path / "mine.npz"
    np.savez(path, **arrays) if isinstance(arrays, dict) else path.write_bytes(arrays)
    with pytest.raises(DataError, match=told):
        NpzImages(path="mine.npz").load(tmp_path)


def table(images: Any, labels: Any) -> Any:
    """Rows as Hugging Face's library writes them, class names in the schema."""
    rows = [{"bytes": png(x), "path": None} for x in images]
    features = {"label": {"names": [f"d{n}" for n in range(10)], "_type": "ClassLabel"}}
    said = {"huggingface": json.dumps({"info": {"features": features}})}
    made = pyarrow.table({"img": rows, "label": [int(y) for y in labels]})
    return made.replace_schema_metadata(said)


def write_arrow(path: Path, made: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with pyarrow.OSFile(str(path), "wb") as sink, pyarrow.ipc.new_stream(sink, made.schema) as out:
        out.write_table(made)


@pytest.mark.parametrize("layout", ["hub", "save_to_disk", "feather"])
def test_parquet_and_arrow_files(digits: tuple[Any, Any], tmp_path: Path, layout: str) -> None:
    """The hub's shards, the library's folders, and feather files hold the same images."""
    images, labels = digits
    parts = {"train": table(images[:150], labels[:150]), "test": table(images[150:], labels[150:])}
    home = tmp_path / "digits"
    for split, made in parts.items():
        if layout == "save_to_disk":
            write_arrow(home / split / "data-00000-of-00001.arrow", made)
            continue
        (home / "data").mkdir(parents=True, exist_ok=True)
        for shard in range(2):
            some, name = made.slice(75 * shard, 75), f"{split}-0000{shard}-of-00002"
            if layout == "hub":
                pyarrow.parquet.write_table(some, home / "data" / f"{name}.parquet")
            else:
                pyarrow.feather.write_feather(some, home / "data" / f"{name}.feather")
    data = ParquetImages(path="digits").load(tmp_path)

    assert (data.sizes, data.class_names[3]) == ({"train": 150, "test": 50}, "d3")
    wanted = sorted((x.tobytes(), int(y)) for x, y in zip(images[150:], labels[150:], strict=True))
    assert held(data)["test"] == wanted


def test_what_a_table_lacks_is_told(
    digits: tuple[Any, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Columns, bytes, labels, pyarrow itself: each in one line, with what to do."""
    path = tmp_path / "mine.parquet"
    source = ParquetImages(path="mine.parquet")
    made = table(*digits)
    renamed = made.rename_columns(["scan", "label"])
    lacking = made.set_column(1, "label", pyarrow.array([None] * 200, pyarrow.int64()))
    outside = made.set_column(0, "img", pyarrow.array([{"bytes": None, "path": "x"}] * 200))
    for wrong, told in (
        (renamed, "no column of images; there are scan, label; say `images: NAME`"),
        (lacking, "row 0: no label"),
        (outside, "`img` holds no bytes of an image file"),
    ):
        pyarrow.parquet.write_table(wrong, path)
        with pytest.raises(DataError, match=told):
            source.load(tmp_path)
    pyarrow.parquet.write_table(renamed, path)
    named = ParquetImages(path="mine.parquet", images="scan", labels="label")
    assert sum(named.load(tmp_path).sizes.values()) == 200
    path.write_bytes(b"PAR1 no table PAR1")
    with pytest.raises(DataError, match="cannot be read"):
        source.load(tmp_path)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(
        EnvironmentProblem, match=r"need pyarrow: pip install 'signbench\[parquet\]"
    ):
        source.load(tmp_path)


def test_absolute_paths_and_homes(folder: Path) -> None:
    """An absolute path needs no data folder."""
    sources: list[OwnImages] = [
        FolderImages(path=str(folder / "digits")),
        FolderImages(path="digits"),
    ]
    prints = {source.load(folder).fingerprint for source in sources}

    assert len(prints) == 1
    assert Path(sources[0].path).is_absolute()
