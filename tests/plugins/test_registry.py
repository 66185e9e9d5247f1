"""Plugins found by name: in the package, in folders, in other distributions, broken or not."""

import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

import bench
from bench.base.local_modules import import_file
from bench.base.python_files import shipped
from bench.cli import catalogue
from bench.errors import PluginError
from bench.plugin import Backbone, Estimator
from bench.registry import BACKBONES, ESTIMATORS, Registry

BUILT_IN = sorted(path.stem for path in shipped("estimators").glob("[!_]*.py"))
GOOD = """
from bench.plugin import Surrogate

class Mine(Surrogate):
    formula = "f(z) = z"
    kind = "identity function"
    gain: float = 1.0

    def value(self, z, _, /):
        return z
"""
NET = """
from bench.plugin import Backbone

class Net(Backbone):
    def build(self, num_classes, channels, layers):
        return layers.conv(channels, num_classes, 1)
"""
ABSTRACT = GOOD.replace("def value", "def other")


@pytest.fixture
def registry(tmp_path: Path) -> Registry[Estimator]:
    """The estimators, and those of an own folder, `tmp_path`."""
    found: Registry[Estimator] = Registry("estimators", "Estimator")
    found.add_folder(tmp_path)
    return found


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that the command's own registries look into, for one test."""
    for known in (ESTIMATORS, BACKBONES):
        monkeypatch.setattr(known, "folders", [tmp_path.resolve()])
        monkeypatch.setattr(known, "_loaded", {})
    return tmp_path


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of installed distributions."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    yield folder
    for path in folder.glob("*.py"):
        sys.modules.pop(path.stem, None)
    importlib.invalidate_caches()


def install(site: Path, name: str, entry_points: str) -> None:
    """A distribution with one module of its own name and these entry points."""
    (site / f"{name}.py").write_text(GOOD)
    info = site / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(entry_points)
    importlib.invalidate_caches()


def refused(registry: Registry[Estimator], name: str) -> str:
    """The message with which a plugin is refused."""
    with pytest.raises(PluginError) as caught:
        registry.load(name)
    return str(caught.value)


def test_a_file_of_the_package_is_a_plugin() -> None:
    """The shipped estimators and backbones are found by their files' names."""
    assert [name for name in ESTIMATORS.names() if "@" not in name] == BUILT_IN
    assert ESTIMATORS.load("ede").__module__ == "bench.shipped.estimators.ede"
    assert issubclass(BACKBONES.load("resnet20"), Backbone)


def test_an_unknown_name_is_answered_with_a_near_one(registry: Registry[Estimator]) -> None:
    """A name that no plugin has is an error that suggests one."""
    assert refused(registry, "edee") == "no `edee` in estimators; did you mean `ede`?"
    assert refused(registry, "x").startswith(f"no `x` in estimators; known: {BUILT_IN[0]}, ")
    assert refused(registry, "x").endswith(f", ... ({len(BUILT_IN)} in all)")
    assert refused(registry, "ReSTE") == "no `ReSTE` in estimators; did you mean `reste`?"


def test_a_file_in_a_folder_is_a_plugin(registry: Registry[Estimator], tmp_path: Path) -> None:
    """A local file is an estimator without being registered anywhere, with parameters."""
    (tmp_path / "mine.py").write_text(GOOD)
    plugin = registry.build("mine", {"gain": 2})

    assert registry.origins()["mine"].place == str(tmp_path / "mine.py")
    assert plugin.ref("mine").params == {"gain": 2.0}
    assert registry.load("mine") is type(plugin)


def test_a_parameter_is_checked(registry: Registry[Estimator], tmp_path: Path) -> None:
    """What a plugin does not declare, it does not take."""
    (tmp_path / "mine.py").write_text(GOOD)

    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        registry.build("mine", {"loss": 2})


