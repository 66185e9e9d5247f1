"""A cell's network in a folder of its own: written, checked on the test split, and said."""

import importlib.util
import json
import shutil
import uuid
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import torch

from bench import __version__
from bench.base.files import write_file
from bench.base.text import count
from bench.data.dataset import Dataset
from bench.deploy import agreement, classes, graph, onnx_file, packing, thresholds
from bench.deploy.agreement import Agreement, Logits
from bench.deploy.network import Deployed
from bench.errors import EnvironmentProblem, UsageError
from bench.results import cell_folders, weight_files
from bench.results.record import Record
from bench.spec.cell import Which
from bench.train import evaluation, model, stand_in

Form: TypeAlias = Literal["bits", "onnx"]
READER = Path(__file__).parent / "reader.py"
FILES: dict[Form, str] = {"bits": "bits.safetensors", "onnx": "model.onnx"}


@dataclass(frozen=True)
class Order:
    """What is to be deployed, and how."""

    cell: str
    results: Path
    data: Path | None
    which: Which = "last"
    forms: tuple[Form, ...] = ("bits", "onnx")
    classes: Path | None = None
    images: int | None = None  # of the test split, at most


def deploy(order: Order, output: Path) -> Iterator[str]:
    """
    Write a cell's network to a new folder, and yield lines that say what it is.

    All is there, and predicts as torch does, or the folder is not.

    Raises:
        UsageError: no such cell or weights; the folder is there; a network of other operations.
        DataError: the test split is not there.
        EnvironmentProblem: a package is missing, or the disk is full.
    """
    if output.exists() or output.is_symlink():
        message = f"`{output}` is there; name a folder that is not"
        raise UsageError(message)
    if "onnx" in order.forms:
        onnx_file.need_packages()
    record = cell_folders.find_record(order.results, order.cell)
    cell_folders.add_plugins(order.results, cell_folders.read_plans(order.results))
    if order.which not in evaluation.measured_weights(record):
        message = f"{record.cell.slug}: {record.status} ({record.reason}); nothing to deploy"
        raise UsageError(message)
    net = model.load_recorded(record, order.results, order.which)
    dataset = evaluation.load_recorded_dataset(record, order.results, order.data)
    dataset = dataset.to(torch.device("cpu"))
    with new_folder(output) as folder:
        yield from _deploy(_Job(order, record, dataset, net), folder)
    yield f"wrote {output}: {', '.join(sorted(path.name for path in output.iterdir()))}"


@contextmanager
def new_folder(output: Path) -> Generator[Path]:
    """A folder that is at `output` when all is in it, or nowhere."""
    part = output.with_name(f".{output.name}.{uuid.uuid4().hex[:8]}")
    try:
        part.mkdir(parents=True)
        yield part
        part.rename(output)
    except OSError as error:
        message = f"cannot write `{output}`: {error.strerror or error}"
        raise EnvironmentProblem(message) from None
    finally:
        shutil.rmtree(part, ignore_errors=True)


class _Job:
    """One cell on its way out."""

    def __init__(self, order: Order, record: Record, dataset: Dataset, net: Any) -> None:
        self.order, self.record, self.dataset = order, record, dataset
        self.transform = dataset.transform
        self.net = Deployed(net, self.transform)
        known = dataset.num_classes
        if order.classes:
            self.classes, self.named_by = classes.read_names(order.classes, known), "yours"
        else:
            self.classes, self.named_by = classes.find_names(record.cell.data.name, dataset, known)

    def about(self) -> dict[str, Any]:
        """What each file says of itself."""
        cell, which = self.record.cell, self.order.which
        epoch = -1 if which == "last" else self.record.best_epoch or 0
        return {
            "classes": self.classes,
            "preprocessing": self._preprocessing(),
            "cell": {
                "id": cell.id,
                "name": cell.slug,
                "weights": which,
                "digest": weight_files.recorded_digest(self.record, which),
                "seal": self.record.seal,
                "accuracy": self.record.curves["test_acc"][epoch],
                "data": cell.data.model_dump(mode="json"),
                "network": cell.backbone.model_dump(mode="json"),
                "W/A": cell.wa,
            },
            "made by": {"signbench": __version__, "torch": str(torch.__version__)},
        }

    def _preprocessing(self) -> dict[str, Any]:
        side, t = self.dataset.shape, self.transform
        return {
            "shape": [*side],
            "type": "uint8",
            "colours": "grey" if side[0] == 1 else "red, green, blue",
            "view": describe_view(
                self.record.cell.data.params, side[1] if hasattr(self.dataset, "image") else None
            ),
            "then, in the file": "(scale x - mean) / deviation",
            "scale": t.scale,
            "mean": [*t.mean],
            "deviation": [*t.std],
        }


