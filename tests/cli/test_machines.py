"""The commands about profiles."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.cli import new_machines
from bench.cli.health import machines
from bench.fleet import engines, machines_file
from bench.fleet.engine import JobState, Phase
from bench.fleet.profile import Profile
from bench.fleet.slurm import slurm_states
from bench.fleet.trial.folder_trial import Observations
from bench.fleet.trial.node_facts import NodeFacts
from bench.fleet.trial.trial import Trial

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


HERE = NodeFacts(
    host="login", place="a", versions={"python": "3.11.7", "signbench": "1", "torch": "2.14"},
    numerics={"core": "1"}, cores=8, memory_mib=64000, file_system="nfs", data_there=True, at=0,
)  # fmt: skip
NODE = HERE.model_copy(update={"host": "n1", "place": "b"})
OTHER = HERE.model_copy(update={"host": "n2", "place": "c"})
SEEN = Observations(
    heard=True, new_s=0.1, replaced_s=0.2, clock_s=0.1, clock_error_s=0.1, lock="excludes",
    claims=[0, 1], tried=4,
)  # fmt: skip
SEEN_TOO = SEEN.model_copy(update={"claims": [2, 3]})
RAN = JobState(Phase.ENDED, "COMPLETED")


def judged(
    change: dict[str, Any], *, node: dict[str, Any] | None = None, **profile: Any
) -> dict[str, str]:
    """What is not fine of a trial, by what it is about; of the first machine and side changed."""
    trial = Trial(
        states=[RAN, RAN],
        facts=[NODE.model_copy(update=node or {}), OTHER],
        observations=[SEEN.model_copy(update=change), SEEN_TOO],
    )
    found = machines.judge(Profile(name="x", engine="slurm", **profile), trial, HERE)
    return {f.what: f"{f.state}: {f.found}" for f in found if f.state != "ok"}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({}, {}),
        ({"lock": "does not exclude"}, {}),
        ({"lock": "no locks"}, {}),
        (
            {"claims": [0, 1, 2]},
            {"link": "fail: two machines got the same name by link, 1 times of 4"},
        ),
        ({"claims": []}, {"link": "fail: nobody got a name by link, 2 times of 4"}),
        (
            {"new_s": 9.0},
            {"renames": "warn: a new file is seen after 9.00 s, a replaced one 0.20 s"},
        ),
        (
            {"replaced_s": 70.0},
            {"renames": "fail: a new file is seen after 0.10 s, a replaced one 70.00 s"},
        ),
        ({"clock_s": -9.0}, {"clocks": "warn: clocks differ by 9.00 s, give or take 0.10 s"}),
        ({"heard": False, "problem": "x"}, {"folder": "fail: x"}),
    ],
)
def test_what_a_folder_does_not_do_is_told(change: dict[str, Any], told: dict[str, str]) -> None:
    """Links must be exclusive and files seen in time; clocks are worth a warning."""
    assert judged(change) == told


@pytest.mark.parametrize(
    ("node", "profile", "told"),
    [
        ({}, {"cpus_per_cell": 8}, {}),
        ({}, {"cpus_per_cell": 9}, {"CPU": "warn: n2: 8 cores, 62.5 GiB available; 9 asked for"}),
        (
            {"gpus": ["A100"] * 2},
            {"gpus_per_cell": 2},
            {"GPU": "fail: n2: 0 GPUs seen, none; 2 as"},
        ),
        ({"gpu_problem": "OSError: no"}, {}, {"GPU": "fail: n1: OSError: no"}),
        ({"numerics": {"core": "2"}}, {}, {"versions": "fail: n1: other code: core"}),
        (
            {"versions": {"python": "3.11.7", "signbench": "2", "torch": "2.14"}},
            {},
            {"versions": "fail: n1: signbench 2, here 1"},
        ),
        (
            {"versions": {"python": "3.12", "signbench": "1"}},
            {},
            {"versions": "warn: n1: python 3.12, here 3.11.7; torch not there, here 2.14"},
        ),
        ({"data_there": False}, {}, {"data": "warn: n1: the folder of data sets is not there"}),
        ({"place": "c", "host": "n2"}, {}, {"two nodes": "warn: both jobs ran on n2"}),
    ],
)
def test_a_node_that_is_not_as_it_should_be_is_told(
    node: dict[str, Any], profile: dict[str, Any], told: dict[str, str]
) -> None:
    """Other code would be refused by every job; other versions compute other bits."""
    found = judged({}, node=node, **profile)

    assert found.keys() == told.keys()
    assert all(found[what].startswith(text) for what, text in told.items())


def test_what_cannot_be_tried_is_told(ask: Bench) -> None:
    """This machine needs no trial; an engine that is not there is one line, and what to install."""
    assert ask("machines", "check", "local")[1] == (
        "ok   engine       this machine; `bench doctor` examines it\n"
    )
    assert ask("machines", "check", "slrum")[0] == 2
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(engines.CLASSES, "ray", ("no_such_module", "Ray"))
        code, out, _ = ask("machines", "check", "ray")
    assert code == 5
    assert "`pip install 'signbench[ray]'`" in out


def test_a_file_is_written_to_start_from(
    ask: Bench, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For each engine one that loads as it stands, with its comments' keys; never over another."""
    monkeypatch.setattr(new_machines.shutil, "which", lambda _: None)
    for engine, name in (("slurm", "cluster"), ("ray", "lab")):
        code, out, _ = ask("machines", "init", "--engine", engine)
        text = (home / "machines.yaml").read_text(encoding="utf-8")
        assert code == 0
        assert out.splitlines()[1] == f"next: edit it, `bench machines check {name}`"
        assert machines_file.load(name).engine == engine
        whole = re.sub(r"^  # (?=\w+: )", "  ", text, flags=re.MULTILINE)
        whole = re.sub(r"^# (?=\w+: \{)", "", whole, flags=re.MULTILINE)
        assert len(whole) < len(text)
        (home / "machines.yaml").write_text(whole, encoding="utf-8")
        assert len(machines_file.profiles()) == 2
        assert ask("machines", "init")[0] == 2
        (home / "machines.yaml").unlink()


def test_partitions_that_are_here_stand_in_it(
    ask: Bench, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The default one first, with what its nodes have at least, and within its limit."""

    def call(*words: str) -> str:
        if "%P" in words:
            return "gpu*\ncpu\n"
        lines = ("cpu|infinite|9|64|250000|(null)", "gpu|4:00:00|2|64|500000|gpu:a100:8(S:0-1)")
        return "\n".join([*lines, "gpu|4:00:00|1|32+|9|gpu:4"])

    monkeypatch.setattr(new_machines.shutil, "which", lambda _: "/usr/bin/sinfo")
    monkeypatch.setattr(slurm_states, "call", call)
    ask("machines", "init", "--engine", "slurm")
    profile = machines_file.load("cluster")

    assert (profile.partition, profile.time_s) == ("gpu", 4 * 3600)
    assert (profile.gpus_per_cell, profile.cpus_per_cell) == (1, 4)
    assert "# cpu: 9 x 64 cores, 0 GPUs" in (home / "machines.yaml").read_text(encoding="utf-8")
