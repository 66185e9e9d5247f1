"""The command line, called as people call it."""

import contextlib
import io
import os
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
from rich.console import Console

import bench
from bench import __main__
from bench.cli import catalogue_text, streams
from bench.cli.app import main
from bench.cli.streams import UNBOUND
from bench.run.journal import journals

Bench = Callable[..., tuple[int, str, str]]


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Bench:
    """Call `bench` in this process; returns exit code, stdout and stderr."""

    def call(*args: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["bench", *map(str, args)])
        monkeypatch.setattr(streams.out, "_width", UNBOUND)
        with pytest.raises(SystemExit) as stop:
            main()
        text = capsys.readouterr()
        code = stop.value.code
        return (code if isinstance(code, int) else 0), text.out, text.err

    return call


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the tiny suite has run, and stdout of that run."""
    home = tmp_path_factory.mktemp("ran")
    (home / "tiny.yaml").write_text(TINY, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "bench", "run", "tiny.yaml", "-j", "1"],
        cwd=home, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (home / "stdout.txt").write_text(done.stdout, encoding="utf-8")
    return home


def test_run_ends_with_the_leaderboard_and_every_file(ran: Path) -> None:
    """Plain lines without a terminal, then the table, then the path of every file written."""
    text = (ran / "stdout.txt").read_text(encoding="utf-8")

    assert "2 cells, 0 recorded, 2 to run" in text
    assert re.search(r"\[2/2\] \w+ seed 0: ok, acc [\d.]+ %, [\d,]+ images/s", text)
    assert "2 of 2 cells recorded." in text
    listed: set[Path] = set()
    for line in text.split("files:\n")[1].splitlines():
        folder, braces, names = line.strip().partition("/{")
        listed |= (
            {ran / folder / n for n in names.rstrip("}").split(",")} if braces else {ran / folder}
        )
    there = {p for p in (ran / "results").rglob("[!.]*") if p.is_file()}
    assert listed == there
    assert "\x1b" not in text


def test_running_again_continues(ran: Path, cli: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second run measures nothing and prints the same table."""
    monkeypatch.chdir(ran)
    code, out, _ = cli("run", "tiny.yaml")

    assert code == 0
    assert "2 cells, 2 recorded, 0 to run" in out
    code, out, _ = cli("plan", "tiny.yaml")
    assert out.count("  recorded  ") == 2


def test_an_encoding_that_lacks_a_sign_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where stdout is ASCII, what it cannot hold is a question mark, and nothing is raised."""
    ascii_ = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", ascii_)
    monkeypatch.setattr(sys, "argv", ["bench", "show", "schedule", "power"])
    with contextlib.suppress(SystemExit):
        main()
    ascii_.seek(0)

    assert ascii_.read().startswith("power(p) = start + p? (end - start)")


def test_leaderboard_from_disk(ran: Path, cli: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The table is rebuilt in every format; a changed suite is said, another is an error."""
    monkeypatch.chdir(ran)
    for form, word in (
        ("rich", "reste"),
        ("md", "| reste |"),
        ("csv", "reste"),
        ("json", '"reste"'),
    ):
        code, out, err = cli("leaderboard", "tiny.yaml", "--format", form)
        assert (code, err) == (0, "")
        assert word in out
    (ran / "table.csv").write_text(cli("leaderboard", "tiny", "--format", "csv")[1], "utf-8")
    assert set(pd.read_csv(ran / "table.csv")["label"]) == {"ste", "reste"}
    values = [
        cli("leaderboard", "tiny.yaml", "--format", "csv", "--equilibrium", d)[1]
        for d in ("paper", "code", "scale_free")
    ]
    assert len(set(values)) == 3
    changed = ran / "sub" / "tiny.yaml"
    changed.parent.mkdir(exist_ok=True)
    changed.write_text(TINY.replace("lr: 0.1", "lr: 0.2"), encoding="utf-8")
    assert "changed since it ran" in cli("leaderboard", changed)[2]
    code, _, err = cli("leaderboard", "tiny.yaml", "train.epochs=9")
    assert code == 2
    assert "run `bench run` on the suite first" in err


