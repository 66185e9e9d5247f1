"""Profiles of machines.yaml: found, completed by others, and read strictly."""

import json
from pathlib import Path

import jsonschema
import pytest

from bench.base import yaml_document
from bench.errors import BenchError, SuiteError, UsageError
from bench.fleet import machines_file
from bench.fleet.profile import KEYS, Profile

CLUSTER = """\
cluster:
  engine: slurm
  partition: gpu
  time: 12h
  grace: 2m
  mem: 32GB
  gpus_per_cell: 1
  slots_per_gpu: auto
  setup: module load cuda/12.8
  sbatch: {reservation: bnn, nice: 3}
  results: /lustre/me/results
four: {extends: cluster, gpus_per_cell: 4, time: 1d12h, sbatch: {nice: 5}}
lab: {engine: ray, address: auto, gpus_per_cell: 1, slots_per_gpu: 2, shared: false}
"""
BOMB = "a0: &a0 {k: 1}\n" + "\n".join(
    f"a{i + 1}: &a{i + 1} {{k: [*a{i}, *a{i}]}}" for i in range(40)
)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder and a user's configuration of the test's own."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("BENCH_MACHINES", raising=False)
    return tmp_path


def write(folder: Path, text: str) -> Path:
    """A machines.yaml of that text."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "machines.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def refused(name: str) -> str:
    """What is said of a profile that is wrong."""
    with pytest.raises(BenchError) as caught:
        machines_file.load(name)
    assert caught.value.exit_code == 2
    return str(caught.value)


def test_a_profile_is_what_its_file_says(home: Path) -> None:
    """Times are seconds, one line of set-up is a list of one, the place is told."""
    write(home / "work", CLUSTER)

    found = machines_file.find("cluster")

    assert found.place == "machines.yaml:1:1"
    assert found.profile == Profile(
        name="cluster", engine="slurm", partition="gpu", time_s=43200, grace_s=120, mem="32GB",
        gpus_per_cell=1, slots_per_gpu="auto", setup=("module load cuda/12.8",),
        sbatch={"reservation": "bnn", "nice": 3}, results=Path("/lustre/me/results"),
    )  # fmt: skip
    assert Profile.model_validate_json(found.profile.model_dump_json()) == found.profile


def test_a_profile_takes_the_rest_from_the_one_that_it_extends(home: Path) -> None:
    """Its own keys go first; mappings are one; the place is its own."""
    write(home / "work", CLUSTER)

    four = machines_file.load("four")

    assert (four.partition, four.gpus_per_cell, four.ranks) == ("gpu", 4, 4)
    assert four.time_s == 36 * 3600
    assert four.sbatch == {"reservation": "bnn", "nice": 5}


def test_the_nearest_file_that_has_the_name_wins(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside the suite, here, the user's; a further one is extended; BENCH_MACHINES is alone."""
    write(home / "config" / "signbench", "a: {engine: slurm, jobs: 1}\nu: {engine: slurm, jobs: 9}")
    write(home / "work", "a: {engine: slurm, jobs: 2}\nb: {extends: u, qos: low}")
    write(home / "suites", "a: {engine: slurm, jobs: 3}")
    suite = home / "suites" / "mine.yaml"

    assert [machines_file.load("a", where).jobs for where in (suite, None)] == [3, 2]
    assert machines_file.load("u", suite).jobs == machines_file.load("b", suite).jobs == 9
    assert [*machines_file.profiles(suite)] == ["a", "b", "u"]
    monkeypatch.setenv("BENCH_MACHINES", str(write(home / "else", "c: {engine: ray}")))
    assert [*machines_file.profiles(suite)] == ["c"]
    monkeypatch.setenv("BENCH_MACHINES", "nowhere.yaml")
    assert refused("c") == "BENCH_MACHINES: no file `nowhere.yaml`"


@pytest.mark.parametrize("engine", KEYS)
def test_an_engine_needs_no_file(engine: str) -> None:
    """Its name is a profile that asks for nothing."""
    assert machines_file.load(engine) == Profile.model_validate({"name": engine, "engine": engine})


