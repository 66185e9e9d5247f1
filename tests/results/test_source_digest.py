"""What a cell was made by: digests of sources, and what makes a record stale."""

import ast
import importlib
import json
import shutil
import sys
from pathlib import Path

import exact_curves
import pytest
from samples import cell

from bench.errors import UsageError
from bench.planning.planner import plan
from bench.registry import BACKBONES, ESTIMATORS
from bench.results import source_digest
from bench.spec.cell import CORE, Cell, DataRef, Ref

SOURCE = '''
"""What it is."""

import math


class Mine:  # a comment
    """What it does."""

    t: float = 1.5

    def value(self, z):
        return f"a{{b{z!r:>{self.t}}c" "d" if z else -math.pi * 1e-3
'''
ALIKE = {
    "comments": SOURCE.replace("# a comment", "# another, longer comment"),
    "docstrings": SOURCE.replace("What it does.", "What else it does.").replace("is.", "was."),
    "no docstring": SOURCE.replace('    """What it does."""\n', ""),
    "layout": SOURCE.replace("        return", "        return \\\n            "),
    "quotes": SOURCE.replace('"d"', "'d'"),
    "a string cut otherwise": SOURCE.replace('c" "d"', 'cd"'),
    "idle": SOURCE.replace("    t: float", "    pass\n    t: float"),
}
OTHER = {
    "a constant": SOURCE.replace("1.5", "1.25"),
    "a string": SOURCE.replace('"d"', '"e"'),
    "a name": SOURCE.replace("z):", "z, o=1):"),
    "an operator": SOURCE.replace("* 1e-3", "/ 1e-3"),
    "a sign": SOURCE.replace("-math", "math"),
    "an order": SOURCE.replace("import math\n", "") + "\nimport math\n",
    "a type": SOURCE.replace("1.5", "'1.5'"),
}


@pytest.mark.parametrize("text", ALIKE.values(), ids=ALIKE.keys())
def test_a_better_comment_changes_no_digest(text: str) -> None:
    """Comments, docstrings, layout and quotes are no part of what code says."""
    assert text != SOURCE
    assert source_digest.digest(text.encode()) == source_digest.digest(SOURCE.encode())


@pytest.mark.parametrize("text", OTHER.values(), ids=OTHER.keys())
def test_every_change_of_code_changes_the_digest(text: str) -> None:
    """A constant, a string, a name, an operator, a sign, an order, a type: none goes unnoticed."""
    assert text != SOURCE
    assert source_digest.digest(text.encode()) != source_digest.digest(SOURCE.encode())


def test_the_digest_is_the_same_on_every_python() -> None:
    """Pinned: CPython 3.11, 3.12 and 3.13 gave it; another would make every record stale."""
    assert source_digest.digest(SOURCE.encode()) == "f7a1fcc12559d118"


@pytest.mark.parametrize("text", [b"def (", b"a\x00b", b"\xff", b"(" * 5000, b"-" * 100_000 + b"1"])
def test_what_does_not_parse_has_a_digest(text: bytes) -> None:
    """No file is refused for what is in it: code that is none is digested byte by byte."""
    assert len(source_digest.digest(text)) == 16
    assert source_digest.digest(text) != source_digest.digest(text + b" ")


def test_no_numeric_file_is_forgotten() -> None:
    """All that a numeric file imports of the harness is numeric, or is known not to be."""
    home, files = source_digest.HOME, set(source_digest.core_files())
    aside = {home / name for name in (*source_digest.ASIDE, *BESIDE)}
    for path in files:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("bench."):
                module = home.parent / str(node.module).replace(".", "/")
                named = [module / alias.name for alias in node.names] if module.is_dir() else []
                for found in named or [module]:
                    assert found.with_suffix(".py") in files | aside, f"{path} imports {found}"


BESIDE = (  # of other packages: their values stand in the cell or its record
    "results/local_code.py",
    "spec/plugin.py",  # parameters, which stand in the cell
    "base/machine.py",  # how many threads decode, which changes no pixel
    "base/validation.py",  # words of an error
    "errors.py",
    "registry.py",
    "results/cell_folders.py",  # finds records by name
    "results/record.py",
    "results/store.py",
    "results/weight_files.py",  # compares digests of weights
    "spec/cell.py",
)


