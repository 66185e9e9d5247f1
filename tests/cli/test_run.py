"""`bench run`, and the commands that read what it left, called as people call them."""

import os
import pickle
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import torch
from fakes import TINY

import bench
from bench.execution.journal import journals

Bench = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the tiny suite has run, and stdout of that run."""
    home = tmp_path_factory.mktemp("ran")
    (home / "tiny.yaml").write_text(TINY, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "bench", "run", "tiny.yaml", "-j", "1", "--paths"],
        cwd=home, env={**os.environ, "BENCH_CACHE": str(home / "cache")},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (home / "stdout.txt").write_text(done.stdout, encoding="utf-8")
    return home


def test_run_ends_with_the_leaderboard_and_every_file(ran: Path) -> None:
    """Plain lines without a terminal, the table, `--paths`, and the command that comes next."""
    text = (ran / "stdout.txt").read_text(encoding="utf-8")

    assert "2 cells, 0 recorded, 2 to run" in text
    assert re.search(r"\[2/2\] \w+ seed 0: ok, acc [\d.]+ %, [\d,]+ images/s", text)
    assert "2 of 2 cells recorded." in text
    *_, said, after = text.splitlines()
    assert said == "The table is in results/suites/tiny, the records are in results/cells."
    assert after == "next: bench report tiny.yaml"
    listed: set[Path] = set()
    for line in text.split("files:\n")[1].splitlines()[:-2]:
        folder, braces, names = line.strip().partition("/{")
        listed |= (
            {ran / folder / n for n in names.rstrip("}").split(",")} if braces else {ran / folder}
        )
    there = {p for p in (ran / "results").rglob("[!.]*") if p.is_file()}
    assert listed == there
    assert "\x1b" not in text


def test_running_again_continues(
    ran: Path,
    ask: Bench,
    monkeypatch: pytest.MonkeyPatch,
    torchless: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    """A second run measures nothing and prints the same table; a planned suite needs no torch."""
    monkeypatch.chdir(ran)
    code, out, _ = ask("run", "tiny.yaml")

    assert code == 0
    assert "2 cells, 2 recorded, 0 to run" in out
    monkeypatch.setenv("BENCH_CACHE", str(ran / "cache"))
    again = torchless("run", "tiny.yaml")
    assert (again.returncode, again.stderr) == (0, "")
    assert "2 cells, 2 recorded, 0 to run" in again.stdout
    code, out, _ = ask("plan", "tiny.yaml")
    assert out.count("  recorded  ") == 2


def test_leaderboard_from_disk(ran: Path, ask: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The table is rebuilt in every format; a changed suite is said, another is an error."""
    monkeypatch.chdir(ran)
    for form, word in (
        ("rich", "reste"),
        ("md", "| reste |"),
        ("csv", "reste"),
        ("json", '"reste"'),
    ):
        code, out, err = ask("leaderboard", "tiny.yaml", "--format", form)
        assert (code, err) == (0, "")
        assert word in out
    (ran / "table.csv").write_text(ask("leaderboard", "tiny", "--format", "csv")[1], "utf-8")
    assert set(pd.read_csv(ran / "table.csv")["label"]) == {"ste", "reste"}
    values = [
        ask("leaderboard", "tiny.yaml", "--format", "csv", "--equilibrium", d)[1]
        for d in ("paper", "code", "scale_free")
    ]
    assert len(set(values)) == 3
    (ran / "tiny.yaml").write_text(TINY.replace("lr: 0.1", "lr: 0.2"), encoding="utf-8")
    assert "changed since it ran" in ask("leaderboard", "tiny.yaml")[2]
    (ran / "tiny.yaml").write_text(TINY, encoding="utf-8")
    code, _, err = ask("leaderboard", "tiny.yaml", "train.epochs=9")
    assert code == 2
    assert "run `bench run` on the suite first" in err


