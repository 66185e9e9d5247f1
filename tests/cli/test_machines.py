"""The commands about profiles."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

Bench = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder and a user's configuration of the test's own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("BENCH_MACHINES", raising=False)
    return tmp_path


def test_profiles_are_listed(ask: Bench, home: Path) -> None:
    """Name, engine, place and keys, for people and for programs; else how to write one."""
    assert ask("machines", "list") == (
        0, "no machines.yaml found; `bench machines init` writes one\n", ""
    )  # fmt: skip
    assert json.loads(ask("machines", "list", "--json")[1]) == []
    text = "a: {engine: slurm, partition: gpu, time: 12h, exclude: [n1, n2]}"
    (home / "machines.yaml").write_text(text, encoding="utf-8")

    words = ask("machines", "list")[1].split()
    (one,) = json.loads(ask("machines", "list", "--json")[1])

    assert " ".join(words[-9:]) == (
        "a slurm machines.yaml:1:1 partition gpu, time 12:00:00, exclude n1,n2"
    )
    assert (one["name"], one["where"]) == ("a", "machines.yaml:1:1")
    assert one["profile"]["time_s"] == 43200


def test_what_is_wrong_is_told(ask: Bench, home: Path) -> None:
    """On stderr, with the exit code of wrong usage."""
    (home / "machines.yaml").write_text("a: {engine: slurm, tiem: 1h}", encoding="utf-8")

    assert ask("machines", "list") == (
        2, "", "error: machines.yaml:1:20: a.tiem: unknown key; did you mean `time`?\n"
    )  # fmt: skip
