"""`bench new estimator`: a file that works as it stands."""

from pathlib import Path

import pytest

from bench.cli.new_estimator import write_plugin
from bench.errors import UsageError
from bench.plugin import Estimator
from bench.properties.check import check_estimator
from bench.registry import Registry


def refused(name: str, folder: Path) -> str:
    """The message with which a name is refused, after which no such file is there."""
    before = sorted(folder.rglob("*"))
    with pytest.raises(UsageError) as caught:
        write_plugin(name, folder)
    assert sorted(folder.rglob("*")) == before
    return str(caught.value)


@pytest.mark.parametrize("name", ["mine", "my_own", "Sharp2", "größe", "tensor", "knob", "field"])
def test_a_new_file_works_at_once(name: str, tmp_path: Path) -> None:
    """What is written is found by its name and passes every check, whatever the name."""
    path = write_plugin(name, tmp_path / "new" / "folder")
    registry: Registry[Estimator] = Registry("estimators", "Estimator")
    registry.add_folder(path.parent)
    plugin = registry.load(name)()
    failed = [c for c in check_estimator(plugin).checks if not c.ok]

    assert path == tmp_path / "new" / "folder" / f"{name}.py"
    assert failed == []
    assert plugin.ref(name).params == {"gain": "raw", "t_end": 5.0, "schedule": "linear"}


def test_a_new_file_names_its_class(tmp_path: Path) -> None:
    """The class is called as the file, in capitals, and the docstring starts with its name."""
    text = write_plugin("my_own", tmp_path).read_text(encoding="utf-8")

    assert text.startswith('"""\nmy_own, ')
    assert "\nclass MyOwn(Surrogate):\n" in text


@pytest.mark.parametrize("name", ["", "2fast", "my-own", "a b", "class", "_mine", "a.b", "../x"])
def test_a_name_must_be_a_modules(name: str, tmp_path: Path) -> None:
    """What cannot be imported, or would be hidden, is no name."""
    assert refused(name, tmp_path) == (
        f"`{name}` cannot be a file name to import; use letters, digits and underscores"
    )


def test_a_taken_name_is_refused(tmp_path: Path) -> None:
    """A new estimator never hides one that is there."""
    assert refused("ste", tmp_path) == (
        "the name `ste` is taken by estimators/ste.py; choose another"
    )


def test_a_file_is_never_overwritten(tmp_path: Path) -> None:
    """A file of that name, plugin or not, stays as it is."""
    path = tmp_path / "mine.py"
    path.write_text("# mine\n")

    assert refused("mine", tmp_path) == f"cannot write `{path}`: File exists"
    assert path.read_text() == "# mine\n"


def test_a_folder_must_be_one(tmp_path: Path) -> None:
    """A file in the folder's place is an error of the system in its own words."""
    place = tmp_path / "file"
    place.touch()

    assert refused("mine", place) == f"cannot write `{place / 'mine.py'}`: File exists"
