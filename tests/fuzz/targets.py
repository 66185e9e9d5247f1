"""
What is thrown at what: a target makes an input and returns a call that reads it.

To add one: a function `(Box, Random) -> Callable[[], None]`, and its line in `TARGETS`.
"""

import contextlib
import copy
import gzip
import io
import json
import pickle
import struct
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torchvision.datasets
from PIL import Image

from bench.base.files import write_file
from bench.base.yaml_document import parse
from bench.cli import catalogue
from bench.data import file_formats
from bench.data.image import decode, evaluation_view, training_view
from bench.data.sources import SOURCES
from bench.errors import BenchError, DataError, PluginError, UsageError
from bench.planning import explain, planner
from bench.results import cell_folders, store
from bench.results.record import Record
from bench.spec import preset
from bench.spec.plan import name_results
from bench.spec.published import describe, read_ledger
from bench.train import model
from fuzz import mutate, reports
from fuzz.box import Box, Target
from fuzz.remains import archives, checkpoints, journals, leases
from fuzz.sound import TINY, command, fresh, measured

Read = Callable[[], None]
IMPORTED = torchvision.datasets  # makes folders of its own when it is first imported
SHIPPED = Path(str(files("suites")))
NAMES = [
    *("x.yaml",) * 12,
    *("...yaml", "..yaml", ".yaml", "-.yaml", "[red].yaml", "a b.yaml", "é\u202e.yaml"),
    *("a\nb.yaml", "\x1b[31m.yaml", f"{'n' * 240}.yaml", "|.yaml", "x", "%2e%2e.yaml", "~.yaml"),
]


def suites(box: Box, rng: Random) -> Read:
    """A shipped suite, damaged as data or as text, with hostile names and overrides."""
    known: list[str] = box.known.setdefault(
        "suites", [p.read_text(encoding="utf-8") for p in sorted(SHIPPED.glob("*.yaml"))] + [TINY]
    )
    whole = rng.choice(known)
    if rng.random() < 0.25:
        content = mutate.text(rng, whole)
    else:
        data = parse(whole, "").data
        if rng.random() < 0.8:  # what is on every machine
            data = _on_digits(data)
        data = _named(rng, data) if rng.random() < 0.5 else mutate.structure(rng, data)
        content = _yaml(rng, _pointed(box, rng, data))
        if rng.random() < 0.1:
            content = mutate.text(rng, content.decode(errors="surrogatepass"))
    path = box.put(rng.choice(NAMES), content).relative_to(box.inside)
    overrides = [] if rng.random() < 0.8 else [_override(rng)]
    if rng.random() < 0.03:
        verb = rng.choice([["plan"], ["show", "suite"], ["leaderboard"]])
        return lambda: command([*verb, "--", str(path), *overrides])
    return lambda: _planned(box, rng, path, overrides)


def _planned(box: Box, rng: Random, path: Path, overrides: list[str]) -> None:
    fresh()
    if rng.random() < 0.2:
        reports.on_terminal(explain.describe(path, overrides), 200)
    plan = planner.plan(path, overrides, box.inside / "data")
    reports.every(box, rng, plan)


def _on_digits(data: Any) -> Any:
    """The same suite on small data that is here, few seeds."""
    if not isinstance(data, dict) or "extends" in data:
        return data
    nets = {name: {"plugin": "resnet20", "width": 2} for name in list(data["backbones"])[:2]}
    return data | {"data": {"digits": {"train": 64}}, "seeds": [0], "backbones": nets}


def _named(rng: Random, data: Any) -> Any:
    """A sound suite whose labels, reasons and sources are hostile text."""
    if not isinstance(data, dict) or "extends" in data:
        return data
    labels = {rng.choice(mutate.STRANGE): {"plugin": "ste"}, rng.choice(mutate.STRANGE): "reste"}
    excluded = {"estimator": rng.choice([*labels, "*"]), "reason": rng.choice(mutate.STRANGE)}
    acc = {rng.choice(list(labels)): rng.choice([50, 1e300, -3])}
    published = {"source": rng.choice(mutate.STRANGE), "acc": acc}
    changes: dict[str, Any] = {
        "estimators": labels,
        "exclude": [excluded],
        "published": published,
        "baseline": rng.choice(list(labels)),
        "tune": {"train": {"lr": [0.1, 0.2]}, "held_out": 0.2},
        "backbones": {rng.choice(mutate.STRANGE): {"plugin": "resnet20", "width": 2}},
        "seeds": rng.choice([[0], "0..3", "0..999999", 2**62]),
    }
    plain = {"estimators": labels, "include": [], "exclude": [], "published": {}, "baseline": None}
    chosen = rng.sample(sorted(changes), rng.randint(0, 4))
    return data | plain | {"tune": None} | {key: changes[key] for key in chosen}