def describe_view(params: Mapping[str, Any], decoded: int | None = None) -> str:
    """
    Say what of an image the network sees, and at what size.

    Args:
        params: of the data set.
        decoded: the side of images that are decoded while a network trains.
    """
    if decoded:
        return f"shorter side to {round(decoded * 256 / 224)}, bilinear; the middle of it"
    if size := params.get("image"):
        return f"the middle square, made {size} x {size}, bilinear, by pillow"
    if size := params.get("resize"):
        return f"resized to {size} x {size}, bilinear with antialias"
    return "as the data set has them"


def _deploy(job: _Job, folder: Path) -> Iterator[str]:
    about, shape = job.about(), job.dataset.shape
    network = graph.trace(job.net, shape)
    forms: dict[Form, Logits] = {}
    said: dict[Form, list[str]] = {"onnx": [], "bits": []}
    if "onnx" in job.order.forms:  # before signs are thresholds, which ONNX has not
        content = onnx_file.to_onnx(
            graph.export(graph.Calls(network), shape, network.at_once), about
        )
        write_file(folder / FILES["onnx"], content)
        forms["onnx"] = onnx_file.open_onnx(content, network.at_once)
    if "bits" in job.order.forms:
        forms["bits"], said["bits"] = _write_bits(network, about, folder)
    found = agreement.compare(job.net, forms, job.dataset, job.order.images)
    yield _describe_cell(job, found["torch"])
    if network.at_once:
        yield "both take one image at a time: the network counts them itself, as `len(x)` does"
    floats = 4 * sum(p.numel() for p in job.net.net.parameters())
    for name in job.order.forms:
        size = (folder / FILES[name]).stat().st_size
        times = f", {floats / size:.1f} times as many" if size < floats else ""
        yield f"{FILES[name]}: {size:,} bytes; as float32 the weights are {floats:,}{times}"
        for line in [*said[name], str(found[name])]:
            yield f"  {line}"
        if found[name].wrong:
            message = f"{FILES[name]}: {found[name]}; nothing was written, please report it"
            raise UsageError(message)
    checks = {name: asdict(each) for name, each in found.items()}
    text = json.dumps({**about, "checked": checks}, indent=1, ensure_ascii=False)
    write_file(folder / "about.json", text + "\n")


def _write_bits(
    network: graph.Graph, about: dict[str, Any], folder: Path
) -> tuple[Logits, list[str]]:
    """Write packed bits and their reader, and give what that computes, and lines about it."""
    signs = thresholds.fold_signs(network)
    packed = packing.pack(network)
    write_file(folder / FILES["bits"], packed.to_bytes(about))
    reader = _copy_reader(folder)
    _refuse_unknown(packed, reader)
    lines = [_describe_weights(packed), _describe_signs(signs)]
    return reader.Model(folder / FILES["bits"]).logits, lines


def _copy_reader(folder: Path) -> Any:
    """Put the reader into a folder, and import it from there, as its users do."""
    path = folder / READER.name
    write_file(path, READER.read_bytes())
    spec = importlib.util.spec_from_file_location("signbench_deployed_reader", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    shutil.rmtree(folder / "__pycache__", ignore_errors=True)
    return module


def _refuse_unknown(packed: packing.Packed, reader: Any) -> None:
    """
    Nothing, if the reader knows every operation.

    Raises:
        UsageError: it does not.
    """
    unknown = sorted({step[0] for step in packed.steps} - reader.OPERATIONS.keys())
    if unknown:
        message = (
            f"the network has {count(len(unknown), 'operation')} that the reader of bits does not "
            f"know: {', '.join(unknown)}; deploy with --only onnx"
        )
        raise UsageError(message)


def _describe_weights(packed: packing.Packed) -> str:
    parts = [f"{n:,} of {count(bits, 'bit')}" for bits, n in sorted(packed.weights.items())]
    return f"weights of products: {', '.join(parts)}"


def _describe_signs(folded: thresholds.Folded) -> str:
    if not folded.signs:
        return "no product of signs"
    text = f"{count(folded.signs, 'binary input')}: {folded.thresholds} by thresholds of whole sums"
    why = (f"{n} by float arithmetic, of {reason}" for reason, n in folded.left.items())
    return "; ".join([text, *why])


def _describe_cell(job: _Job, measured: Agreement) -> str:
    """The cell, its accuracy, and whether it is the recorded one."""
    record, which = job.record, job.order.which
    epoch = -1 if which == "last" else record.best_epoch or 0
    recorded = record.curves["test_acc"][epoch]
    size = job.dataset.sizes["test"]
    whole = measured.images == size
    if not whole:
        words = f"of {size:,} in the test split"
    elif measured.accuracy == recorded:
        words = "as recorded"
    else:
        words = f"record says {100 * recorded:.2f} %, measured on {record.provenance.device}"
    stand_in.refuse_other(record, measured.accuracy if whole else None, recorded)
    return (
        f"{record.cell.slug} {which}: {100 * measured.accuracy:.2f} % of {measured.images:,} "
        f"images of {job.dataset.label}, {words}; class names: {job.named_by}"
    )