def test_keys_may_stand_after_a_colon(home: Path) -> None:
    """They go before those of the engine or the profile, which is called as it was asked for."""
    write(home / "work", CLUSTER)

    one = machines_file.load("slurm:partition=gpu,time=12h,exclude=[n1,n2],sbatch={nice: 1}")
    two = machines_file.load("cluster:time=1h")

    assert (one.partition, one.time_s, one.exclude) == ("gpu", 43200, ("n1", "n2"))
    assert one.sbatch == {"nice": 1}
    assert (two.partition, two.time_s, two.name) == ("gpu", 3600, "cluster:time=1h")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("clustr", "--on `clustr`: no such profile; did you mean `cluster`?"),
        ("slrm", "--on `slrm`: no such profile; did you mean `slurm`?"),
        ("", "--on ``: no such profile; known: cluster, four, lab, local, slurm, ray"),
        ("slurm:", "``: expected KEY=VALUE, as in slurm:partition=gpu,time=12h"),
        ("slurm:partitoin=x", "slurm.partitoin: unknown key; did you mean `partition`?"),
        ("slurm:address=x", "slurm.address: slurm has no such key, ray has"),
        ("lab:time=3h", "--on `lab:time=3h`: lab.time: ray has no such key, slurm has"),
        ("slurm:time=90", "slurm.time: expected a time with its unit, as in 90s"),
        ("slurm:time_s=90", "slurm.time_s: unknown key; did you mean `time`?"),
        ("slurm:jobs=0", "slurm.jobs: must be greater than or equal to 1, got 0"),
        ("slurm:jobs=1,jobs=2", "`jobs=2`: jobs is given twice"),
        ("slurm:jobs=[", "`jobs=[`:1:2: not YAML: "),
        ("slurm:time=1m", "grace: a job is told before its time ends"),
        ("slurm:extends=lab", "slurm.extends: stands in a file only"),
    ],
)
def test_what_is_no_profile_is_told(home: Path, name: str, said: str) -> None:
    """With what was meant, before anything is done."""
    write(home / "work", CLUSTER)

    found = refused(name)

    assert said in found
    assert "\n" not in found


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("{partition: x}", "1:1: x.engine: required, and not there"),
        ("{engine: slrum}", "1:5: x.engine: must be `local`, `slurm` or `ray`, got `slrum`; did"),
        ("{engine: slurm, tiem: 1h}", "1:20: x.tiem: unknown key; did you mean `time`?"),
        ("{engine: slurm, address: x}", "1:20: x.address: slurm has no such key, ray has"),
        ("{engine: slurm, time: 600}", "1:20: x.time: expected a time with its unit"),
        ("{engine: slurm, time: 10:30}", "1:20: x.time: expected a time with its unit"),
        ("{engine: slurm, jobs: yes}", "1:20: x.jobs: must be a valid integer, got `yes`"),
        ("{engine: slurm, mem: 32 GB}", "1:20: x.mem: string should match pattern"),
        ("{engine: slurm, results: here}", "1:20: x.results: expected a path from the root"),
        ("{engine: slurm, sbatch: {mem: 3G}}", "1:20: x.sbatch: `mem`: the key mem of the"),
        ("{engine: slurm, sbatch: {wrap: ls}}", "1:20: x.sbatch: `wrap`: signbench sets it"),
        ("{engine: slurm, setup: [a, 3]}", "1:31: x.setup.1: must be a valid string, got 3"),
        ('{engine: slurm, setup: ["a\\nb"]}', "1:28: x.setup.0: string should match pattern"),
        ("{engine: slurm, slots_per_gpu: 2}", "1:1: x: slots_per_gpu shares a GPU: say"),
        ("{engine: slurm, ranks_per_cell: 3, nodes_per_cell: 2}", "1:1: x: nodes_per_cell: 3 "),
        ("{engine: ray, gpus_per_cell: 2, ranks_per_cell: 2}", "1:1: x: ranks_per_cell is for"),
        ("{extends: y}", "1:5: x.extends: no profile `y`"),
        ("{extends: x}", "1:5: x.extends: in a circle: x > x"),
        ("{extends: [x]}", "1:5: x.extends: no profile `['x']`"),
        ("slurm", "1:1: x: expected the keys of a profile, as in engine: slurm"),
        ("{engine: slurm}\n3: {engine: ray}", "2:1: 3: a name is letters, digits"),
        ("{engine: slurm}\nray: {engine: ray}", "2:1: ray: an engine is called so"),
        ("{engine: slurm}\nx: {engine: ray}", "2:1: x: duplicate key, first at machines.yaml:1:1"),
        ("{engine: !!python/none }", "1:13: not YAML: could not determine a constructor"),
    ],
)
def test_what_is_wrong_in_a_file_is_told_with_its_place(home: Path, entry: str, said: str) -> None:
    """File, line, column, key, what is wrong, and what may have been meant."""
    write(home / "work", f"x: {entry}\n")

    assert f"machines.yaml:{said}" in refused("x")