def _pointed(box: Box, rng: Random, data: Any) -> Any:
    """Here and there a path that leads out of the results."""
    if isinstance(data, dict) and rng.random() < 0.1:
        key = rng.choice(["extends", "plugins", "published", "baseline", "preset"])
        outside = str(box.outside / "precious.txt")
        data[key] = rng.choice([outside, "../outside/precious", str(box.outside), "/dev/zero", "x"])
    return data


def _override(rng: Random) -> str:
    keys = ["train.epochs", "seeds", "data", "estimators.ste", "extends", "a.b.c", "", "train", "x"]
    values = ["3", "[1", "{a: 1}", "!!python/none", "../../x", "\x1b[31m", "0..99", ".nan", "*a"]
    return rng.choice(["=", "", "=="]).join([rng.choice(keys), rng.choice(values)])


def _yaml(rng: Random, data: Any) -> bytes:
    """Data as YAML; JSON is YAML, too, and takes whatever there is."""
    text = json.dumps(data, indent=rng.choice([None, 1]), default=str)
    for word, meant in (("NaN", ".nan"), ("Infinity", ".inf")):
        text = text.replace(f": {word}", f": {meant}").replace(f": -{word}", f": -{meant}")
    return text.encode()


def records(box: Box, rng: Random) -> Read:
    """A real record, damaged, where its cell's record belongs."""
    plan, sound = measured(box)
    whole = rng.choice(sound)
    if rng.random() < 0.3:
        content = mutate.raw(rng, whole.encode())
    else:
        data = mutate.structure(rng, json.loads(whole))
        content = json.dumps(data).encode()
    cell = Record.model_validate_json(whole).cell
    write_file(store.cell_path(box.results, cell) / "record.json", content)

    def read() -> None:
        reports.every(box, rng, plan)
        fresh()
        if rng.random() < 0.05:
            reports_of = rng.choice([["indicators"], ["indicators", "--curves"], ["eval"]])
            command([*reports_of, cell.id])
        reports.record(cell_folders.find_record(box.results, cell.id))

    return read


def plans(box: Box, rng: Random) -> Read:
    """The plan that a run kept, damaged."""
    plan, _ = measured(box)
    whole = plan.model_dump_json()
    if rng.random() < 0.3:
        content = mutate.raw(rng, whole.encode())
    else:
        content = json.dumps(mutate.structure(rng, json.loads(whole))).encode()
    write_file(store.suite_path(box.results, "tiny") / "plan.json", content)

    def read() -> None:
        if rng.random() < 0.05:
            command(["leaderboard", "tiny"])
        found = store.find_plan(box.results, "tiny")
        reports.every(box, rng, found)

    return read


def weights(box: Box, rng: Random) -> Read:
    """Kept weights, damaged: never unpickled, never half loaded."""
    plan, _ = measured(box)
    cell = plan.cells[0]
    content: bytes = box.known["files"][f"cells/{cell.slug}/last.safetensors"]
    content = mutate.raw(rng, content) if rng.random() < 0.5 else mutate.tensors(rng, content)
    write_file(store.cell_path(box.results, cell) / "last.safetensors", content)
    record = Record.model_validate_json(box.known["measured"][1][0])
    return lambda: _restored(box, record)


def _restored(box: Box, record: Record) -> None:
    model.load_recorded(record, box.results, "last")


