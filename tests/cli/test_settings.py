"""Options from the environment and the user's file: who goes before whom, and what is wrong."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.cli import settings
from bench.cli.app import app
from bench.cli.misuse import explain_misuse

Ask = Callable[..., tuple[int, str, str]]
PROGRAM = settings.make_program(app)


@pytest.fixture
def write(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], Path]:
    """Write the file of settings."""

    def written(text: str) -> Path:
        path = tmp_path / "c.yaml"
        path.write_text(text, encoding="utf-8")
        monkeypatch.setenv("BENCH_CONFIG", str(path))
        return path

    return written


def test_every_option_has_a_variable_of_its_own() -> None:
    """None is forgotten, and no two options share one, but for those of all commands."""
    named = [
        option.envvar
        for _, command in settings.list_commands(PROGRAM)
        for option in settings.list_options(command).values()
    ]
    own = [name for name in named if name not in {"BENCH_RESULTS", "BENCH_DATA", "BENCH_OFFLINE"}]

    assert all(named)
    assert len(own) == len(set(own))
    assert {"BENCH_RUN_JOBS", "BENCH_DATA_PREPARE_MIRROR", "BENCH_TRACE_FORMAT"} <= set(own)


def test_line_before_environment_before_file(
    ask: Ask, write: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A command's own entry goes before that of all commands, and each before what follows it."""
    results = tmp_path / "there"

    def named(*line: str) -> str:
        return ask("gc", *line)[2]

    write(f"results: {results}0")
    assert f"`{results}0` is no results folder" in named()
    write(f"results: {results}0\ngc: {{results: {results}1}}")
    assert f"`{results}1` is" in named()
    monkeypatch.setenv("BENCH_RESULTS", f"{results}2")
    assert f"`{results}2` is" in named()
    assert f"`{results}3` is" in named("--results", f"{results}3")


def test_what_is_wrong_in_the_file_has_its_place(ask: Ask, write: Callable[[str], Path]) -> None:
    """A line for each: unknown commands and options, near ones named, values of a wrong kind."""
    path = write(
        "leaderboard:\n  format: MDD\n  formt: x\nrun: {jobs: 0, track: 3, device: [cpu, cuda]}\n"
        "lederboard: {a: 1}\nJbos: 3\ndata: {lst: {data: x}}\n"
    )
    code, out, err = ask("gc")
    lines = [line.removeprefix(f"error: {path}:") for line in err.splitlines()]

    assert (code, out) == (2, "")
    assert lines[0].startswith("2:3: leaderboard.format: 'MDD' is not one of 'rich', 'md'")
    assert lines[1:] == [
        "3:3: leaderboard.formt: `bench leaderboard` has no such option; did you mean `format`?",
        "4:7: run.jobs: Input should be greater than or equal to 1",
        "4:26: run.device: expected one value, got a list",
        "5:1: lederboard: no such command; did you mean `leaderboard`?",
        "6:1: Jbos: no such option; did you mean `jobs`?",
        "7:8: data.lst: no such command; did you mean `list`?",
    ]
    assert ask("gc", "-h")[0] == 0  # help is there whatever the file says


@pytest.mark.parametrize("text", ["- a", "3", "a: [", "run: {jobs: 1, jobs: 2}"])
def test_another_file_is_one_error(ask: Ask, write: Callable[[str], Path], text: str) -> None:
    """A list, a number, no YAML, a key twice."""
    path = write(text)
    code, _, err = ask("gc")

    assert code == 2
    assert err.startswith(f"error: {path}")
    assert err.count("\n") == 1


def test_a_file_that_is_named_and_is_not_there(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty one says nothing, a missing one is an error."""
    monkeypatch.setenv("BENCH_CONFIG", "/nowhere.yaml")

    assert ask("gc") == (2, "", "error: BENCH_CONFIG: no file `/nowhere.yaml`\n")


def test_config_tells_what_is_in_force(
    ask: Ask, write: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Values with their places, and variables that mean nothing."""
    path = write("run: {jobs: 2, track: [tensorboard, trackio], compile: false}\n")
    monkeypatch.setenv("BENCH_RUN_RETRIES", "3")
    monkeypatch.setenv("BENCH_RUN_JOBBS", "3")
    code, text, _ = ask("config", "--json")
    found = json.loads(text)
    said = {one["option"]: (one["value"], one["place"]) for one in found["settings"]}

    assert code == 0
    assert found["file"] == str(path)
    assert said["run --retries"] == ("3", "BENCH_RUN_RETRIES")
    assert said["run --jobs"] == ("2", f"{path}:1:7")
    assert said["run --track"][0] == "tensorboard, trackio"
    assert said["run --compile"][0] == "false"
    assert found["unknown"] == [
        {"name": "BENCH_RUN_JOBBS", "hint": "; did you mean `BENCH_RUN_JOBS`?"}
    ]
    assert "run --jobs" in ask("config")[1]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("No such option: --x", "no such option: --x"),
        ("Value error, 'Suites' is not one of 'suite', 'data'.",
         "'Suites' is not one of 'suite', 'data'; did you mean `suite`?"),
        ("bad '-j' (env var: 'BENCH_NONE_JOBS'): no", "bad '-j': no"),
    ],
)  # fmt: skip
def test_what_typer_says_is_one_line(said: str, told: str) -> None:
    """Errors of a line end as others do; near words are found whatever their capitals."""
    assert explain_misuse(said, "bench run") == f"{told}; `bench run -h` tells what there is"
