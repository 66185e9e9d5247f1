"""`bench init`: a suite that runs as it stands."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bench.planning.planner import plan
from bench.spec.cell import Recipe
from bench.spec.suite import Suite
from bench.spec.suite_file import read_question

Bench = Callable[..., tuple[int, str, str]]


@pytest.mark.slow
@pytest.mark.usefixtures("here")
def test_it_plans_and_runs(ask: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Written, planned and run by the commands that it says come next; nothing is left out."""
    monkeypatch.chdir(tmp_path)
    code, out, err = ask("init", "mine")
    assert (code, err) == (0, "")
    assert out == "wrote mine.yaml\nnext: edit it, `bench plan mine.yaml`, `bench run mine.yaml`\n"
    found = plan(Path("mine.yaml"))

    assert len(found.cells) == 15
    assert found.left_out == []
    assert read_question(Path("mine.yaml"))[0].endswith("?")
    small = ("train.epochs=1", "seeds=0", "data={digits: {train: 64, test: 50}}", "-j", "1")
    code, out, err = ask("run", "mine.yaml", "backbones.resnet20.width=2", *small)
    assert (code, err) == (0, "")
    assert "5 of 5 cells recorded." in out


def test_what_is_commented_out_is_sound(ask: Bench, tmp_path: Path) -> None:
    """Its comments name keys of suites, and the lines to take the `#` from are valid, too."""
    path = tmp_path / "mine.yaml"
    assert ask("init", path)[0] == 0
    text = path.read_text(encoding="utf-8")
    lines = text.replace("# exclude:\n#  ", "exclude:\n ").replace("# tune:\n#  ", "tune:\n ")
    path.write_text(lines.replace("\n#   held_out", "\n  held_out"), encoding="utf-8")

    assert plan(path).rows[0].trials
    keys = {line.split(":")[0] for line in text.splitlines() if line[:1].isalpha()}
    assert keys <= set(Suite.model_fields)
    recipe = {line.split(":")[0].strip() for line in text.split("train:\n")[1].splitlines()[:8]}
    assert recipe <= set(Recipe.model_fields)


def test_nothing_is_replaced_unasked(
    ask: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is there stays, unless --force says so."""
    monkeypatch.chdir(tmp_path)
    path = Path("suite.yaml")
    path.write_text("mine\n", encoding="utf-8")
    code, out, err = ask("init")
    assert (code, out) == (2, "")
    assert err == (
        "error: `suite.yaml` is there already; choose another name, or --force replaces it\n"
    )
    assert path.read_text(encoding="utf-8") == "mine\n"
    assert ask("init", "--force")[0] == 0
    assert "estimators:" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["", ".", "..", "a\x1bb"])
def test_a_name_must_be_a_files(
    ask: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """What no suite can be called is refused before anything is written."""
    monkeypatch.chdir(tmp_path)
    code, _, err = ask("init", name)

    assert code == 2
    assert "is no name for a suite; give one as in `bench init mine`" in err
    assert list(tmp_path.iterdir()) == []