def cifar(box: Box, rng: Random) -> Read:
    """Batches of CIFAR-10 whose pickles are damaged, or name what could run."""
    home = box.inside / "cifar-10-partial-py"
    home.mkdir()
    good = _batch(rng, np.random.default_rng(0))
    bad = mutate.raw(rng, good) if rng.random() < 0.6 else _pickled(rng)
    for name, content in zip(("data_batch_1", "test_batch"), (good, bad), strict=True):
        (home / name).write_bytes(content)

    def read() -> None:
        SOURCES["cifar10-partial"]().load(box.inside)

    return read


def _batch(rng: Random, noise: np.random.Generator) -> bytes:
    pixels = noise.integers(0, 256, (4, 3072), dtype=np.uint8)
    return pickle.dumps({b"data": pixels, b"labels": [0, 1, 2, 3]}, rng.randrange(6))


def _pickled(rng: Random) -> bytes:
    """What a pickle should not hold."""
    evil = [
        b"cos\nsystem\n(S'touch evil'\ntR.",
        b"cbuiltins\neval\n(S'1'\ntR.",
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I1000000000000\ntS'b'\ntR.",
        b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7f.",
        b"\x80\x02" + b"]" * 3000 + b"a" * 2999 + b".",
        b"cnumpy\ndtype\n(S'O'\ntR.",
    ]
    odd: list[Any] = [
        *(None, 1, [], {}, {b"data": None, b"labels": []}, {b"data": b"x" * 3072, b"labels": [0]}),
        {b"data": np.zeros((1, 3072)) + np.nan, b"labels": [0]},
        {b"data": np.zeros((2, 3072)), b"labels": np.zeros(10**6)},
        {b"data": np.zeros((1, 3072), np.uint8), b"labels": [mutate.value(rng)]},
        {b"data": mutate.value(rng), b"labels": mutate.value(rng)},
    ]
    return rng.choice(evil) if rng.random() < 0.5 else pickle.dumps(rng.choice(odd))


def idx(box: Box, rng: Random) -> Read:
    """Fashion-MNIST's files, gzipped or not, damaged before or after."""
    content = bytes([0, 0, 8, 3]) + struct.pack(">3I", 3, 4, 4) + bytes(48)
    if rng.random() < 0.5:
        content = gzip.compress(mutate.raw(rng, content) if rng.random() < 0.5 else content)
    name = "x.gz" if content[:2] == b"\x1f\x8b" else "x"
    (box.inside / name).write_bytes(mutate.raw(rng, content))

    def read() -> None:
        file_formats.idx(box.inside / name, (3, 4, 4))

    return read


FORMATS = ["PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM"]
MODES = ["RGB", "L"]


def images(box: Box, rng: Random) -> Read:
    """Image files of many kinds, damaged, or of shapes that no photograph has."""
    size = rng.choice([(8, 8), (40, 30), (1, 1), (1, 4000), (4000, 1), (300, 2)])
    buffer = io.BytesIO()
    kind = rng.choice(FORMATS)
    Image.new(rng.choice(MODES), size).save(buffer, kind)
    content = buffer.getvalue()
    path = box.put("x.img", content if rng.random() < 0.1 else mutate.raw(rng, content))

    def read() -> None:
        image = decode(path)
        if isinstance(image, str):
            raise DataError(image)
        evaluation_view(image, 32)
        training_view(image, 32, (0.08, 1.0), rng.random)

    return read


