"""`bench plan --on`: what a suite costs on other machines, from what was measured there."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.errors import UsageError
from bench.fleet import engines
from bench.planning.planner import plan
from bench.results.provenance import installed_version
from bench.speed import budget, forecast
from bench.speed.slots import SlotOptions
from bench.speed.throughput import Throughput, graph_key, save_throughput

Ask = Callable[..., tuple[int, str, str]]
PROFILES = """\
few: {engine: slurm, time: 100s, grace: 9s, cpus_per_cell: 4, jobs: 2}
gpu: {engine: slurm, partition: gpu, gpus_per_cell: 1, slots_per_gpu: auto, cells_per_job: 4}
ranks: {engine: slurm, gpus_per_cell: 2, nodes_per_cell: 2}
"""


def keep(root: Path, suite: Path, epoch_s: float, machines: str, **change: object) -> None:
    """Say that an epoch of each graph but rbnn's takes so long on such machines."""
    torch = installed_version("torch")
    for cell in plan(suite).cells:
        if cell.weights and cell.weights.name == "rbnn":
            continue
        words = {"graph": graph_key(cell), "place": "1 x cpu", "machines": machines}
        words |= {"environment": f"a CPU, torch {torch}, 1 thread, eager", "host": "n1"}
        figures = {"images_per_s": 64.0, "epoch_s": epoch_s, "start_s": 3.0, "first_s": 2.0}
        rest = {"mib": 9.0, "host_mib": 9.0, "copies": 1, "threads": 1, "compiled": False}
        made = {"made": "2026-12-01", "cores": 4}
        save_throughput(root, Throughput.model_validate(words | figures | rest | made | change))


