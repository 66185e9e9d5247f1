"""`bench doctor`: what it finds, what it says of it, and that nothing it meets stops it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from bench.base import machine
from bench.cli.health import checks, hardware, software, storage
from bench.cli.health.finding import Finding, Setup
from bench.results.record import Receipt
from bench.train import determinism

GIB = 2**30


def asked(results: Path, **change: Any) -> Setup:
    fields: dict[str, Any] = {"data": results, "devices": ("cpu",), "threads": 1}
    return Setup(results=results, **fields | change)


def findings(name: str, setup: Setup) -> list[Finding]:
    """What one check finds."""
    (check,) = (check for check in checks.CHECKS if check.__name__ == f"check_{name}")
    return list(check(setup))


def called(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    """`bench doctor` in a process whose imports look into `folder` first."""
    path = os.pathsep.join([str(folder), str(Path(__file__).parent.parent.parent)])
    return subprocess.run(
        [sys.executable, "-m", "bench", "doctor", *args],
        cwd=folder, env=os.environ | {"PYTHONPATH": path, "COLUMNS": "80"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.slow
def test_a_torchvision_of_another_torch_is_named(tmp_path: Path) -> None:
    """The clash is told with its cure, all else is looked at, and the exit code is 5."""
    (tmp_path / "torchvision.py").write_text(
        "raise RuntimeError('operator torchvision::nms does not exist')"
    )
    done = called(tmp_path, "--device", "cpu", "--json")
    found = {f["what"]: f for f in json.loads(done.stdout)}

    assert done.returncode == 5, done.stderr
    assert done.stderr == ""
    assert found["torchvision"]["state"] == "fail"
    assert "operator torchvision::nms does not exist" in found["torchvision"]["found"]
    assert "both in one command" in found["torchvision"]["advice"]
    assert found["cpu"] == {
        "state": "ok", "what": "cpu", "found": "two trainings of 6 steps agree to the bit",
        "advice": "",
    }  # fmt: skip


def test_without_torch_all_else_is_looked_at(tmp_path: Path) -> None:
    """A torch that cannot be imported is named, in 80 columns, without a traceback."""
    (tmp_path / "torch.py").write_text("raise ImportError('libcudart.so: no such file')")
    done = called(tmp_path)

    assert done.returncode == 5
    assert "Traceback" not in done.stdout + done.stderr
    assert "fail torch" in done.stdout
    assert "libcudart.so: no such file" in done.stdout
    for word in ("ok   python", "ok   disk", "ok   clock", "determinism"):
        assert word in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_a_check_that_breaks_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next checks are made."""

    def check_boom(_: Setup) -> Any:
        message = "two\nlines"
        raise OSError(message)

    monkeypatch.setattr(checks, "CHECKS", (check_boom, software.check_python))
    first, second = checks.examine(asked(tmp_path))

    assert first == Finding("fail", "boom", "could not be looked at: OSError: two lines")
    assert (second.state, second.what) == ("ok", "python")


def test_versions_below_the_minima_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each package that is too old, or not there, is named with what is needed."""
    meta = software.importlib.metadata
    known = {"torch": "2.9.1+cpu", "rich": "14.0"}

    def version(name: str) -> str:
        if name not in known:
            raise meta.PackageNotFoundError
        return known[name]

    monkeypatch.setattr(meta, "requires", lambda _: ["torch>=2.11", "rich>=14", "numpy"])
    monkeypatch.setattr(meta, "version", version)
    (found,) = findings("packages", asked(tmp_path))

    assert found.state == "fail"
    assert found.found == "torch 2.9.1+cpu, 2.11 or newer is needed; numpy is not installed"


def test_an_extra_that_is_not_installed_is_not_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is what another platform needs; what is there is held to every bound, not the first."""
    meta = software.importlib.metadata
    known = {"torch": "2.11.0+cpu", "rich": "14.0"}

    def version(name: str) -> str:
        if name not in known:
            raise meta.PackageNotFoundError
        return known[name]

    needs = [
        "torch>=2.11", "rich>=13,<15", 'trackio>=0.43; extra == "trackio"',
        'colorama; sys_platform == "win32"',
    ]  # fmt: skip
    monkeypatch.setattr(meta, "requires", lambda _: needs)
    monkeypatch.setattr(meta, "version", version)
    (fit,) = findings("packages", asked(tmp_path))
    needs[1] = "rich>=13,<14"
    (unfit,) = findings("packages", asked(tmp_path))

    assert (fit.state, fit.found) == ("ok", "2 as pyproject.toml asks for them")
    assert (unfit.state, unfit.found) == ("fail", "rich 14.0, <14,>=13 is needed")