def test_a_key_of_the_extended_profile_is_told_where_it_stands(home: Path) -> None:
    """Two profiles that extend each other are a circle; a wrong value is told once, at its line."""
    write(
        home / "work",
        "a: {extends: b}\nb:\n  engine: slurm\n  jobs: 0\nc: {extends: d}\nd: {extends: c}",
    )

    with pytest.raises(SuiteError) as caught:
        machines_file.profiles()

    assert str(caught.value).splitlines() == [
        "machines.yaml:4:3: a.jobs: must be greater than or equal to 1, got 0",
        "machines.yaml:4:3: b.jobs: must be greater than or equal to 1, got 0",
        "machines.yaml:6:5: d.extends: in a circle: c > d > c",
        "machines.yaml:5:5: c.extends: in a circle: d > c > d",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "- a",
        "word",
        "\x1b[31m: {engine: slurm}",
        "x: {engine: slurm",
        "[" * 200,
        "a: &a [*a]",
        BOMB,
        "x: {engine: slurm, jobs: " + "9" * 5000 + "}",
        "x: {? [1, 2] : 3}",
        "<<: {a: 1}",
        "x: {<<: [1]}",
        "x: {engine: [slurm]}",
        "x: {engine: slurm, sbatch: {a: {b: 1}}}",
        "x: {engine: slurm, sbatch: {1: 2}}",
        "x: {engine: slurm, sbatch: [a]}",
        "x: {engine: slurm, exclude: ['a b']}",
        "x: {engine: slurm, results: 3}",
        "x: {engine: ray, shared: 1}",
    ],
)
def test_hostile_yaml_is_an_error(home: Path, text: str) -> None:
    """No traceback, and a line for each problem that names the file."""
    write(home / "work", text)

    with pytest.raises(BenchError) as caught:
        machines_file.profiles()

    assert all(line.startswith("machines.yaml") for line in str(caught.value).splitlines())


def test_a_broken_profile_beside_it_stops_no_other(home: Path) -> None:
    """Only what is asked for is read strictly; the list of profiles tells of all."""
    write(home / "work", CLUSTER + "new: {engine: slurm, key_of_tomorrow: 1}\n")

    assert machines_file.load("four").ranks == 4
    with pytest.raises(SuiteError, match="key_of_tomorrow"):
        machines_file.profiles()


def test_the_schema_takes_what_the_loader_takes() -> None:
    """Every key of every engine is in it, and a wrong one is marked."""
    schema = json.loads(json.dumps(machines_file.make_schema(), allow_nan=False))
    jsonschema.Draft202012Validator.check_schema(schema)
    check = jsonschema.Draft202012Validator(schema)
    (entry,) = schema["patternProperties"].values()

    good = yaml_document.parse(CLUSTER, "x").data
    bad = {"x": {"engine": "slurm", "partitoin": 1}}
    assert [*check.iter_errors(good)] == []
    assert [*check.iter_errors(bad)] != []
    assert entry["properties"].keys() == {"engine", "extends"}.union(*KEYS.values())


def test_every_key_is_a_field() -> None:
    """What an engine's keys are called, a profile has."""
    fields = {str(f.validation_alias or name) for name, f in Profile.model_fields.items()}

    assert set().union(*KEYS.values()) | {"name", "engine"} == fields


def test_a_person_is_told_of_a_file_that_cannot_be_read(home: Path) -> None:
    """A folder in its place is no file, and no error."""
    (home / "work" / "machines.yaml").mkdir()

    with pytest.raises(UsageError, match=r"no machines.yaml found"):
        machines_file.load("x")