def test_what_plugins_import_holds_names_only() -> None:
    """`bench.plugin` is no numeric file, so it defines nothing."""
    plugin = ast.parse((source_digest.HOME / "plugin.py").read_text(encoding="utf-8"))
    kinds = {type(node) for node in plugin.body}

    assert kinds <= {ast.ImportFrom, ast.Import, ast.Expr, ast.Assign}


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the harness, whose sources are digested in place of ours."""
    home = tmp_path / "bench"
    shutil.copytree(source_digest.HOME, home, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(source_digest, "HOME", home)
    declared = home / "results" / source_digest.DECLARED.name
    monkeypatch.setattr(source_digest, "DECLARED", declared)
    return home


def test_the_core_is_the_code_of_its_files(elsewhere: Path) -> None:
    """A comment in a numeric file changes no digest; a constant changes that file's alone."""
    before, trainer = source_digest.numerics(), elsewhere / "train" / "trainer.py"
    text = trainer.read_text(encoding="utf-8")
    trainer.write_text(text + "\n# a comment\n", encoding="utf-8")
    commented = source_digest.numerics()
    trainer.write_text(text.replace("EVAL_BATCH = 500", "EVAL_BATCH = 501"), encoding="utf-8")
    changed = source_digest.numerics()

    assert commented == before
    assert {k for k in changed if before.get(k) != changed[k]} == {"bench/train/trainer.py"}


def test_a_file_that_moves_keeps_every_cell(elsewhere: Path, tiny: Path) -> None:
    """A numeric file moved and renamed, and all that import it after it: the ids are the same."""
    before = [cell.id for cell in plan(tiny).cells]
    (elsewhere / "nn" / "binary").mkdir()
    (elsewhere / "nn" / "sign.py").rename(elsewhere / "nn" / "binary" / "of_sign.py")
    for path in elsewhere.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        moved = text.replace("from bench.nn.sign import", "from bench.nn.binary.of_sign import")
        path.write_text(moved.replace("from bench.nn import sign\n", ""), encoding="utf-8")
    after = [cell.id for cell in plan(tiny).cells]
    (elsewhere / "nn" / "layers.py").unlink()

    assert "bench/nn/binary/of_sign.py" in source_digest.core_code()
    assert after == before
    assert [cell.id for cell in plan(tiny).cells] != before


PLACED = """
from bench.nn.sign import cross, sign as signs
from bench.nn import elementary
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    from bench.spec.cell import Recipe
else:
    EPS = 1
def own(x): return x
def f(x: "Recipe"): return signs(elementary.power(x)) + cross(own(x))
"""
ELSEWHERE = {
    "from another file": PLACED.replace("nn.sign", "nn.binary.of_sign"),
    "under another name": PLACED.replace("signs", "s"),
    "module under another name": PLACED.replace(
        "import elementary", "import elementary as e"
    ).replace("elementary.p", "e.p"),
    "of another module": PLACED.replace("elementary", "layers"),
    "without its module": PLACED.replace("nn import elementary", "nn.powers import power").replace(
        "elementary.power", "power"
    ),
    "other types": PLACED.replace("cell import Recipe", "cell import Cell, Recipe"),
}
OTHERWISE = {
    "another function": PLACED.replace("power(x)", "tanh(x)"),
    "one of its own": PLACED.replace("own(x)", "cross(x)").replace("def cross", "def own"),
    "own where imported": PLACED.replace("cross(own(x))", "own(own(x))"),
    "what runs beside types": PLACED.replace("EPS = 1", "EPS = 2"),
    "from above the core": PLACED.replace("bench.nn.sign", "bench.leaderboard.sign"),
}
TWO = """
from bench.nn.sign import f as g
from bench.nn.layers import f as h
x = g(h(1))
"""