def test_weights_are_kept_and_load(ran: Path, ask: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """`bench eval` measures what the record says; `bench.load` gives the trained net."""
    monkeypatch.chdir(ran)
    code, out, _ = ask("eval", "reste")
    model = bench.load("reste")

    assert code == 0
    assert out.count("as recorded") == 2
    assert model(torch.zeros(2, 1, 8, 8)).shape == (2, 10)
    assert not model.training
    assert pickle.loads(pickle.dumps(model))(torch.ones(2, 1, 8, 8)).equal(
        model(torch.ones(2, 1, 8, 8))
    )
    signs = bench.binary_weights(model)
    assert len(signs) == 18
    assert {z for each in signs.values() for z in each.values.unique().tolist()} <= {-1, 0, 1}
    (weights,) = (ran / "results" / "cells").glob("ste-*/last.safetensors")
    (other,) = (ran / "results" / "cells").glob("reste-*/last.safetensors")
    kept = weights.read_bytes()
    weights.write_bytes(other.read_bytes())
    code, out, _ = ask("eval", "ste-")
    weights.write_bytes(kept)
    assert code == 3
    assert "not the ones that were recorded" in out


def test_indicators_in_every_form(ran: Path, ask: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table by default; CSV of every epoch in each definition; curves; how to get histograms."""
    monkeypatch.chdir(ran)
    forms = {
        ask("indicators", "reste", "--format", "csv", "--equilibrium", d)[1]
        for d in ("paper", "code", "scale_free")
    }
    curves = ask("indicators", "reste", "--curves")[1].splitlines()
    code, _, err = ask("indicators", "reste", "--histograms")

    assert "e and s, `paper` definition" in ask("indicators", "reste")[1]
    assert len(forms) == 3
    assert curves[0] == "epoch,train_loss,test_acc,test_top5,lr"
    assert [line.split(",")[0] for line in curves[1:]] == ["0", "1"]
    assert (code, "train.histograms=[0, 9]" in err) == (2, True)


def test_another_suite_of_the_same_name_is_refused(
    ran: Path, ask: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two suites of one file name cannot overwrite each other's table unasked."""
    monkeypatch.chdir(ran)
    other = ran / "other" / "tiny.yaml"
    other.parent.mkdir()
    other.write_text(TINY, encoding="utf-8")
    code, _, err = ask("run", other)

    assert code == 2
    assert "holds the table of `tiny.yaml`, another suite named tiny" in err


@pytest.mark.usefixtures("here")
def test_a_damaged_record_is_kept_and_its_cell_runs_again(
    ran: Path, ask: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A record that cannot be read is named, moved aside, and measured anew."""
    monkeypatch.chdir(ran)
    (path,) = (ran / "results" / "cells").glob("ste-*/record.json")
    whole = path.read_text(encoding="utf-8")
    path.write_text(whole[:1000], encoding="utf-8")
    code, out, err = ask("run", "tiny.yaml")

    assert code == 0
    assert "1 recorded, 1 to run" in out
    assert "runs again; what it was is kept as" in out
    assert "record.json.damaged" in out
    assert not err
    assert path.with_name("record.json.damaged").read_text(encoding="utf-8") == whole[:1000]
    assert path.read_text(encoding="utf-8").split("provenance")[0][:500] == whole[:500]


@pytest.mark.usefixtures("here")
def test_a_diverged_cell_evaluates_its_best(ask: Bench, tmp_path: Path) -> None:
    """The weights that diverged are not measured; the best epoch's, if there is one, agree."""
    (tmp_path / "x.yaml").write_text(TINY.replace("lr: 0.1", "lr: 1.0e+30"), encoding="utf-8")
    results = tmp_path / "results"
    assert ask("run", tmp_path / "x.yaml", "--results", results, "-k", "estimator=ste")[0] == 0
    code, out, err = ask("eval", "ste", "--results", results)

    assert (code, "nothing to measure" in err) == (2, True)
    assert out == ""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow)],
)
def test_an_interrupt_keeps_what_is_measured(tmp_path: Path, number: int, code: int) -> None:
    """Ctrl-C and SIGTERM stop the workers, keep the records, and say how to go on."""
    (tmp_path / "tiny.yaml").write_text(TINY, encoding="utf-8")
    argv = [sys.executable, "-m", "bench", "run", "tiny.yaml", "train.epochs=5000", "-j", "1"]
    process = subprocess.Popen(
        argv, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while not list(tmp_path.rglob("log.txt")):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    os.killpg(process.pid, number)
    _, err = process.communicate(timeout=60)

    assert process.returncode == code
    assert "run again to continue" in err
    assert "Traceback" not in err


@pytest.mark.slow
def test_two_commands_share_a_folder(tmp_path: Path) -> None:
    """At once on one folder: each cell starts once, both print the table, status knows of both."""
    suite = TINY.replace("seeds: [0]", "seeds: [0, 1]").replace("epochs: 2", "epochs: 8")
    (tmp_path / "tiny.yaml").write_text(suite, encoding="utf-8")
    argv = [sys.executable, "-m", "bench", "run", "tiny.yaml", "-j", "1", "--paths"]
    both = [
        subprocess.Popen(argv, cwd=tmp_path, stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    outs = [process.communicate(timeout=300)[0] for process in both]
    found = [[event for _, event in run.read()] for run in journals(tmp_path / "results")]
    starts = [event.cell_id for events in found for event in events if event.kind == "start"]

    assert [process.returncode for process in both] == [0, 0]
    assert all("4 of 4 cells recorded" in text for text in outs)
    assert len(starts) == len(set(starts)) == 4
    assert len(found) == 2
