"""Files of plugins."""

import contextlib
import json
from pathlib import Path
from random import Random

from bench.base.files import write_file
from bench.base.python_files import shipped
from bench.base.yaml_document import parse
from bench.cli import catalogue
from bench.errors import BenchError, PluginError
from bench.planning import planner
from bench.train import model
from fuzz import mutate, reports
from fuzz.box import Box, Read
from fuzz.sound import TINY, command, fresh

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
    path = shipped(package) / f"{rng.choice(names)}.py"
    lines = path.read_text(encoding="utf-8").split("\n")
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
    for entry in catalogue.list_entries(catalogue.read_kind(axis)):
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