@pytest.mark.parametrize(
    ("major", "free", "state"), [(9, 79, "ok"), (9, 40, "warn"), (6, 79, "fail")]
)
def test_a_gpu(major: int, free: int, state: str) -> None:
    """One that this torch has no kernels for fails; one that others use is a warning."""
    cuda = SimpleNamespace(
        get_device_properties=lambda _: SimpleNamespace(name="H100", major=major, minor=0),  # pyright: ignore[reportUnknownLambdaType]
        mem_get_info=lambda _: (free * GIB, 80 * GIB),  # pyright: ignore[reportUnknownLambdaType]
        get_arch_list=lambda: ["sm_75", "sm_90"],
    )
    torch = SimpleNamespace(cuda=cuda, version=SimpleNamespace(cuda="13.2"))
    found = hardware.examine_gpu(torch, 0, "580.1")

    assert (found.state, found.what) == (state, "cuda:0")
    assert f"driver 580.1, CUDA 13.2, {free}.0 of 80.0 GiB free" in found.found


def test_a_driver_without_a_gpu_for_torch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with a driver whose GPU torch does not see is no machine without a GPU."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(determinism, "driver_version", lambda: "580.1")
    (found,) = findings("gpu", asked(tmp_path))

    assert found.state == "warn"
    assert "driver 580.1 is loaded" in found.found


def test_more_threads_than_cores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They would wait for each other; so would workers that are all bound to the same cores."""
    monkeypatch.setattr(machine, "cores", lambda: 2)
    monkeypatch.setattr(os, "getloadavg", lambda: (0.0, 0.0, 0.0))
    monkeypatch.setenv("OMP_PROC_BIND", "true")
    cpu, openmp = findings("cpu", asked(tmp_path, threads=3))

    assert (cpu.state, cpu.advice[:11]) == ("warn", "--threads 2")
    assert (openmp.state, openmp.found) == ("warn", "OMP_PROC_BIND=true")


def test_little_memory_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Less than one cell takes."""
    monkeypatch.setattr(machine, "memory", lambda: 1.0 * GIB)

    assert [f.state for f in findings("memory", asked(tmp_path))] == ["warn"]


