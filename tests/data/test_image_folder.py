"""Image files: listed, decoded by threads, left out where they are damaged."""

import os
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import ValidationError

from bench.cli.app import main
from bench.data import image_folder
from bench.data.dataset import Share, normalize
from bench.data.image import decode, evaluation_view
from bench.data.image_folder import Folder
from bench.data.prefetch import CopyStream, PendingCopy
from bench.data.sources import ImageNet
from bench.errors import DataError, EnvironmentProblem
from bench.execution import cell_run
from bench.execution.job import Job
from bench.planning.planner import plan
from bench.results import store

CLASSES = ("ant", "bee", "cat")
CPU = torch.device("cpu")
SUITE = """
estimators: [ste]
backbones:
  resnet20: {width: 2}
data:
  imagenet: {classes: 3, image: 32}
seeds: [0]
train: {epochs: 2, batch_size: 10, lr: 0.1}
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Three classes of 8 training and 4 validation images: colour, greyscale, CMYK, and a PNG."""
    rng = np.random.default_rng(0)
    for split, n in (("train", 8), ("val", 4)):
        for name in CLASSES:
            place = tmp_path / "imagenet" / split / name
            place.mkdir(parents=True)
            for i in range(n):
                pixels = rng.integers(0, 256, (5, 5, 3), dtype=np.uint8)
                image = Image.fromarray(pixels).resize((40 + 3 * i, 52 - 2 * i))
                mode = {1: "L", 2: "CMYK"}.get(i, "RGB")
                form = "PNG" if i == 3 else "JPEG"
                image.convert(mode if form == "JPEG" else "RGB").save(place / f"{i}.JPEG", form)
    return tmp_path


def found(home: Path, **fields: object) -> Folder:
    source = ImageNet.model_validate({"classes": 3, "image": 16} | fields)
    data = source.load(home)
    assert isinstance(data, Folder)
    return data