@pytest.fixture
def suite(tmp_path: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two estimators and three seeds of two epochs, in an empty folder that has profiles."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setattr(budget, "MOST_EPOCHS", 3)
    monkeypatch.setattr(budget, "MOST_SEEDS", 3)
    (tmp_path / "machines.yaml").write_text(PROFILES, encoding="utf-8")
    text = tiny.read_text(encoding="utf-8")
    tiny.write_text(text.replace("seeds: [0]", "seeds: 0..2"), encoding="utf-8")
    return tiny


def test_nothing_is_guessed(ask: Ask, suite: Path) -> None:
    """Without measurements: jobs, which graphs lack them, and how to get them."""
    code, out, _ = ask("plan", suite, "--on", "few")

    assert code == 0
    assert out.splitlines()[-4:] == [
        "not measured: ste x resnet20 x 1/1 x default: nobody measured it on these machines",
        "not measured: reste x resnet20 x 1/1 x default: nobody measured it on these machines",
        "--calibrate measures them by one short job",
        "6 cells left on `few`: 6 jobs, 1 cell at a time in each",
    ]
    code, _, err = ask("plan", suite, "--on", "few", "--budget", "9coreh")
    assert (code, err) == (
        1, "error: --budget 9coreh: 2 graphs not measured on `few`; --calibrate measures them\n"
    )  # fmt: skip


def test_what_was_measured_there_is_counted(ask: Ask, suite: Path) -> None:
    """20 s a cell and 5 s a job's start: 4 to a job of 100 s, which is filled to four fifths."""
    keep(Path("results"), suite, 10.0, "slurm")
    keep(Path("results"), suite, 99.0, "slurm, partition other")
    keep(Path("results"), suite, 5.0, "slurm", environment="another CPU, torch 1", cores=9)

    code, out, _ = ask("plan", suite, "--on", "few")
    told = json.loads(ask("plan", suite, "--on", "few", "--json")[1])

    assert code == 0
    assert out.splitlines()[-2:] == [
        "6 cells left on `few`: 2 jobs, 1 cell at a time in each",
        "0.14 core-hours; all done 0:01:25 after the first jobs begin, if 2 run at a time",
    ]
    assert [job["seconds"] for job in told["jobs"]] == [85, 45]
    assert (told["unit"], round(told["hours"] * 3600), told["left_s"]) == ("core-hours", 520, 85)


@pytest.mark.parametrize(
    ("limit", "code", "said"),
    [
        ("0.2coreh", 0, []),
        ("0.1coreh", 1, ["0.14 core-hours needed, 4 of 6 cells fit", "seeds=0..1", "epochs=1"]),
        ("86", 0, []),
        pytest.param(
            "50s",
            1,
            ["0:01:25 needed, 4 of 6 cells fit", "with seeds=0: 0:00:45"],
            marks=pytest.mark.slow,
        ),
        ("9gpuh", 2, ["--budget `9gpuh`: cells of `few` take cores, as in 100coreh"]),
        ("soon", 2, ["--budget `soon`: expected a time above 0"]),
    ],
)
def test_a_budget_that_does_not_suffice_is_refused(
    ask: Ask, suite: Path, limit: str, code: int, said: list[str]
) -> None:
    """With what is needed, what fits, and the overrides by which all would."""
    keep(Path("results"), suite, 10.0, "slurm")

    found, _, err = ask("plan", suite, "--on", "few", "--budget", limit)

    assert found == code
    assert all(words in err for words in said)


def test_the_best_number_at_a_time_is_taken(ask: Ask, suite: Path) -> None:
    """Where a node measures it: that by which all is done soonest."""
    names = {"environment": f"A100, torch {installed_version('torch')}", "cores": 64}
    machines = "slurm, partition gpu"
    for copies, epoch_s in ((1, 10.0), (2, 12.0), (4, 30.0)):
        keep(
            Path("results"), suite, epoch_s, machines,
            copies=copies, place=f"{copies} x cuda:0", free_mib=1.0, **names,
        )  # fmt: skip

    _, out, _ = ask("plan", suite, "--on", "gpu")

    assert "6 cells left on `gpu`: 2 jobs, 2 cells at a time in each" in out


def test_what_cannot_be_measured_is_said(ask: Ask, suite: Path) -> None:
    """Cells over several nodes like others, too many processes, an unknown profile or engine."""
    keep(Path("results"), suite, 10.0, "slurm", ranks=2)
    out = ask("plan", suite, "--on", "ranks")[1]
    assert "not measured: ste" in out
    assert "--calibrate measures them" in out
    assert out.splitlines()[-1].endswith("1 cell at a time in each, by 2 processes on 2 nodes")
    code, _, err = ask("plan", suite, "--on", "ranks:gpus_per_cell=98")
    assert code == 2
    assert "98 processes train a cell, and a batch of `ste-" in err
    code, _, err = ask("plan", suite, "--on", "fwe")
    assert (code, "did you mean `few`?" in err) == (2, True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(engines.CLASSES, "slurm", ("no_such_module", "Slurm"))
        code, _, err = ask("plan", suite, "--on", "few", "--calibrate")
    assert (code, "pip install 'signbench[slurm]'" in err) == (5, True)


def test_a_run_fills_jobs_by_the_same_figures(
    ask: Ask, suite: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch for each job that the plan counts."""
    monkeypatch.setitem(engines.CLASSES, "slurm", ("job_processes", "JobProcesses"))
    words = ("run", suite, "--on", "few", "--dry-run")

    before = ask(*words)[1].splitlines()
    keep(Path("results"), suite, 10.0, "slurm")
    after = ask(*words)[1].splitlines()

    assert (len(before), len(after)) == (6, 2)


def test_a_profile_of_this_machine_says_how_cells_run_here(
    ask: Ask, suite: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its keys are the options; those that are given go first, an engine alone says nothing."""
    asked: list[SlotOptions] = []

    def make(_: object, where: SlotOptions, *__: object) -> None:
        asked.append(where)
        raise UsageError

    monkeypatch.setattr(forecast, "make_forecast", make)
    for words in (["local"], ["local:jobs=3,gpus_per_cell=0"], ["local:jobs=3", "-j", "2"]):
        ask("plan", suite, "--calibrate", "--on", *words)

    assert [(where.device, where.jobs) for where in asked] == [
        ("auto", None), ("cpu", 3), ("auto", 2)
    ]  # fmt: skip