def test_weights_are_kept_and_load(ran: Path, cli: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """`bench eval` measures what the record says; `bench.load` gives the trained net."""
    monkeypatch.chdir(ran)
    code, out, _ = cli("eval", "reste")
    model = bench.load("reste")

    assert code == 0
    assert out.count("as recorded") == 2
    assert model(torch.zeros(2, 1, 8, 8)).shape == (2, 10)
    assert not model.training
    (weights,) = (ran / "results" / "cells").glob("ste-*/last.safetensors")
    (other,) = (ran / "results" / "cells").glob("reste-*/last.safetensors")
    kept = weights.read_bytes()
    weights.write_bytes(other.read_bytes())
    code, out, _ = cli("eval", "ste-")
    weights.write_bytes(kept)
    assert code == 3
    assert "not the ones that were recorded" in out


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (("run", "nowhere.yaml"), 2, "no suite at `nowhere.yaml`"),
        (("plan", "quickstrat"), 2, "did you mean `quickstart`?"),
        (("plan", "quickstart", "train.epoch=3"), 2, "unknown key; did you mean `epochs`?"),
        (("plan", "quickstart", "-k", "estimator=rest"), 4, "did you mean `reste`?"),
        (("plan", "quickstart", "-k", "estmator=ste"), 2, "no key `estmator`"),
        (("run", "quickstart", "--gpus", "a"), 2, "--gpus `a`: expected numbers"),
        (("run", "quickstart", "--device", "gpu"), 2, "expected auto, cpu, cuda or cuda:N"),
        (("run", "quickstart", "--device", "cuda:99"), 5, "GPU 99 asked for"),
        (("plan", "cifar10-partial", "--data", "/nowhere"), 5, "data prepare cifar10"),
        (("check", "rest"), 2, "no `rest` in estimators; did you mean `reste`?"),
        (("check",), 2, "name an estimator, or give --all"),
        (("check", "reste", "o_ned=10"), 2, "reste: o_ned: unknown key; did you mean `o_end`?"),
        (("check", "reste", "m=0", "--study"), 2, "reste: m: must be greater than 0, got 0"),
        (("check", "ste", "clip=[", "--definition", "p"), 2, "not YAML"),
        (("check", "reste", "dsq", "m=1"), 2, "m: parameters of which estimator? name one, not 2"),
        (("check", "--all", "m=1"), 2, "m: parameters of which estimator? name one, not 0"),
        (("check", "reste", "=3"), 2, "`=3`: expected KEY=VALUE, as in o_end=10"),
        (("check", "reste", "m=1", "m=2"), 2, "`m=2`: m is given twice"),
        (("show", "schedule", "cosin"), 2, "did you mean `cosine`?"),
        (("eval", "nothing", "--results", "/nowhere"), 2, "`/nowhere` is no results folder"),
        (("data", "verify", "digit"), 2, "did you mean `digits`?"),
        (("curve", "rest"), 2, "no `rest` in estimators; did you mean `reste`?"),
        (("curve", "reste", "o_edn=10"), 2, "reste: o_edn: unknown key; did you mean `o_end`?"),
        (("curve", "reste", "o_end"), 2, "`o_end`: expected KEY=VALUE, as in gain=raw"),
        (("curve", "reste", "o_end=[1"), 2, "not YAML"),
        (("curve", "reste", "o_end=0"), 2, "reste: o_end: must be greater than or equal to 1"),
        (("curve", "ste", "--at", "0,2"), 2, "--at `0,2`: expected numbers from 0 to 1"),
        (("curve", "ste", "--at", "start"), 2, "--at `start`: expected numbers from 0 to 1"),
        (("curve", "ste", "--from", "2"), 2, "--from 2 --to 2: expected finite numbers"),
        (("curve", "ste", "--to", "inf"), 2, "--from -2 --to inf: expected finite numbers"),
        (("indicators", "x", "--curves", "--histograms"), 2, "ask for one of them"),
        (("indicators", "x", "--curves", "--format", "csv"), 2, "ask for one of them"),
        (("gc", "--results", "/nowhere"), 2, "`/nowhere` is no results folder"),
        (("run", "quickstart", "--rerun", "x y"), 2, "--rerun `x y` names 0 cells of this suite"),
        (("new", "estimator", "ste"), 2, "the name `ste` is taken"),
        (("new", "estimator", "my-est"), 2, "cannot be a file name to import"),
    ],
)  # fmt: skip
def test_errors_are_one_clear_line(
    cli: Bench, args: tuple[str, ...], code: int, message: str
) -> None:
    """Whatever is wrong, there is one line that says what and what to do, and no traceback."""
    found, _, err = cli(*args)

    assert found == code
    assert message in err
    assert "Traceback" not in err