def test_plugins_beside_the_user_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files in `./estimators` and `./backbones` are plugins wherever the command runs."""
    for folder, text in (("estimators", GOOD), ("backbones", NET)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "local.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    found: Registry[Estimator] = Registry("estimators", "Estimator")
    nets: Registry[Backbone] = Registry("backbones", "Backbone")

    assert found.names() == sorted([*BUILT_IN, "local"])
    assert found.load("local").__name__ == "Mine"
    assert nets.load("local").__name__ == "Net"


def test_a_distribution_brings_plugins(registry: Registry[Estimator], site: Path) -> None:
    """An entry point names a class or a module that has one, and is a plugin once installed."""
    install(site, "strange", "[bench.estimators]\none = strange:Mine\ntwo = strange\n")
    origins = registry.origins()

    assert origins["one"].place == "entry point strange:Mine"
    assert registry.load("one") is registry.load("two")
    assert registry.load("one").__module__ == "strange"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("strange:Other", "must define one Estimator, found 0"),
        ("strange:sys", "must define one Estimator, found 0"),
        ("nowhere:X", "ModuleNotFoundError: No module named 'nowhere'"),
    ],
)
def test_a_broken_entry_point_is_an_error(
    registry: Registry[Estimator], site: Path, value: str, message: str
) -> None:
    """An entry point that leads to no plugin says so when it is used, and is listed."""
    install(site, "strange", f"[bench.estimators]\nodd = {value}\n")

    assert refused(registry, "odd") == f"entry point {value}: {message}"
    assert registry.names() == sorted([*BUILT_IN, "odd"])


def test_a_distribution_cannot_take_a_name(registry: Registry[Estimator], site: Path) -> None:
    """An entry point called like a shipped estimator never stands in for it."""
    install(site, "strange", "[bench.estimators]\nste = strange:Mine\n")

    assert registry.load("ste").__module__ == "bench.shipped.estimators.ste"
    assert refused(registry, "ste@entry point strange:Mine") == (
        "entry point strange:Mine: its name is taken by estimators/ste.py; rename it"
    )


@pytest.mark.slow
def test_a_package_on_the_path_takes_no_name(tmp_path: Path) -> None:
    """`estimators`, `backbones` and `suites` of a project are not ours, whatever the path."""
    for folder in ("estimators", "backbones", "suites"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "__init__.py").write_text("raise SystemExit(folder)\n")
    (tmp_path / "estimators" / "ste.py").write_text(GOOD)
    code = (
        "from bench.registry import ESTIMATORS; from bench.spec.suite_file import find_suite; "
        "from pathlib import Path; print(ESTIMATORS.load('ste').formula, len(ESTIMATORS.names()), "
        "[n for n in ESTIMATORS.names() if '@' in n], find_suite(Path('table3')).is_file())"
    )
    home = str(Path(bench.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60,
        cwd=tmp_path, env={"PYTHONPATH": f"{tmp_path}:{home}", "PATH": "/usr/bin:/bin"},
    )  # fmt: skip

    taken = [f"ste@{tmp_path}/estimators/ste.py"]
    assert done.stdout == f"f(z) = z {len(BUILT_IN) + 1} {taken} True\n"


def test_a_reserved_name_is_refused(registry: Registry[Estimator], tmp_path: Path) -> None:
    """`none` means full precision, so a file of that name is listed with the reason."""
    (tmp_path / "none.py").write_text(GOOD)

    assert refused(registry, f"none@{tmp_path}/none.py") == (
        f"{tmp_path}/none.py: `none` means full precision in suites; rename it"
    )


def test_of_two_modules_of_one_name_none_is_taken_unseen(
    registry: Registry[Estimator], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file beside a plugin is refused by name where another folder has one of that name."""
    text = GOOD.replace("class", "import sameshape\n\nclass")
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "sameshape.py").write_text(f"x = {folder!r}\n")
        (tmp_path / folder / f"use_{folder}.py").write_text(text)
        registry.add_folder(tmp_path / folder)
    monkeypatch.delitem(sys.modules, "sameshape", raising=False)

    assert registry.load("use_one").__name__ == "Mine"
    assert refused(registry, "use_two").endswith(
        f"`sameshape` is {tmp_path}/one/sameshape.py and not the file beside it; rename that, or "
        "write `from .sameshape import ...`"
    )


def test_two_distributions_cannot_share_a_name(registry: Registry[Estimator], site: Path) -> None:
    """Of two entry points with one name, one is used and the other is told to be renamed."""
    install(site, "strange", "[bench.estimators]\nodd = strange:Mine\n")
    install(site, "stranger", "[bench.estimators]\nodd = stranger:Mine\n")
    problems = [origin.problem for origin in registry.origins().values() if origin.problem]

    assert len(problems) == 1
    assert problems[0].startswith("its name is taken by entry point strange")


def test_a_file_cannot_take_a_name(registry: Registry[Estimator], tmp_path: Path) -> None:
    """A local file called like a shipped estimator is listed with the reason, and never used."""
    (tmp_path / "ste.py").write_text(GOOD)

    assert registry.load("ste").__module__ == "bench.shipped.estimators.ste"
    assert refused(registry, f"ste@{tmp_path}/ste.py") == (
        f"{tmp_path}/ste.py: its name is taken by estimators/ste.py; rename it"
    )


