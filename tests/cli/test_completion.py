"""What Tab offers: in a real bash, and as each shell asks for it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
Bench = Callable[..., tuple[int, str, str]]
Offered = Callable[..., list[str]]


@pytest.fixture
def offered(ask: Bench, monkeypatch: pytest.MonkeyPatch, measured: Path) -> Offered:
    """What bash is offered for the last of some words, beside the measured results."""
    monkeypatch.chdir(measured.parent)

    def call(*words: str) -> list[str]:
        monkeypatch.setenv("_BENCH_COMPLETE", "complete_bash")
        monkeypatch.setenv("COMP_WORDS", "\n".join(["bench", *words]))
        monkeypatch.setenv("COMP_CWORD", str(len(words)))
        code, out, err = ask()
        assert (code, err) == (0, "")
        return out.split()

    return call


@pytest.mark.parametrize(
    ("words", "some"),
    [
        (["ru"], ["run"]),
        (["run", ""], ["quickstart", "table1-mini", "tiny.yaml"]),
        (["plan", "ti"], ["tiny.yaml"]),
        (["run", "quickstart", "train.lr"], ["train.lr=", "train.lr_rule="]),
        (["run", "quickstart", "--track", "t"], ["tensorboard", "trackio"]),
        (["run", "quickstart", "--rerun", "f"], ["failed"]),
        (["check", "r"], ["rbnn", "reste"]),
        (["curve", "ed"], ["ede"]),
        (["show", "backbone", "resnet3"], ["resnet34_imagenet"]),
        (["show", "schedule", "c"], ["cosine"]),
        (["show", "ledger", "rbnn"], ["rbnn-readme"]),
        (["show", "data", "dig"], ["digits"]),
        (["list", "ba"], ["backbones"]),
        (["data", "verify", "cifar100"], ["cifar100"]),
        (["machines", "l"], ["list"]),
        (["run", "quickstart", "--on", "sl"], ["slurm"]),
        (["machines", "check", "ra"], ["ray"]),
        (["power", ""], ["tiny"]),
        (["completion", ""], ["bash", "zsh", "fish"]),
    ],
)
def test_names_are_offered(offered: Offered, words: list[str], some: list[str]) -> None:
    """Commands, suites, plugins, keys and kinds, each where it belongs."""
    found = offered(*words)

    assert set(some) <= set(found)
    assert all(word.startswith(words[-1]) for word in found)


def test_cells_are_offered(offered: Offered, measured: Path) -> None:
    """The cells of the results folder that is named, or of the usual one."""
    slugs = sorted(p.name for p in (measured / "cells").iterdir())
    for command in ("logs", "eval", "indicators", "diff"):
        assert offered(command, "") == slugs
    assert offered("trace", "") == offered("verify", "") == ["tiny", *slugs]
    assert offered("logs", "--results", str(measured), "reste") == slugs[:1]
    assert offered("logs", "--results", "/nowhere", "") == []


def test_plugins_of_a_folder_are_offered(offered: Offered, tmp_path: Path) -> None:
    """`--plugins` counts here too; nothing in it is run."""
    (tmp_path / "mine.py").write_text("raise SystemExit(3)\n", encoding="utf-8")

    assert offered("--plugins", str(tmp_path), "check", "mi") == ["mine"]


@pytest.mark.parametrize(
    "words",
    [["nonsense", ""], ["run", "'"], ["show", "nothing", ""], ["run", "--results", "\x00", ""],
     ["logs", "--results", "\x00", ""], ["--plugins", "\x00", "check", ""]],
)  # fmt: skip
def test_nothing_ends_in_a_traceback(offered: Offered, words: list[str]) -> None:
    """Whatever stands on the line, there are words or none."""
    if "\x00" in words:
        words = [word.replace("\x00", "n" * 5000) for word in words]
    offered(*words)


@pytest.mark.parametrize("words", [["check", "reste"], ["data", "verify", "digits"]])
def test_no_torch_is_imported(words: list[str]) -> None:
    """An answer must not wait for it."""
    code = (
        "import sys; sys.argv = ['bench']\n"
        "from bench.cli.app import main\n"
        "try: main()\n"
        "finally: assert 'torch' not in sys.modules"
    )
    asked = {
        "_BENCH_COMPLETE": "complete_bash",
        "COMP_WORDS": "\n".join(["bench", *words]),
        "COMP_CWORD": str(len(words)),
    }
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **asked},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{words[-1]}\n", "")


def test_a_real_bash_completes(ask: Bench, tmp_path: Path) -> None:
    """Sourced, asked as readline asks it: one candidate, several, and a key without a blank."""
    _, script, _ = ask("completion", "bash")
    (tmp_path / "bench.bash").write_text(script, encoding="utf-8")
    program = tmp_path / "bench"
    program.write_text(
        f"#!/bin/sh\nexec {sys.executable} -c "
        '\'import sys; sys.argv[0] = "bench"; from bench.cli.app import main; main()\' "$@"\n',
        encoding="utf-8",
    )
    program.chmod(0o755)
    asking = """
        source bench.bash
        complete -p bench
        ask() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _bench_completion bench; }
        compopt() { echo "compopt" "$@"; }
        ask bench run quicks; echo "${COMPREPLY[@]}"
        ask bench check rest; echo "${COMPREPLY[@]}"
        ask bench run quickstart train.ep; echo "${COMPREPLY[@]}"
    """
    done = subprocess.run(
        ["bash", "--norc", "-c", asking], cwd=tmp_path, capture_output=True, text=True, check=False,
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)},
    )  # fmt: skip

    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "complete -o default -F _bench_completion bench",
        "quickstart", "reste", "compopt -o nospace", "train.epochs=",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("shell", "asked", "answer"),
    [
        ("zsh", {}, "_arguments '*: :((\"quickstart\"))'\n"),
        ("fish", {"_TYPER_COMPLETE_FISH_ACTION": "get-args"}, "quickstart\n"),
    ],
)
def test_other_shells_are_answered(
    ask: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
    shell: str, asked: dict[str, str], answer: str,
) -> None:  # fmt: skip
    """Their scripts ask as this test does, in what they understand."""
    _, script, _ = ask("completion", shell)
    assert f"_BENCH_COMPLETE=complete_{shell}" in script
    assert all(name in script for name in ("_TYPER_COMPLETE_ARGS", *asked))
    if program := shutil.which(shell):
        path = tmp_path / "script"
        path.write_text(script, encoding="utf-8")
        subprocess.run([program, "-n", path], check=True)
    for name, value in {"_BENCH_COMPLETE": f"complete_{shell}", **asked}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("_TYPER_COMPLETE_ARGS", "bench run quicks")

    assert ask() == (0, answer, "")