def test_usage_errors_exit_with_2() -> None:
    """An unknown option is the shell's business: usage and exit code 2."""
    done = subprocess.run(
        [sys.executable, "-m", "bench", "run", "--no-such-option"], capture_output=True, check=False
    )

    assert done.returncode == 2
    assert b"No such option" in done.stderr
    assert b"Traceback" not in done.stderr


def test_lists(cli: Bench) -> None:
    """Everything there is can be listed, with its formula or its question."""
    assert "f(z) = sign(z) |z|^(1/o)" in cli("list", "estimators")[1]
    assert "resnet20" in cli("list", "backbones")[1]
    assert "start (end/start)^p" in cli("list", "schedules")[1]
    assert "Which gradient estimator" in cli("list", "suites")[1]
    assert re.search(r"digits \(8x8\): 1,\d+ train, 35\d test", cli("data", "list")[1])
    assert "fingerprint" in cli("data", "verify", "digits")[1]


def test_a_twin_stands_behind_its_suite(cli: Bench) -> None:
    """Suites are sorted by name, a line each."""
    names = [line.split()[0] for line in cli("list", "suites")[1].splitlines()]

    assert names == sorted(names)
    assert names.index("table1-mini") == names.index("table1") + 1


class Terminal(io.StringIO):
    """A file that says it is one."""

    def isatty(self) -> bool:
        return True


def test_a_terminal_wraps_under_the_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is longer than the terminal is wide goes on under its own column, a name does not."""
    screen = Terminal()
    monkeypatch.setattr(sys, "argv", ["bench", "list", "suites"])
    monkeypatch.setattr(catalogue_text, "out", Console(file=screen, width=60, color_system=None))
    with pytest.raises(SystemExit):
        main()
    lines = [line.rstrip() for line in screen.getvalue().splitlines()]
    column = len("appendix-table1-mini") + 2

    assert max(map(len, lines)) <= 60
    assert any(line.startswith(" " * column) for line in lines)
    assert all(line[column - 2 : column] == "  " and line[column] != " " for line in lines)


def test_curve_writes_csv(cli: Bench) -> None:
    """Columns p, knob, z, f, df on stdout and nothing else."""
    code, out, err = cli(
        "curve", "reste", "--at", "0", "--from", "-1", "--to", "1", "--points", "3"
    )

    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "p,knob,z,f,df", "0.0,1.0,-1.0,-1.0,1.0", "0.0,1.0,0.0,0.0,1.0", "0.0,1.0,1.0,1.0,1.0",
    ]  # fmt: skip
    assert cli("curve", "rbnn", "--role", "A")[1] != cli("curve", "rbnn")[1]


def test_indicators_in_every_form(ran: Path, cli: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table by default; CSV of every epoch in each definition; curves; how to get histograms."""
    monkeypatch.chdir(ran)
    forms = {
        cli("indicators", "reste", "--format", "csv", "--equilibrium", d)[1]
        for d in ("paper", "code", "scale_free")
    }
    curves = cli("indicators", "reste", "--curves")[1].splitlines()
    code, _, err = cli("indicators", "reste", "--histograms")

    assert "e and s, `paper` definition" in cli("indicators", "reste")[1]
    assert len(forms) == 3
    assert curves[0] == "epoch,train_loss,test_acc,test_top5,lr"
    assert [line.split(",")[0] for line in curves[1:]] == ["0", "1"]
    assert (code, "train.histograms=[0, 9]" in err) == (2, True)