SOURCES_OF = {
    "Estimator": ("estimators", ["ste", "ede", "reste"]),
    "Backbone": ("backbones", ["resnet20"]),
}
LINES = [
    *("raise RuntimeError('\\x1b[31mboom')", "import sys; sys.exit(3)", "1/0", "def", "\x00"),
    *("raise SystemExit", "raise MemoryError", "raise RecursionError", "class A(", "import zzz"),
    *("from bench.plugin import *", "Surrogate = 3", "del Surrogate", "x = [" * 200, "'" * 3),
]
INSIDE = [
    *(
        "    formula = 3",
        "    formula = '\\x1b[31mred'",
        "    formula = '[red]|x|\\n#'",
        "    kind = []",
    ),
    *("    formula = property(lambda s: 1 / 0)", "    version = 'x'", "    version = -1"),
    *(
        "    def knob(self, role='W'): raise RuntimeError('boom')",
        "    def value(self, z, t, /): return 3",
    ),
    *(
        "    def knob(self, role='W'): return 'x'",
        "    def value(self, z, t, /): return z.new_zeros(3)",
    ),
    *("    x: int", "    x: object = object()", "    x: 'Nope' = 1", "    schedule: str = 'never'"),
    *(
        "    def slope(self, z, t, /): raise KeyError('x')",
        "    gain: int = 3",
        "    width: str = 'x'",
    ),
    *(
        "    @property\n    def formula(self): raise ValueError",
        "    model_config = {}",
        "    x = 3",
    ),
    *(
        "    printed = {'zzz': 1}",
        "    printed = 3",
        "    def __init__(self, **k): raise OSError('x')",
    ),
    *("    x: dict = {1: {2: object}}", "    x: float = float('nan')", "    only_image = 'x'"),
    "    def knob(self, role='W'):\n        from bench.plugin import Knob\n"
    "        return Knob('\\x1b', float('nan'), 'x', limits=(0, 1))",
    "    def build(self, num_classes, channels, layers): return 3",
    "    def build(self, num_classes, channels, layers): raise RuntimeError('a\\nb')",
]
FILES = [
    *("mine.py",) * 10,
    *("a b.py", "-x.py", "..py", "é.py", "[red].py", "a\nb.py", "\x1b[31m.py", "ste.py", "None.py"),
    *(f"{'n' * 250}.py", "x.y.py", "|.py", "class.py", "\u202e.py", "1.py"),
]


def _source(rng: Random, base: str) -> bytes:
    """A shipped plugin of that kind, damaged line by line, or in its bytes."""
    package, names = SOURCES_OF[base]
    shipped = Path(str(files(package))) / f"{rng.choice(names)}.py"
    lines = shipped.read_text(encoding="utf-8").split("\n")
    for _ in range(rng.randint(1, 2)):
        place = rng.randrange(len(lines))
        body = [i for i, line in enumerate(lines) if line.startswith("class ")]
        match rng.randrange(5):
            case 0:
                lines[place : place + 1] = []
            case 1:
                lines.insert(place, rng.choice(LINES))
            case _ if body:
                lines.insert(rng.choice([body[0] + 1, len(lines)]), rng.choice(INSIDE))
            case _:
                lines.append(rng.choice(LINES))
    text = "\n".join(lines)
    if rng.random() < 0.15:
        return mutate.raw(rng, text.encode(errors="surrogatepass"))
    codec = rng.choice(["utf-8"] * 9 + ["utf-16", "latin-1", "utf-8-sig"])
    return text.encode(codec, errors="replace")


def plugins(box: Box, rng: Random) -> Read:
    """A plugin's file: lines lost, doubled and put in, nonsense in its class, a hostile name."""
    base = rng.choice(["Estimator", "Estimator", "Backbone"])
    content = _source(rng, base)
    folder = box.inside / "own"
    folder.mkdir()
    name = rng.choice(FILES)
    try:
        (folder / name).write_bytes(content)
    except OSError:
        (folder / "mine.py").write_bytes(content)
    if rng.random() < 0.05:
        (folder / "dead.py").symlink_to("/nowhere")
        (folder / "folder.py").mkdir()
    return lambda: _plugged(box, rng, base, Path(name).stem)


def _plugged(box: Box, rng: Random, base: str, name: str) -> None:
    """List it, describe it, write a schema with it, check it, plan with it."""
    fresh()
    axis = "estimators" if base == "Estimator" else "backbones"
    suite = parse(TINY, "").data | {"plugins": "own", axis: {name: {}}, "baseline": None}
    suite |= {"include": [], "published": {}}
    path = box.inside / "x.yaml"
    write_file(box.results / "x.yaml", json.dumps(suite).replace('"own"', '"../own"'))
    path = box.results / "x.yaml"
    if rng.random() < 0.05:
        kind = base.lower()
        verbs = [["list", axis], ["show", kind, name], ["schema"], ["plan", str(path)]]
        command(["--plugins", "own", *rng.choice([*verbs, ["check", name]])])
        fresh()
    problem = None
    try:
        plan = planner.plan(path)
        reports.every(box, rng, plan)
        model.build(plan.cells[0])
    except BenchError as error:
        problem = error
    except Exception as error:
        if not _own_fault(error, box):
            raise
    for entry in catalogue.list_entries(axis):
        reports.on_terminal(entry[1], 200)
    if rng.random() < 0.3:
        _described(box, base, name)
    if problem:
        raise problem