def test_how_a_file_imports_the_harness_is_no_part_of_it(elsewhere: Path) -> None:
    """Names that are imported from elsewhere, or are called otherwise, say the same."""
    digests = {k: source_digest.digest(t.encode(), elsewhere) for k, t in ELSEWHERE.items()}
    placed = source_digest.digest(PLACED.encode(), elsewhere)

    assert digests == dict.fromkeys(ELSEWHERE, placed)
    assert source_digest.digest(PLACED.encode()) != placed


@pytest.mark.parametrize("text", OTHERWISE.values(), ids=OTHERWISE.keys())
def test_what_is_imported_is_told_from_what_is_the_files_own(elsewhere: Path, text: str) -> None:
    """Another function, one of the file's own, an `else` that runs: none goes unnoticed."""
    assert text != PLACED
    placed = source_digest.digest(PLACED.encode(), elsewhere)
    assert source_digest.digest(text.encode(), elsewhere) != placed


def test_equal_names_of_two_modules_are_told_apart(elsewhere: Path) -> None:
    """Which of two functions of one name is called first is no matter of imports."""
    swapped = TWO.replace("g(h(1))", "h(g(1))")

    assert source_digest.digest(TWO.encode(), elsewhere) != source_digest.digest(
        swapped.encode(), elsewhere
    )


def test_the_code_is_the_declared_one() -> None:
    """After a change of the core: `make declare` if no bit changed, `make renew` if numbers did."""
    declared = json.loads(source_digest.DECLARED.read_bytes())

    assert set(source_digest.core_code().values()) == set(declared["code"].values())
    assert source_digest.numerics() == declared["carried"]


@pytest.mark.parametrize(
    ("name", "compiled"),
    [
        *(
            pytest.param(n, False, marks=pytest.mark.slow if n.startswith("method ") else ())
            for n in exact_curves.cases(compiled=False)
        ),
        *(pytest.param(n, True, marks=pytest.mark.slow) for n in exact_curves.cases(compiled=True)),
    ],
)
def test_declared_code_computes_the_golden_bits(name: str, compiled: bool) -> None:
    """Every golden curve is what it was to the last bit, where it was ever seen."""
    if name not in (kept := exact_curves.kept(compiled=compiled)):
        here = exact_curves.environment(compiled=compiled)
        pytest.skip(f"nobody has seen this curve on {here}; `make renew` notes it")

    assert exact_curves.curve(name, compiled=compiled) == kept[name]


def made(**change: object) -> Cell:
    """A cell as it is planned now; `change` replaces fields."""
    ref = Ref(name="ste", params={"clip": 1.0}, source="a" * 16)
    fields = {"numerics": {"bench/data.py": "1", "bench/trainer.py": "2"}, "weights": ref}
    return cell(**(fields | {"activations": ref} | change))


REF = Ref(name="ste", params={"clip": 1.0}, source="b" * 16)
REASONS: dict[str, dict[str, object]] = {
    "bench/trainer.py changed": {"numerics": {"bench/data.py": "1", "bench/trainer.py": "3"}},
    "bench/new.py changed": {"numerics": made().numerics | {"bench/new.py": "1"}},
    "estimators/ste.py changed": {"weights": REF, "activations": REF},
    "backbones/resnet20.py changed": {
        "backbone": Ref(name="resnet20", params={"width": 8}, source="c")
    },
    "version of ste 1 -> 2": {"weights": REF.model_copy(update={"version": 2})},
    f"numeric core {CORE} -> {CORE + 1}": {"core": CORE + 1},
    f"the data changed (fingerprint {'0' * 16} -> {'1' * 16})": {
        "data": DataRef(name="digits", fingerprint="1" * 16)
    },
}


@pytest.mark.parametrize(("reason", "change"), REASONS.items(), ids=REASONS.keys())
def test_every_change_has_its_reason(reason: str, change: dict[str, object]) -> None:
    """Each thing that a cell was made by is told by name, once, and is no part of its key."""
    assert source_digest.changes(made(), made(**change)) == [reason]
    assert made(**change).key == made().key
    assert made(**change).id != made().id