def test_show(cli: Bench) -> None:
    """A schedule shows its formula, a plugin its rule block and its parameters."""
    assert "exp(p) = start (end/start)^p" in cli("show", "schedule", "exp")[1]
    text = cli("show", "estimator", "reste")[1]
    assert "Reference: Wu et al." in text
    assert "o_end" in text
    text = cli("show", "backbone", "resnet20")[1]
    assert "option A" in text
    assert "\n  width       16       integer, at least 2, multiple of 2\n" in text
    assert "\n  order       relu_bn  relu_bn | bn_hardtanh | bn_prelu\n" in text
    assert "\n  bireal      false    true | false\n" in text
    assert "Never flipped" in cli("show", "data", "digits")[1]


def test_a_new_estimator_is_there_at_once(
    cli: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`bench new` writes a file that is listed, checked and trained as it stands."""
    monkeypatch.chdir(tmp_path)
    assert cli("new", "estimator", "mine")[0] == 0
    (tmp_path / "estimators" / "broken.py").write_text("import nothing_at_all", "utf-8")
    _, listed, _ = cli("list", "estimators")

    assert re.search(r"^mine\s+f\(z\) = tanh\(tz\)", listed, re.MULTILINE)
    assert re.search(r"^broken\s+broken: .*No module named 'nothing_at_all'", listed, re.MULTILINE)
    code, out, _ = cli("check", "mine")
    assert code == 0
    assert "not rational" in out
    code, out, _ = cli("check", "--all")
    assert code == 3
    assert "reste: f(z)" in out
    (tmp_path / "x.yaml").write_text(TINY.replace("[ste, reste]", "[ste, mine]"), encoding="utf-8")
    assert "mine x resnet20" in cli("plan", "x.yaml")[1]


def test_plugins_of_ones_own_from_anywhere(cli: Bench, tmp_path: Path) -> None:
    """--plugins makes a folder's estimators known to every command; a wrong one is an error."""
    folder = tmp_path / "far"
    out = cli("new", "estimator", "distant", "--into", folder)[1]
    assert f"bench --plugins {folder} check distant" in out
    assert cli("--plugins", folder, "check", "distant")[0] == 0
    assert "distant" in cli("list", "estimators")[1]
    assert "no folder" in cli("--plugins", tmp_path / "nowhere", "list", "estimators")[2]


@pytest.mark.usefixtures("here")
def test_a_diverged_cell_evaluates_its_best(cli: Bench, tmp_path: Path) -> None:
    """The weights that diverged are not measured; the best epoch's, if there is one, agree."""
    (tmp_path / "x.yaml").write_text(TINY.replace("lr: 0.1", "lr: 1.0e+30"), encoding="utf-8")
    results = tmp_path / "results"
    assert cli("run", tmp_path / "x.yaml", "--results", results, "-k", "estimator=ste")[0] == 0
    code, out, err = cli("eval", "ste", "--results", results)

    assert (code, "nothing to measure" in err) == (2, True)
    assert out == ""


def test_another_suite_of_the_same_name_is_refused(
    ran: Path, cli: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two suites of one file name cannot overwrite each other's table unasked."""
    monkeypatch.chdir(ran)
    other = ran / "other" / "tiny.yaml"
    other.parent.mkdir()
    other.write_text(TINY, encoding="utf-8")
    code, _, err = cli("run", other)

    assert code == 2
    assert "holds the table of `tiny.yaml`, another suite named tiny" in err


@pytest.mark.usefixtures("here")
def test_a_damaged_record_is_kept_and_its_cell_runs_again(
    ran: Path, cli: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A record that cannot be read is named, moved aside, and measured anew."""
    monkeypatch.chdir(ran)
    (path,) = (ran / "results" / "cells").glob("ste-*/record.json")
    whole = path.read_text(encoding="utf-8")
    path.write_text(whole[:1000], encoding="utf-8")
    code, out, err = cli("run", "tiny.yaml")

    assert code == 0
    assert "1 recorded, 1 to run" in out
    assert "runs again; what it was is kept as" in out
    assert "record.json.damaged" in out
    assert not err
    assert path.with_name("record.json.damaged").read_text(encoding="utf-8") == whole[:1000]
    assert path.read_text(encoding="utf-8").split("provenance")[0][:500] == whole[:500]


def test_check_prints_verdicts_and_witnesses(cli: Bench) -> None:
    """For ReSTE: all checks hold, rational and flexible as printed, little flexible in use."""
    code, out, _ = cli("check", "reste", "dsq")

    assert code == 0
    assert "knob: o: 1 → 3, cosine; identity end 1, sign end inf" in out
    assert "printed formula (definition P): rational, flexible" in out
    assert "as it trains: rational, little flexible" in out
    assert "sign is not reached as o → inf: f(0.05) stays 0.5 away" in out
    assert "knob: α, learned from 0.2, visits [0.001, 0.499]; identity end 0.5, sign end 0" in out


def test_a_check_that_fails_exits_with_3(
    cli: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slope that is not the derivative of value is found, with the z where."""
    monkeypatch.chdir(tmp_path)
    cli("new", "estimator", "wrong")
    path = tmp_path / "estimators" / "wrong.py"
    text = path.read_text(encoding="utf-8")
    path.write_text(
        text + "\n    def slope(self, z: Tensor, t: Tensor, /) -> Tensor:\n        return t * z\n",
        encoding="utf-8",
    )
    code, out, _ = cli("check", "wrong")

    assert code == 3
    assert re.search(r"FAIL slope is the derivative of value +W, p = 0.0, z = .*: slope", out)


def test_schema_goes_to_a_file(cli: Bench, tmp_path: Path) -> None:
    """The schema is written where it is asked for, or to stdout."""
    assert cli("schema", "-o", tmp_path / "s.json")[0] == 0
    assert (tmp_path / "s.json").read_text(encoding="utf-8") == cli("schema")[1]


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
    argv = [sys.executable, "-m", "bench", "run", "tiny.yaml", "-j", "1"]
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


def test_a_signal_in_an_import_is_no_traceback(cli: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """What C code makes of a signal while it is imported is still a stop."""

    def torn(_: object) -> None:
        with contextlib.suppress(BaseException):
            signal.raise_signal(signal.SIGTERM)
        message = "cannot load module more than once per process"
        raise ImportError(message)

    monkeypatch.setattr("bench.cli.catalogue.entries", torn)
    code, _, err = cli("list", "data")

    assert code == 143
    assert err == "stopped by SIGTERM; what is recorded stays, run again to continue\n"


def test_an_interrupt_of_the_first_imports_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C before there is a command that could hear it."""

    class Interrupted:
        @staticmethod
        def find_spec(name: str, *_: object) -> None:
            if name == "bench.cli.app":
                raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, "bench.cli.app")
    monkeypatch.delattr(bench, "cli")
    monkeypatch.setattr(sys, "meta_path", [Interrupted, *sys.meta_path])
    with pytest.raises(SystemExit) as stop:
        __main__.main()

    assert stop.value.code == 130


def test_version(cli: Bench) -> None:
    """The version is the package's."""
    assert f"signbench {bench.__version__}" in cli("--version")[1]


def test_check_prints_certificates(cli: Bench) -> None:
    """Under each verdict what is proved beyond the grid, and what is not."""
    _, out, _ = cli("check", "reste", "rbnn")

    assert "certified: rational (to 1e-9) at every real z, every o in [1, ∞): 8 boxes" in out
    assert "certified: the error never rises (to 1e-9) at every real z, every o in [1, ∞)" in out
    assert "certified: violated at t = 0.01 at every z in (0.829853379, 82.842712475)" in out


@pytest.mark.parametrize(
    ("args", "lines"),
    [
        (
            ("rbnn", "t_min=1.4143"),
            (
                "rbnn(t_min=1.4143): f(z) = ",
                "certified: rational (to 1e-9) at every real z, every t in [1.4143, 10]: ",
            ),
        ),
        (
            ("reste", "o_end=10", "gain=unit", "t=1.5"),
            (
                "reste(o_end=10,gain=unit): f(z) = ",
                "knob: o: 1 → 10, cosine",
                "at z = 1, o = 10: f = 0.1259",
            ),
        ),
        (
            ("u=0.8", "dsq"),
            ("dsq(u=0.8): f(z) = ", "as it trains: not rational", "certified: violated at α = "),
        ),
        (("ste", "clip=.inf"), ("ste(clip=inf): f(z) = z", "as it trains: rational")),
        (
            ("dsq", "learn=off", "u=1", "--definition", "p-fixed", "--form", "truncated"),
            ("dsq(learn=off), definition p-fixed, baseline identity, truncated f: rational",),
        ),
        (("ste", "clip=1.5", "--study"), ("ste(clip=1.5) │ pure", "  ste(clip=1.5) ")),
    ],
)
def test_check_at_other_parameters(
    cli: Bench, args: tuple[str, ...], lines: tuple[str, ...]
) -> None:
    """KEY=VALUE in YAML, for every form of the command; what is not a default is named."""
    code, out, err = cli("check", *args)

    assert code == 0, out + err
    for line in lines:
        assert line in out


def test_check_by_another_definition(
    ran: Path, cli: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One question for all, also on the weights and activations of a trained cell."""
    monkeypatch.chdir(ran)
    _, out, _ = cli("check", "ede", "--definition", "end", "--form", "pure")
    assert "ede, definition end, baseline identity, pure f: not rational, little flexible" in out
    assert "by 4.122e-09; rational at tolerance 1e-8" in out
    _, out, _ = cli("check", "rbnn", "reste", "--cell", "reste", "--baseline", "hardtanh")
    assert "reste, definition trained, baseline hardtanh, pure f: " in out
    assert "on latent activations of reste-resnet20-" in out
    assert "│ trained" in cli("check", "ste", "--study", "--cell", "ste")[1].replace("┃", "│")
    assert cli("check", "ste", "--definition", "trained")[0] == 2


def test_a_plugin_that_raises_spoils_no_study(cli: Bench, tmp_path: Path) -> None:
    """What cannot be judged is named below the table; options that say nothing are refused."""
    (tmp_path / "raisy.py").write_text(
        "from bench.plugin import Surrogate\n\n\nclass Raisy(Surrogate):\n"
        "    def value(self, z, _, /):\n        raise KeyError('no')\n"
    )
    (tmp_path / "broken.py").write_text("import not_there\n")
    study = cli("--plugins", tmp_path, "check", "ste", "raisy", "--study")
    one = cli("--plugins", tmp_path, "check", "raisy", "--definition", "end")

    assert re.search(r"ste +│ pure", study[1])
    assert "error: raisy: f raises KeyError: 'no'" in study[2]
    assert study[0] != 0
    assert (one[0], "raisy: f raises KeyError: 'no'" in one[1]) == (3, True)
    assert cli("check", "ste", "--study", "--form", "pure")[0] == 2
    assert cli("check", "ste", "--cell", "x", "--definition", "end")[0] == 2


def test_the_study_is_one_table(cli: Bench) -> None:
    """Every definition, baseline and form of an estimator, then what its verdict rests on."""
    code, out, _ = cli("check", "dsq", "ste", "--study")

    assert code == 0
    assert re.search(r"dsq +│ pure +│ identity │ no, little +│ yes, little │ no, little", out)
    assert re.search(r"ste +│ pure +│ identity │ yes, not", out)
    assert out.count("hardtanh") == 5
    assert re.search(r"^  dsq +p-fixed: rational no → yes$", out, re.MULTILINE)


def test_what_a_plugin_prints_is_not_for_the_terminal(cli: Bench, tmp_path: Path) -> None:
    """A check says what it found, and nothing that the checked code says."""
    (tmp_path / "loud.py").write_text(
        "from bench.plugin import Surrogate\n\n\nclass Loud(Surrogate):\n"
        "    def value(self, z, _, /):\n        print('\\x1b[2J')\n        return z\n"
    )
    _, out, err = cli("--plugins", tmp_path, "check", "loud")

    assert "loud: " in out
    assert "[2J" not in out + err