def test_the_first_folder_keeps_a_name(registry: Registry[Estimator], tmp_path: Path) -> None:
    """Two folders with one file name: the first is used, the second is told to be renamed."""
    (tmp_path / "mine.py").write_text(GOOD)
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "mine.py").write_text(GOOD)
    registry.add_folder(tmp_path / "more")
    registry.add_folder(tmp_path / "more" / ".." / "more")

    assert registry.origins()["mine"].file == tmp_path / "mine.py"
    assert [name for name in registry.names() if name.startswith("mine")] == [
        "mine",
        f"mine@{tmp_path}/more/mine.py",
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("1/0", "ZeroDivisionError: division by zero"),
        ("import sys; sys.exit('bye')", "SystemExit: bye"),
        ("class (:", "SyntaxError: invalid syntax (odd.py, line 1)"),
        ("import torchh", "ModuleNotFoundError: No module named 'torchh'"),
        ("", "must define one Estimator, found 0"),
        (GOOD + GOOD.replace("Mine", "More"), "must define one Estimator, found 2"),
        (ABSTRACT, "Mine does not define value"),
        (GOOD.replace("gain: float", "gain: Flaot"), "NameError: name 'Flaot' is not defined"),
    ],
    ids=["raises", "exits", "syntax", "import", "empty", "two", "abstract", "name"],
)
def test_a_broken_file_breaks_only_itself(shared: Path, text: str, problem: str) -> None:
    """Whatever a file does when imported, it is listed with the reason and all others work."""
    (shared / "odd.py").write_text(text)
    (shared / "mine.py").write_text(GOOD)
    listed = {name: (line, broken) for name, line, broken in catalogue.list_entries("estimator")}

    assert refused(ESTIMATORS, "odd") == f"{shared}/odd.py: {problem}"
    assert listed["odd"] == (f"broken: {shared}/odd.py: {problem}", True)
    assert [name for name, (_, broken) in listed.items() if not broken] == sorted(
        [*BUILT_IN, "mine"]
    )


def test_a_class_may_have_two_names(registry: Registry[Estimator], tmp_path: Path) -> None:
    """One class is one plugin, by however many names its file calls it."""
    (tmp_path / "mine.py").write_text(f"{GOOD}\nOther = Mine\n")

    assert registry.load("mine").__name__ == "Mine"


def test_a_name_is_listed_without_an_import(registry: Registry[Estimator], tmp_path: Path) -> None:
    """Names come from files: no plugin runs to be listed, and private files are none."""
    (tmp_path / "loud.py").write_text("raise RuntimeError")
    (tmp_path / "_private.py").write_text(GOOD)
    (tmp_path / "notes.txt").touch()

    assert registry.names() == sorted([*BUILT_IN, "loud"])


def test_listing_imports_no_torch() -> None:
    """The names of all plugins are there before the seconds that torch takes to import."""
    code = (
        "import sys; from bench.registry import ESTIMATORS; "
        "print(ESTIMATORS.names(), 'torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )

    assert done.stdout == f"{BUILT_IN} False\n"


def test_a_file_is_imported_once(registry: Registry[Estimator], tmp_path: Path) -> None:
    """One name is one class, so that configured plugins compare equal."""
    (tmp_path / "mine.py").write_text(GOOD)

    assert registry.load("mine") is registry.load("mine")
    assert registry.build("mine", {}) == registry.build("mine", {"gain": 1})


def test_an_edit_within_a_second_is_heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was compiled of a file before is not run, though neither second nor size differs."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    file, found = tmp_path / "own.py", list[int]()
    for x in (1, 2):
        file.write_text(f"x = {x}\n", encoding="utf-8")
        os.utime(file, (0, 0))
        found.append(import_file(file).x)

    assert found == [1, 2]


@pytest.mark.parametrize("what", ["a pipe", "/dev/zero", "itself", "a folder"])
def test_what_is_no_file_is_broken(
    registry: Registry[Estimator], tmp_path: Path, what: str
) -> None:
    """A pipe, a device, a folder or a circle of the name of a plugin is listed, and never read."""
    path = tmp_path / "mine.py"
    match what:
        case "a pipe":
            os.mkfifo(path)
        case "a folder":
            path.mkdir()
        case _:
            path.symlink_to(path if what == "itself" else what)

    assert "mine" in registry.names()
    assert "mine.py" in refused(registry, "mine")


def test_a_file_that_was_broken_leaves_nothing_behind(
    registry: Registry[Estimator], tmp_path: Path
) -> None:
    """A file that is mended works without starting again."""
    path = tmp_path / "mine.py"
    path.write_text("1/0")
    refused(registry, "mine")
    path.write_text(GOOD)

    assert registry.load("mine").__name__ == "Mine"


def test_a_local_backbone_is_no_estimator(shared: Path) -> None:
    """A local file is offered as what it holds, and not as a broken plugin of the other kind."""
    (shared / "odd.py").write_text(NET)

    assert "odd" in BACKBONES.names()
    assert "odd" not in ESTIMATORS.names()
