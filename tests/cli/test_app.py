"""What the program does around its commands: errors, signals, encodings."""

import contextlib
import io
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import bench
from bench import __main__
from bench.cli.app import main

Bench = Callable[..., tuple[int, str, str]]


def test_an_encoding_that_lacks_a_sign_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where stdout is ASCII, what it cannot hold is a question mark, and nothing is raised."""
    ascii_ = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", ascii_)
    monkeypatch.setattr(sys, "argv", ["bench", "show", "schedule", "power"])
    with contextlib.suppress(SystemExit):
        main()
    ascii_.seek(0)

    assert ascii_.read().startswith("power(p) = start + p? (end - start)")


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (("gc", "--results", "round"), 5, "`round/leases/merges` cannot be used: Too many levels"),
        (("--plugins", "round", "list", "data"), 2, "--plugins: no folder `round`"),
        (("verify", "--results", "round"), 2, "`round` is no results folder"),
        (("plan", "round.yaml"), 2, "no suite at `round.yaml`"),
    ],
)
def test_links_that_go_round_end_in_a_line(
    ask: Bench,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    args: tuple[str, ...],
    code: int,
    message: str,
) -> None:
    """Whatever a link that leads to itself was given for, one line says so."""
    monkeypatch.chdir(tmp_path)
    for name in ("round", "round.yaml"):
        (tmp_path / name).symlink_to(name)
    found, _, told = ask(*args)

    assert found == code
    assert message in told
    assert "Traceback" not in told


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (("run", "nowhere.yaml"), 2, "no suite at `nowhere.yaml`"),
        (("plan", "quickstrat"), 2, "did you mean `quickstart`?"),
        (("plan", "quickstart", "train.epoch=3"), 2, "unknown key; did you mean `epochs`?"),
        (("plan", "quickstart", "-k", "estimator=rest"), 4, "did you mean `reste`?"),
        (("plan", "quickstart", "-k", "estmator=ste"), 2, "no key `estmator`"),
        (("run", "quickstart", "--gpus", "a"), 2, "--gpus `a`: expected numbers"),
        (("run", "quickstart", "--device", "gpu"), 2, "expected auto, cpu, cuda, cuda:N or mps"),
        (("run", "quickstart", "--device", "cuda:99"), 5, "GPU 99 asked for"),
        (("plan", "cifar10-partial", "--data", "/nowhere"), 5, "data prepare cifar10"),
        (("check", "rest"), 2, "no estimator, backbone or data set `rest`; did you mean `reste`?"),
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
        (("indicators", "x", "--curves", "--histograms"), 2, "ask for one"),
        (("gc", "--results", "/nowhere"), 2, "`/nowhere` is no results folder"),
        (("run", "quickstart", "--rerun", "x y"), 4, "--rerun `x y` names no cell of this suite"),
        (("new", "estimator", "ste"), 2, "the name `ste` is taken"),
        (("new", "estimator", "my-est"), 2, "cannot be a file name to import"),
    ],
)  # fmt: skip
def test_errors_are_one_clear_line(
    ask: Bench,
    args: tuple[str, ...],
    code: int,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever is wrong, there is one line that says what and what to do, and no traceback."""
    monkeypatch.chdir(tmp_path)  # whatever `make demo` left in the checkout's results
    found, _, err = ask(*args)

    assert found == code
    assert message in err
    assert "Traceback" not in err


def test_a_working_folder_that_is_gone_is_told(
    ask: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who removed the folder that a terminal stands in is told so, in a line."""
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    code, _, err = ask("plan", "quickstart")

    assert (code, err.count("\n"), "is gone; change to another" in err) == (5, 1, True), err


def test_usage_errors_exit_with_2() -> None:
    """An unknown option is the shell's business: usage and exit code 2."""
    done = subprocess.run(
        [sys.executable, "-m", "bench", "run", "--no-such-option"], capture_output=True, check=False
    )

    assert done.returncode == 2
    assert done.stderr.startswith(b"error: no such option: --no-such-option")
    assert b"Traceback" not in done.stderr


def test_a_signal_in_an_import_is_no_traceback(ask: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """What C code makes of a signal while it is imported is still a stop."""

    def torn(_: object) -> None:
        with contextlib.suppress(BaseException):
            signal.raise_signal(signal.SIGTERM)
        message = "cannot load module more than once per process"
        raise ImportError(message)

    monkeypatch.setattr("bench.cli.catalogue.list_entries", torn)
    code, _, err = ask("list", "data")

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


def test_version(ask: Bench) -> None:
    """The version is the package's."""
    assert f"signbench {bench.__version__}" in ask("--version")[1]


WINDOWS = """
import signal, sys

class Missing:
    def find_spec(name, *_):
        if name in {"fcntl", "resource", "pwd", "grp", "termios"}: raise ImportError(name)

sys.platform = "win32"
sys.meta_path.insert(0, Missing)
for name in ("fcntl", "resource", "pwd", "termios"): sys.modules.pop(name, None)
for name in ("SIGUSR1", "SIGUSR2", "SIGHUP"): delattr(signal, name)
"""


@pytest.mark.parametrize(
    "call",
    [
        "from bench.__main__ import main; sys.argv = ['bench', '--help']; main()",
        "import bench\ntry: bench.plan\nexcept bench.errors.BenchError as e: exit(f'error: {e}')",
    ],
)
def test_windows_is_refused_in_words(call: str) -> None:
    """Before anything is imported that fails there."""
    done = subprocess.run(
        [sys.executable, "-c", WINDOWS + call], capture_output=True, text=True, check=False
    )

    assert done.returncode in {1, 5}
    assert done.stderr.startswith("error: signbench runs on Linux and macOS; on Windows use it")
    assert done.stderr.count("\n") == 1