def damage(home: Path) -> list[Path]:
    """A truncated, an empty and a foreign file in the training split; one that will be missing."""
    train = home / "imagenet" / "train"
    paths = [train / "ant" / "0.JPEG", train / "bee" / "5.JPEG", train / "cat" / "7.JPEG"]
    content = paths[0].read_bytes()
    paths[0].write_bytes(content[: len(content) * 9 // 10])
    paths[1].write_bytes(b"")
    paths[2].write_text("not an image")
    return [*paths, train / "ant" / "4.JPEG"]


def epoch(data: Folder, seed: int = 0, size: int = 5) -> list[tuple[torch.Tensor, torch.Tensor]]:
    return list(data.epoch(size, torch.Generator().manual_seed(seed)))


def test_a_folder_is_listed(home: Path) -> None:
    """Classes sorted, sizes, shape, and images in rounds of one of each class."""
    (home / "imagenet" / "train" / "ant" / "readme.txt").write_text("no image")
    data = found(home)

    assert data.label == "images of 3 classes, 16x16"
    assert data.sizes == {"train": 24, "test": 12}
    assert data.shape == (3, 16, 16)
    assert data.labels("train").tolist() == [0, 1, 2] * 8
    assert data.train.paths[:4] == (
        "train/ant/0.JPEG", "train/bee/0.JPEG", "train/cat/0.JPEG", "train/ant/1.JPEG",
    )  # fmt: skip


def test_evaluation_is_pils_pixels(home: Path) -> None:
    """Batches of the test split are the decoded views, normalized, in order."""
    data = found(home)
    batches = list(data.batches("test", 5))
    images = [Image.open(data.test.root / path).convert("RGB") for path in data.test.paths]
    views = np.stack([np.asarray(evaluation_view(image, 16)) for image in images])
    expected = normalize(torch.from_numpy(views).permute(0, 3, 1, 2), data.transform)

    assert [len(y) for _, y in batches] == [5, 5, 2]
    assert torch.equal(torch.cat([x for x, _ in batches]), expected)
    assert torch.equal(torch.cat([y for _, y in batches]), data.labels("test"))


def test_threads_change_no_number(home: Path) -> None:
    """0, 1 and 4 threads give the same batches, bit for bit; another seed gives others."""
    runs = [epoch(found(home).to(CPU, workers)) for workers in (0, 1, 4)]
    other = epoch(found(home), seed=1)

    for run in runs[1:]:
        for (x, y), (expected, labels) in zip(run, runs[0], strict=True):
            assert torch.equal(x, expected)
            assert torch.equal(y, labels)
    assert not all(torch.equal(a, b) for (a, _), (b, _) in zip(runs[0], other, strict=True))


def test_shares_of_several_processes_are_the_batches(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    What three processes decode is what one does, with damaged files and an uneven last batch.

    Each reads its own files, and no file is read twice.
    """
    damage(home)
    data, read = found(home), list[Path]()
    monkeypatch.setattr(image_folder, "decode", lambda path: read.append(path) or decode(path))
    shares = [found(home).shared(Share(rank, 3)) for rank in range(3)]
    parts = zip(*(epoch(share, size=7) for share in shares), strict=True)
    assert len(read) == len({*read}) == 24
    tests = [batch for share in shares for batch in share.batches("test", 5)]

    for (images, labels), part in zip(epoch(data, size=7), parts, strict=True):
        assert torch.equal(torch.cat([x for x, _ in part]), images)
        assert torch.equal(torch.cat([y for _, y in part]), labels)
    for (images, labels), (x, y) in zip(data.batches("test", 5), tests, strict=True):
        assert torch.equal(x, images)
        assert torch.equal(y, labels)


def test_an_epoch_shows_every_image_once(home: Path) -> None:
    """Complete, shuffled, the last batch smaller, and cropped anew in the next epoch."""
    data, rng = found(home), torch.Generator().manual_seed(0)
    first, second = list(data.epoch(5, rng)), list(data.epoch(5, rng))

    assert [len(y) for _, y in first] == [5, 5, 5, 5, 4]
    labels = torch.cat([y for _, y in first])
    assert torch.bincount(labels).tolist() == [8, 8, 8]
    assert not torch.equal(labels, torch.cat([y for _, y in second]))
    assert first[0][0].shape == (5, 3, 16, 16)
    assert first[0][0].is_contiguous(memory_format=torch.channels_last)


def test_what_an_epoch_passes_over_is_not_decoded(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From any batch on the bits are those of the whole epoch, and only its files are read."""
    whole, read = epoch(found(home)), list[Path]()
    monkeypatch.setattr(image_folder, "decode", lambda path: read.append(path) or decode(path))
    for start in range(6):
        read.clear()
        rng = torch.Generator().manual_seed(0)
        rest = list(found(home).to(CPU, 2).epoch(5, rng, start))

        assert len(read) == len({*read}) == sum(len(labels) for _, labels in whole[start:])
        for (x, y), (expected, labels) in zip(rest, whole[start:], strict=True):
            assert torch.equal(x, expected)
            assert torch.equal(y, labels)


def test_the_rest_of_an_epoch_may_be_damaged(home: Path) -> None:
    """A batch of which nothing is left is empty; only a split of which nothing is ends the cell."""
    data, rng = found(home), torch.Generator().manual_seed(0)
    order = torch.randperm(24, generator=rng)
    for row in order[5:].tolist():
        (data.train.root / data.train.paths[row]).write_bytes(b"")

    assert [len(labels) for _, labels in epoch(data)] == [5, 0, 0, 0, 0]
    rest = data.epoch(5, torch.Generator().manual_seed(0), 3)
    assert [len(labels) for _, labels in rest] == [0, 0]


@pytest.mark.parametrize("workers", [0, 2])
def test_damaged_files_are_left_out(home: Path, workers: int) -> None:
    """Each is reported once with its reason, its batch is smaller, and the rest is untouched."""
    whole = epoch(found(home))
    *broken, missing = damage(home)
    said: list[str] = []
    data = found(home).to(CPU, workers, said.append)
    missing.unlink()
    batches = epoch(data)
    epoch(data, seed=1)

    assert sum(len(y) for _, y in batches) == 24 - 4
    assert [len(y) for _, y in whole] != [len(y) for _, y in batches]
    assert len(said) == 4
    reasons = ("truncated", "empty file", "not an image", "No such file")
    for path, reason in zip([*broken, missing], reasons, strict=True):
        assert any(f"{path}: " in line and reason in line for line in said)
    sharp = {tuple(x.flatten()[:9].tolist()) for images, _ in whole for x in images}
    assert {tuple(x.flatten()[:9].tolist()) for images, _ in batches for x in images} < sharp


def test_a_damaged_file_can_stop(home: Path) -> None:
    """damaged: stop raises at the first, with path and reason."""
    path = damage(home)[0]
    for other in ("bee/5", "cat/7"):
        (home / "imagenet" / "train" / f"{other}.JPEG").unlink()

    with pytest.raises(DataError, match=rf"^{path}: image file is truncated"):
        epoch(found(home, damaged="stop").to(CPU, 2))


def test_a_batch_of_one_is_empty_and_none_is_an_error(home: Path) -> None:
    """A training batch that damage leaves with fewer than two has nothing to train on."""
    data = found(home)
    for path in data.train.paths[:-3]:
        (data.train.root / path).write_bytes(b"")
    sizes = [len(y) for _, y in epoch(data, size=2)]
    for path in data.test.paths:
        (data.test.root / path).write_bytes(b"")

    assert set(sizes) <= {0, 2}
    with pytest.raises(DataError, match="not one of 12 images can be decoded"):
        list(data.batches("test", 4))


def test_a_fingerprint_is_of_names_and_sizes(home: Path) -> None:
    """A new size, a new name or another crop changes it; contents, threads and damaged do not."""
    first = found(home).fingerprint
    path = home / "imagenet" / "val" / "bee" / "1.JPEG"
    content = path.read_bytes()
    path.write_bytes(bytes(len(content)))
    same = [found(home), found(home, damaged="stop"), found(home).to(CPU, 3)]
    others = [found(home, image=17), found(home, crop_area=[0.08, 1.25]), found(home, train=9)]
    path.write_bytes(content + b"x")
    longer = found(home).fingerprint
    path.rename(path.with_name("9.JPEG"))

    assert {data.fingerprint for data in same} == {first}
    prints = {data.fingerprint for data in others} | {first, longer, found(home).fingerprint}
    assert len(prints) == 6


def test_wrong_folders_are_named(home: Path, tmp_path: Path) -> None:
    """No folder, another number of classes, other classes in val, an empty class: each says so."""
    with pytest.raises(DataError, match=r"no `.*nowhere/imagenet/train`; `bench data prepare"):
        ImageNet().find(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"train` holds 3 classes, expected 1000.*`classes: 3`"):
        ImageNet().find(home)
    val = home / "imagenet" / "val"
    (val / "bee").rename(val / "bug")
    with pytest.raises(DataError, match=r"class `bee` is in train/ and not in val/"):
        found(home)
    (val / "bug").rename(val / "ape")
    with pytest.raises(DataError, match=r"class `ape` is in val/ and not in train/"):
        found(home)
    for path in (val / "cat").iterdir():
        path.unlink()
    with pytest.raises(DataError, match=r"imagenet/val/cat` holds no image"):
        found(home)


def test_a_folder_has_its_own_name(home: Path) -> None:
    """Only WordNet's ids are ImageNet's classes; any other folder is called what its suite says."""
    assert found(home, name="bolts and nuts").label == "bolts and nuts, 16x16"
    for split in ("train", "val"):
        for number, name in enumerate(CLASSES):
            place = home / "imagenet" / split
            (place / name).rename(place / f"n0144000{number}")

    assert found(home).label == "ImageNet (3 classes), 16x16"
    with pytest.raises(ValidationError):
        found(home, name=" ")


def test_links_that_lead_back_add_nothing(home: Path, tmp_path: Path) -> None:
    """A link to its own folder or one above is passed over; honest links are followed, once."""
    first = found(home).fingerprint
    train = home / "imagenet" / "train"
    for target in (".", "..", "../..", str(home)):
        (train / "ant" / "again").symlink_to(target)
        assert found(home).fingerprint == first
        (train / "ant" / "again").unlink()
    (train / "all").symlink_to(".")
    assert found(home).fingerprint == first
    (train / "all").unlink()
    (train / "cat").rename(tmp_path / "elsewhere")
    (train / "cat").symlink_to(tmp_path / "elsewhere")
    (train / "ant" / "0.JPEG").rename(tmp_path / "one.JPEG")
    (train / "ant" / "0.JPEG").symlink_to(tmp_path / "one.JPEG")
    assert found(home).fingerprint == first
    (train / "cat" / "twice").symlink_to(tmp_path / "elsewhere")
    assert found(home).fingerprint == first
    (train / "ant" / "bees").symlink_to("../bee")
    with pytest.raises(DataError, match=r"bee` and `.*ant/bees` are one folder, and two classes"):
        found(home)


@pytest.mark.parametrize("to", ["", "/dev/zero"])
def test_an_image_that_may_never_end_is_named(home: Path, to: str) -> None:
    """A pipe, or a link to a device, among the images of a class is not read."""
    path = next((home / "imagenet" / "train").glob("*/*")).with_name("odd.png")
    path.symlink_to(to) if to else os.mkfifo(path)
    with pytest.raises(DataError, match=r"odd\.png` is no file, but a pipe or a device"):
        ImageNet(classes=3, image=32).load(home)


def test_one_folder_for_both_splits_is_refused(home: Path) -> None:
    """Nobody is told an accuracy on training images unasked."""
    (home / "imagenet" / "val").rename(home / "old")
    (home / "imagenet" / "val").symlink_to("train")
    with pytest.raises(DataError, match="train/ and val/ are one folder"):
        found(home)


@pytest.mark.parametrize(
    "left",
    [".ipynb_checkpoints", "__MACOSX", "lost+found", "@eaDir", "$RECYCLE.BIN", ".thumbs"],
)
def test_what_programs_leave_behind_is_no_class(home: Path, left: str) -> None:
    """Hidden folders, thumbnails and bins are none, whatever is in them; so are hidden files."""
    first = found(home).fingerprint
    train = home / "imagenet" / "train"
    content = (train / "bee" / "0.JPEG").read_bytes()
    (train / left).mkdir()
    assert found(home).fingerprint == first
    (train / left / "0.JPEG").write_bytes(content)
    (train / "bee" / left).mkdir()
    (train / "bee" / left / "0.JPEG").write_bytes(content)
    (train / "bee" / "._0.JPEG").write_bytes(b"\0\5\26\7")
    assert found(home).fingerprint == first


def test_a_name_in_two_unicode_forms_is_one_class(home: Path) -> None:
    """What macOS and Linux spell in two ways is one class and one fingerprint; twice is refused."""
    names = {form: unicodedata.normalize(form, "abeille-âgée") for form in ("NFC", "NFD")}
    prints: list[str] = []
    for forms in (("NFC", "NFC"), ("NFC", "NFD"), ("NFD", "NFD")):
        for split, form in zip(("train", "val"), forms, strict=True):
            place = home / "imagenet" / split
            old = next(p for p in place.iterdir() if p.name in {"bee", *names.values()})
            old.rename(place / names[form])
        prints.append(found(home).fingerprint)
    assert len(set(prints)) == 1
    (home / "imagenet" / "val" / names["NFC"]).mkdir()
    with pytest.raises(DataError, match="is there twice, in two Unicode spellings"):
        found(home)


def test_capitals_are_named(home: Path) -> None:
    """Where two splits differ in capitals alone, both names are told."""
    (home / "imagenet" / "val" / "bee").rename(home / "imagenet" / "val" / "Bee")
    with pytest.raises(DataError, match=r"class `Bee` is in val/ .* train/, which has `bee`"):
        found(home)


def test_a_fault_of_the_machine_is_no_damage(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without descriptors, memory or a disk that reads the cell ends; no file is damaged."""
    data = found(home)
    for error in (OSError(24, "Too many open files"), OSError(5, "Input/output error")):

        def fail(*_: object, error: OSError = error, **__: object) -> None:
            raise error

        with monkeypatch.context() as patch:
            patch.setattr(Path, "open", fail)
            with pytest.raises(
                EnvironmentProblem, match=f"cannot read `.*`: {error.strerror}"
            ) as it:
                epoch(data)
        assert not isinstance(it.value, DataError)
    with monkeypatch.context() as patch:
        patch.setattr(Image, "open", lambda _: (_ for _ in ()).throw(MemoryError()))
        with pytest.raises(MemoryError):
            epoch(data)
    assert data.left_out == {}


def test_what_is_left_out_is_counted(home: Path) -> None:
    """By split, each file once, however often it is met."""
    damage(home)
    (home / "imagenet" / "val" / "ant" / "0.JPEG").write_text("junk")
    data = found(home).to(CPU)
    for seed in (1, 2):
        epoch(data, seed)
        list(data.batches("test", 4))

    assert data.left_out == {"train": 3, "test": 1}


def test_part_of_a_folder_is_held_out(home: Path) -> None:
    """A quarter of every class's training images, disjoint and complete; val is not touched."""
    data = found(home, held_out=0.25)
    whole = set(found(home).train.paths)

    assert data.label.endswith("25 % of train held out for tuning")
    assert data.sizes == {"train": 18, "test": 6}
    assert torch.bincount(data.labels("test")).tolist() == [2, 2, 2]
    assert {*data.train.paths} | {*data.test.paths} == whole
    assert {*data.train.paths}.isdisjoint(data.test.paths)
    assert all(path.startswith("train/") for path in data.test.paths)
    assert len(list(data.batches("test", 4))) == 2


def test_damage_is_found_and_counted(home: Path) -> None:
    """Every file is decoded, and the damaged ones are named."""
    broken = damage(home)[:3]
    counts: list[tuple[int, int]] = []
    wrong = found(home).to(CPU, 2).damaged(lambda *n: counts.append(n))

    assert [*wrong] == [str(path) for path in sorted(broken, key=lambda p: int(p.stem))]
    assert counts == [(36, 36)]


def test_verify_decodes_and_list_does_not(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`data verify` names every damaged file and exits with 5; `data list` only counts files."""

    def bench(*args: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["bench", "data", *args, "--data", str(home)])
        with pytest.raises(SystemExit) as stop:
            main()
        return int(stop.value.code or 0), "".join(capsys.readouterr())

    code, text = bench("verify", "imagenet", "classes=3")
    assert code == 0
    assert "36 of 36 files decoded" in text
    assert "24 train, 12 test, 3x224x224, 3 classes, fingerprint" in text
    broken = damage(home)[:3]
    code, text = bench("verify", "imagenet", "classes=3", "image=32")
    assert code == 5
    assert "3 of 36 files are damaged" in text
    assert all(f"error: {path}: " in text for path in broken)
    monkeypatch.setattr("bench.data.image_folder.decode", None)
    assert "holds 3 classes, expected 1000" in bench("list")[1]
    assert (
        "imagenet: clases: unknown key; did you mean `classes`?"
        in bench("verify", "imagenet", "clases=3")[1]
    )
    assert bench("verify", "imagenet", "classes")[0] == 2


@pytest.mark.usefixtures("here")
def test_two_epochs_end_to_end(
    home: Path, ask: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`bench run` trains on files, its log names the damaged one once, `bench eval` agrees."""
    path = damage(home)[0]
    (home / "files.yaml").write_text(SUITE, encoding="utf-8")
    monkeypatch.chdir(home)

    def bench(*args: str) -> str:
        code, out, err = ask(*args, "--data", home)
        assert code == 0, err
        return out

    bench("run", "files.yaml", "--workers", "2", "--device", "cpu")
    (log,) = home.rglob("log.txt")
    text = log.read_text(encoding="utf-8")
    (cell,) = plan(home / "files.yaml", data=home).cells
    record = store.find_record(home / "results", cell)

    assert text.count(f"left out, damaged: {path}: image file is truncated") == 1
    assert text.count("left out, damaged") == 3
    assert "3 of 24 train images could not be read and are left out" in text
    assert record
    assert record.status == "ok"
    assert len(record.curves["test_acc"]) == len(record.curves["test_top5"]) == 2
    assert record.last_top5 == 1.0  # of three classes
    assert bench("eval", "ste").count("as recorded") == 2


def test_stop_fails_the_cell(home: Path) -> None:
    """With damaged: stop the cell is a failed one, and its reason is the file's."""
    damage(home)
    (home / "files.yaml").write_text(SUITE.replace("image: 32", "image: 32, damaged: stop"))
    (cell,) = plan(home / "files.yaml", data=home).cells
    job = Job(cell, home / "results", "cpu", 1, 2, False, home, (), (), 300.0)
    cell_run.run(job)
    record = store.find_record(home / "results", cell)

    assert record
    assert record.status == "failed"
    assert record.reason.startswith(f"{home / 'imagenet' / 'train'}/")


def test_batches_for_a_gpu_are_pinned(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads write into pinned memory, which a GPU copies from without waiting."""
    asked: list[bool] = []
    plain = torch.empty

    def empty(*shape: Any, pin_memory: bool, **kinds: Any) -> torch.Tensor:
        asked.append(pin_memory)
        return plain(*shape, **kinds)

    monkeypatch.setattr(torch, "empty", empty)
    for device in ("cpu", "cuda"):
        data = found(home).to(torch.device(device), 0)
        batch = image_folder._Batch(data, data.train, torch.arange(4), None, map)  # pyright: ignore
        assert list(batch.reasons) == [""] * 4

    assert asked == [False, True]


def test_the_next_batch_is_on_its_way_before_this_one_is_used(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Batch k + 1 is sent before batch k is received, none is received twice or out of order."""
    order: list[tuple[str, int]] = []
    sent: list[PendingCopy] = []
    send, receive = CopyStream.start_copy, CopyStream.wait_for

    def sending(self: CopyStream, *tensors: torch.Tensor) -> PendingCopy:
        order.append(("start_copy", len(sent)))
        sent.append(send(self, *tensors))
        return sent[-1]

    def receiving(self: CopyStream, batch: PendingCopy) -> tuple[torch.Tensor, ...]:
        order.append(("wait_for", [one is batch for one in sent].index(True)))
        return receive(self, batch)

    monkeypatch.setattr(CopyStream, "start_copy", sending)
    monkeypatch.setattr(CopyStream, "wait_for", receiving)
    for k, _ in enumerate(found(home).to(CPU, 2).epoch(8, torch.Generator().manual_seed(0))):
        order.append(("use", k))

    assert order == [
        ("start_copy", 0), ("start_copy", 1), ("wait_for", 0), ("use", 0),
        ("start_copy", 2), ("wait_for", 1), ("use", 1), ("wait_for", 2), ("use", 2),
    ]  # fmt: skip


@pytest.mark.gpu
def test_a_gpu_sees_the_same_batches(home: Path) -> None:
    """Through pinned memory to the GPU and normalized there, the images are the CPU's."""
    here, there = (epoch(found(home).to(torch.device(d), 2)) for d in ("cpu", "cuda"))

    for (x, y), (expected, labels) in zip(there, here, strict=True):
        torch.testing.assert_close(x.cpu(), expected, rtol=0, atol=1e-6)
        assert torch.equal(y.cpu(), labels)