def test_a_cell_older_than_digests_says_so() -> None:
    """What was made before has one reason, keeps its id, and has the key of what is made now."""
    assert source_digest.changes(cell(), made()) == [source_digest.OLD]
    assert cell().key == made().key
    assert "source" not in cell().model_dump_json()
    assert "numerics" not in cell().model_dump_json()


@pytest.mark.parametrize("change", [{"seed": 1}, {"activations": None}, {"recipe": {"epochs": 3}}])
def test_what_a_person_asks_for_is_the_key(change: dict[str, object]) -> None:
    """Cells that mean something else have another key."""
    assert cell(**change).key != cell().key


PLUGIN = '''"""Mine."""

from bench.plugin import Surrogate


class Mine(Surrogate):
    def value(self, z, _, /):
        return z * 0.5
'''


def test_a_plan_knows_its_plugins_files(tiny: Path, tmp_path: Path) -> None:
    """A local plugin's comment keeps every id, a constant changes those of its own cells alone."""
    mine = tmp_path / "plugins" / "mine.py"
    mine.parent.mkdir()
    tiny.write_text(
        tiny.read_text("utf-8").replace("[ste, reste]", "[ste, mine]") + "plugins: [./plugins]\n"
    )
    texts = [PLUGIN, PLUGIN.replace("Mine.", "My own."), PLUGIN.replace("0.5", "0.25")]
    found: list[list[Cell]] = []
    for text in texts:
        mine.write_text(text, encoding="utf-8")
        found.append(plan(tiny).cells)
    first, commented, changed = found

    assert first[0].numerics == source_digest.numerics()
    assert [c.id for c in commented] == [c.id for c in first]
    assert changed[0] == first[0]
    assert source_digest.changes(first[1], changed[1]) == [f"{mine} changed"]
    assert source_digest.drift(first) == [f"{mine} changed"]
    with pytest.raises(UsageError, match=rf"{mine} changed since mine-resnet20-\S+ was planned"):
        source_digest.confirm(first[1])
    source_digest.confirm(changed[1])
    mine.unlink()
    assert source_digest.drift(first) == []  # nobody can tell


PACKAGED = """
from torch import Tensor
from bench.plugin import Surrogate
from .shapes import soft

class Soft(Surrogate):
    formula = "f(z) = tanh 3z"
    kind = "tanh-like"

    def value(self, z: Tensor, _: Tensor, /) -> Tensor:
        return soft(z, 3.0)
"""
SHAPES = (
    "import torch\nfrom deeper import gain\ndef soft(z, t):\n    return torch.tanh(gain * t * z)\n"
)


def installed(home: Path, version: str = "1.0") -> None:
    """A distribution with a package of two modules and a table, and the entry point `soft`."""
    package = home / "curves"
    package.mkdir(exist_ok=True)
    (package / "__init__.py").write_text("")
    (package / "plugin.py").write_text(PACKAGED)
    (package / "shapes.py").write_text("def soft(z, t):\n    return (t * z).tanh()\n")
    (package / "table.json").write_text("[1, 2]")
    info = home / "curves-1.0.dist-info"
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: curves\nVersion: {version}\n")
    (info / "entry_points.txt").write_text("[bench.estimators]\nsoft = curves.plugin:Soft\n")
    importlib.invalidate_caches()