def _described(box: Box, base: str, name: str) -> None:
    from bench.planning.json_schema import make_schema

    make_schema()
    with contextlib.suppress(PluginError):
        reports.on_terminal(
            catalogue.describe("estimator" if base == "Estimator" else "backbone", name)
        )


def _own_fault(error: BaseException, box: Box) -> bool:
    """Did building a cell's network raise this? A worker records that as a failed cell."""
    trace = error.__traceback__
    while trace:
        if (
            trace.tb_frame.f_code.co_name == "build"
            and "model.py" in trace.tb_frame.f_code.co_filename
        ):
            return True
        trace = trace.tb_next
    return False


def ledgers(box: Box, rng: Random) -> Read:
    """A ledger of published numbers, damaged, beside a suite that names it."""
    home = box.inside / "published"
    home.mkdir()
    shipped = sorted((SHIPPED / "published").glob("*.yaml"))
    whole = rng.choice(shipped).read_text(encoding="utf-8")
    if rng.random() < 0.3:
        content = mutate.text(rng, whole)
    else:
        content = _yaml(rng, mutate.structure(rng, parse(whole, "").data))
    (home / "mine.yaml").write_bytes(content)
    path = box.put("x.yaml", TINY.replace("table3", "mine"))

    def read() -> None:
        fresh()
        for line in describe(read_ledger("mine", box.inside)):
            reports.on_terminal(line)
        reports.every(box, rng, planner.plan(path))

    return read


def presets(box: Box, rng: Random) -> Read:
    """A preset of the package, damaged."""
    home = box.inside / "presets"
    home.mkdir()
    whole = (SHIPPED / "presets" / "paper.yaml").read_text(encoding="utf-8")
    content = mutate.text(rng, whole)
    if rng.random() < 0.7:
        content = _yaml(rng, mutate.structure(rng, parse(whole, "").data))
    (home / "paper.yaml").write_bytes(content)
    path = box.put("x.yaml", TINY + "preset: paper\n")

    def read() -> None:
        fresh()
        honest, preset.files = preset.files, lambda _: box.inside  # type: ignore[assignment]
        try:
            reports.every(box, rng, planner.plan(path))
        finally:
            preset.files = honest

    return read


def names(box: Box, rng: Random) -> Read:
    """Names of suites, cells and overrides that would lead out of the results folder."""
    plan, _ = measured(box)
    words = [*mutate.STRANGE, str(box.outside / "x"), "../../outside/x", "link/x", "x/../../y"]
    (box.results / "suites").mkdir()
    (box.results / "suites" / "link").symlink_to(box.outside)
    chosen = rng.choice(words)
    over = [f"{rng.choice(words)}={rng.choice(words)}"] if rng.random() < 0.5 else []

    def read() -> None:
        suite = name_results(Path(chosen), over)
        moved = copy.copy(plan).model_copy(update={"suite": suite})
        store.save_plan(box.results, moved)
        store.find_plan(box.results, suite)
        reports.table(box, moved)
        with contextlib.suppress(UsageError):
            cell_folders.find_record(box.results, chosen)

    return read


TARGETS: dict[str, tuple[Target, int]] = {  # and how many inputs `make fuzz` makes
    "suites": (suites, 10_000),
    "records": (records, 2_000),
    "plans": (plans, 1_000),
    "weights": (weights, 1_000),
    "cifar": (cifar, 2_000),
    "idx": (idx, 2_000),
    "images": (images, 5_000),
    "plugins": (plugins, 2_000),
    "ledgers": (ledgers, 1_000),
    "presets": (presets, 500),
    "names": (names, 500),
    "checkpoints": (checkpoints, 1_000),
    "journals": (journals, 2_000),
    "archives": (archives, 2_000),
    "leases": (leases, 1_000),
}
