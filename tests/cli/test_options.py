"""What options of several commands mean."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.base.duration import read_seconds
from bench.cli import settings
from bench.cli.app import app
from bench.cli.options import CellOptions
from bench.errors import UsageError

Bench = Callable[..., tuple[int, str, str]]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("30m", 1800), ("2h", 7200), ("1.5d", 129600), ("5 s", 5), ("2h30m", 9000)],
)
def test_times_are_read_kindly(text: str, seconds: float) -> None:
    """Seconds, minutes, hours and days."""
    assert read_seconds("--timeout", text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "-1", "0", "0m", "h", "9" * 400, "2h30", "nan"])
def test_what_is_no_time_is_refused(ask: Bench, text: str) -> None:
    """With the option's name, and what a time looks like."""
    code, _, err = ask("run", "quickstart", f"--timeout={text}")

    assert code == 2
    assert "--timeout `" in err
    assert "expected a time above 0, as in 90 (seconds), 30m, 2h or 1d" in err


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, []),
        ({"overrides": ["train.epochs=3"], "results": Path("results")}, []),
        (
            {"results": Path("else where"), "filter_": ["seed=0"], "jobs": 2, "compile_": False},
            ["--results", "else where", "--filter", "seed=0", "-j", "2", "--no-compile"],
        ),
        (
            {"device": "cuda", "gpus": "0,1", "slots_per_gpu": "auto", "threads": 2, "workers": 0},
            ["--device", "cuda", "--gpus", "0,1", "--slots-per-gpu", "auto", "--threads", "2",
             "--workers", "0"],
        ),
    ],
)  # fmt: skip
def test_options_are_spelled_as_they_were_given(given: dict[str, Any], words: list[str]) -> None:
    """Those that are not at their defaults, for a command that is shown to be copied."""
    assert CellOptions(Path("quickstart"), **given).words() == words


def test_of_several_filters_all_hold(ask: Bench) -> None:
    """The second narrows the first, and one that is spelled says both."""
    _, both, _ = ask("plan", "quickstart", "-k", "estimator=ste,reste", "-k", "seed=0,1")
    _, one, _ = ask("plan", "quickstart", "--filter", "estimator=ste,reste & seed=0,1")

    assert both == one
    assert "4 cells" in both
    options = CellOptions(Path("quickstart"), filter_=["wa=1/1", "seed=0"])
    assert options.words() == ["--filter", "wa=1/1 & seed=0"]


@pytest.mark.parametrize("given", [{"gpus": "0;1"}, {"slots_per_gpu": "0"}])
def test_what_is_no_number_is_refused(given: dict[str, Any]) -> None:
    """GPUs and slots are numbers, and the option is named."""
    with pytest.raises(UsageError, match=r"^--(gpus|slots-per-gpu) `"):
        CellOptions(Path("quickstart"), **given).where()


def test_one_word_for_one_thing() -> None:
    """What changes results previews by --dry-run; a switch that is on by default is --x/--no-x."""
    program = settings.make_program(app)
    options = {" ".join(words): settings.list_options(command)
               for words, command in settings.list_commands(program)}  # fmt: skip

    for command in ("run", "submit", "merge", "cancel", "gc"):
        assert "dry-run" in options[command]
    names = {name for each in options.values() for name in each}
    assert not [name for name in names if name.startswith("no-")]
    assert not [h for each in options.values() for o in each.values() if "unset" in (h := o.help)]


def test_a_dry_run_begins_nothing(ask: Bench, tiny: Path, tmp_path: Path) -> None:
    """It says which cells would train here."""
    code, text, _ = ask("run", tiny, "--results", tmp_path / "r", "--dry-run", "--unchecked")

    assert code == 0
    assert "2 cells would train here; nothing was begun" in text
    assert not (tmp_path / "r").exists()