def test_an_installed_plugin_is_its_whole_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A helper, a table and the version are its identity; comments and caches are not."""
    installed(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    first = source_digest.source(ESTIMATORS, "soft")

    def changed(file: str, text: str) -> bool:
        path = tmp_path / "curves" / file
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return source_digest.source(ESTIMATORS, "soft") != first

    assert not changed("shapes.py", "# more\ndef soft(z, t):\n    return (t * z).tanh()\n")
    assert not changed("__pycache__/x.py", "1")
    assert changed("shapes.py", "def soft(z, t):\n    return (2 * t * z).tanh()\n")
    installed(tmp_path)
    assert changed("table.json", "[1, 3]")
    installed(tmp_path)
    assert changed("new.py", "x = 1")
    (tmp_path / "curves" / "new.py").unlink()
    assert source_digest.source(ESTIMATORS, "soft") == first
    installed(tmp_path, version="1.1")
    assert source_digest.source(ESTIMATORS, "soft") != first


@pytest.mark.parametrize("form", ["from shapes import soft", "from .shapes import soft"])
def test_a_file_beside_a_plugin_is_part_of_it(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    """It can be imported, and what it imports from Python's path; a change makes cells stale."""
    home, own = tmp_path / "plugins", tmp_path / "lib"
    for folder in (home, own):
        folder.mkdir()
    (home / "soft.py").write_text(PACKAGED.replace("from .shapes import soft", form))
    (home / "shapes.py").write_text(SHAPES)
    (own / "deeper.py").write_text("gain = 1.0\n")
    monkeypatch.syspath_prepend(own)
    for name in ("shapes", "deeper"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    text = tiny.read_text("utf-8").replace("[ste, reste]", "[ste, soft]") + "plugins: [./plugins]\n"
    tiny.write_text(text)
    _, cell = plan(tiny).cells

    assert "shapes" not in ESTIMATORS.names()
    for file in (home / "shapes.py", own / "deeper.py"):
        before = file.read_text()
        file.write_text(before.replace("1.0", "2.0").replace("t * z", "t + z"))
        assert source_digest.drift([cell]) == [f"{home}/soft.py, or what it imports, changed"]
        file.write_text(before)
        assert source_digest.drift([cell]) == []


def test_an_installed_plugin_is_its_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file behind an entry point is found and not run; without one there is no digest."""
    (tmp_path / "strange_module.py").write_text("raise SystemExit\n", encoding="utf-8")
    info = tmp_path / "strange-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: strange\nVersion: 1.0\n")
    entries = "[bench.estimators]\nodd = strange_module:Mine\ngone = no_such_module.of:Mine\n"
    (info / "entry_points.txt").write_text(entries)
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()

    module = source_digest.digest(b"raise SystemExit\n")
    assert source_digest.source(ESTIMATORS, "odd") == source_digest.digest(
        repr((module, "strange 1.0", [])).encode()
    )
    assert (
        source_digest.source(ESTIMATORS, "gone")
        == source_digest.source(ESTIMATORS, "nothing")
        == ""
    )
    assert (
        source_digest.source(BACKBONES, "resnet20") != source_digest.source(ESTIMATORS, "ste") != ""
    )


def test_a_plugin_is_what_it_uses_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change of a plugin that another one builds changes the digests of both, at any distance."""
    monkeypatch.setattr(ESTIMATORS, "folders", [])
    ESTIMATORS.add_folder(tmp_path)
    mine = 'class Mine(Method):\n    uses: ClassVar[tuple[str, ...]] = ("middle", "top")\n'
    (tmp_path / "top.py").write_text(mine, encoding="utf-8")
    (tmp_path / "middle.py").write_text("class A:\n    uses = ['low', 'gone']\n", encoding="utf-8")
    (tmp_path / "low.py").write_text("x = 1\n", encoding="utf-8")
    (tmp_path / "apart.py").write_text("class B:\n    uses = ()\n", encoding="utf-8")
    names = ("top", "middle", "low", "apart")
    before = [source_digest.source(ESTIMATORS, name) for name in names]

    (tmp_path / "low.py").write_text("x = 2\n", encoding="utf-8")

    after = [source_digest.source(ESTIMATORS, name) for name in names]
    assert [a == b for a, b in zip(before, after, strict=True)] == [False, False, False, True]
    assert before[3] == source_digest.digest((tmp_path / "apart.py").read_bytes())


@pytest.mark.parametrize(
    "text", [b"uses = (", b"class A:\n    uses = other()\n", b"class A:\n    uses = 3, 4\n"]
)
def test_uses_that_cannot_be_read_are_none(text: bytes) -> None:
    """Whatever a stranger's file says of `uses`, nothing is raised and nothing is run."""
    assert source_digest.used(text) == ()