def test_the_disk_is_tried_and_left_as_it_was(tmp_path: Path) -> None:
    """A file is written, synced, renamed and linked, where the results will be."""
    (found,) = findings("disk", asked(tmp_path / "not" / "there"))

    assert found.state == "ok"
    assert str(tmp_path) in found.found
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_cannot_be_written_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system's own words, and what to do."""

    def full(_: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(machine, "trial", full)
    (found,) = findings("disk", asked(tmp_path))

    assert found.state == "fail"
    assert found.found == f"`{tmp_path}` cannot be written: No space left on device"


def test_a_network_file_system_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be seen late; a disk on which a link replaces what is there is a failure."""
    monkeypatch.setattr(machine, "file_system", lambda _: "nfs4")  # pyright: ignore[reportUnknownLambdaType]
    assert [f.state for f in findings("disk", asked(tmp_path))] == ["warn"]
    monkeypatch.setattr(machine.os, "link", lambda *_: None)
    assert [f.state for f in findings("disk", asked(tmp_path))] == ["fail"]


def test_a_clock_that_went_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A time before signbench's own files, or another than the disk's, is said."""
    now = storage.time.time()
    assert [f.state for f in findings("clock", asked(tmp_path))] == ["ok"]
    monkeypatch.setattr(storage.time, "time", lambda: now + 100)
    assert "files are -100 s off" in findings("clock", asked(tmp_path))[0].found
    monkeypatch.setattr(storage.time, "time", lambda: 0.0)
    assert "1970-01-01" in findings("clock", asked(tmp_path))[0].found


def test_data_that_is_damaged_fails(tmp_path: Path) -> None:
    """A missing data set is only named; a wrong one is an error with its file."""
    damaged = tmp_path / "cifar-10-partial-py"
    damaged.mkdir()
    for name in ("data_batch_1", "test_batch"):
        (damaged / name).write_bytes(b"no pickle")
    wrong, all_ = findings("data", asked(tmp_path))

    assert (wrong.state, wrong.what) == ("fail", "data cifar10-partial")
    assert "not a CIFAR batch" in wrong.found
    assert "not here: cifar10, cifar100, " in all_.found


def test_a_data_folder_that_is_not_there_fails(tmp_path: Path) -> None:
    """Who names a folder, by --data or BENCH_DATA, means one that exists."""
    (found,) = findings("data", asked(tmp_path / "nowhere"))

    assert (found.state, found.found) == ("fail", f"no folder `{tmp_path / 'nowhere'}`")
    assert "BENCH_DATA" in found.advice


def test_a_broken_plugin_is_a_warning(tmp_path: Path) -> None:
    """Its reason stands there; suites that do not name it run."""
    (tmp_path / "bad.py").write_text("raise RuntimeError('boom')")
    doctor_registry = __import__("bench.registry", fromlist=["ESTIMATORS"])
    doctor_registry.ESTIMATORS.add_folder(tmp_path)
    bad, all_ = findings("plugins", asked(tmp_path))

    assert (bad.state, bad.what) == ("warn", "plugin bad")
    assert "RuntimeError: boom" in bad.found
    assert all_.state == "ok"


def kept(root: Path, environment: str, steps: list[str]) -> None:
    made = Receipt(environment=environment, steps=steps, first_difference=None, made="now")
    (root / "receipts").mkdir(exist_ok=True)
    path = root / "receipts" / f"{len(list(root.glob('receipts/*')))}.json"
    path.write_text(made.model_dump_json(), encoding="utf-8")


def test_receipts_of_a_folder_are_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another environment may compute otherwise; this very one must not."""
    here = Receipt(environment="here", steps=["a", "b"], first_difference=None, made="now")
    monkeypatch.setattr(determinism, "make_receipt", lambda *_: here)
    kept(tmp_path, "there", ["a", "x"])
    kept(tmp_path, "like", ["a", "b"])
    kept(tmp_path, "here", ["a", "b"])
    found = findings("determinism", asked(tmp_path))

    assert [(f.state, f.found) for f in found] == [
        ("ok", "two trainings of 2 steps agree to the bit"),
        ("ok", "another environment computed other bits from step 2 on: there"),
        ("ok", "another environment computed the same bits: like"),
    ]
    kept(tmp_path, "here", ["y", "b"])
    last = findings("determinism", asked(tmp_path))[-1]
    assert (last.state, last.found) == (
        "fail", "this environment computed other bits before, from step 1 on",
    )  # fmt: skip


def test_trainings_that_differ_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The step is named; so is a device that is not there."""
    unsteady = Receipt(environment="here", steps=["a", "b"], first_difference=2, made="now")
    monkeypatch.setattr(determinism, "make_receipt", lambda *_: unsteady)
    cpu, other = findings("determinism", asked(tmp_path, devices=("cpu", "cuda:99")))

    assert (cpu.state, cpu.found) == ("fail", "two equal trainings differ first at step 2")
    assert (other.state, other.found) == ("fail", "no such device here")


def test_facts_of_this_machine() -> None:
    """At least a core and some memory; the root is on a file system that has a name."""
    assert machine.cores() >= 1
    assert machine.memory() > 0
    assert machine.file_system(Path("/"))


def test_speedups_are_counted_and_those_that_are_off_say_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A processor that lacks something is fine; a torch that lost a name is a warning."""
    from bench.nn import compiler

    found = [
        compiler.Speedup("images in rows"),
        compiler.Speedup("products in int8", unfit="this processor has none"),
        compiler.Speedup("sums in order", missing="torch.sums:order"),
    ]
    monkeypatch.setattr(compiler, "speedups", lambda: found)
    monkeypatch.setattr(machine, "explain_small_pages", lambda: "")
    lines = [(f.state, f.found) for f in findings("speedups", asked(tmp_path))]

    assert lines == [
        ("ok", "2 of 4 are on"),
        ("ok", "off: products in int8 (this processor has none)"),
        ("warn", "off: sums in order (torch has no torch.sums:order)"),
    ]
