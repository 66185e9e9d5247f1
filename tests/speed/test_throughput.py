"""Throughputs that a results folder keeps: found by machines of one kind, whatever their names."""

import hashlib
import json
import platform
from pathlib import Path
from typing import Any

import pytest

from bench.speed import throughput
from bench.speed.throughput import Throughput, list_throughputs, load_throughput, save_throughput

WORDS = ("graph", "1 x cpu", "a CPU, torch 2.14, 1 thread, eager")


def made(**changes: Any) -> Throughput:
    """A throughput that some host of four cores made."""
    names = dict(zip(("graph", "place", "environment"), WORDS, strict=True))
    figures = {"images_per_s": 9.0, "epoch_s": 8.0, "start_s": 1.0, "first_s": 1.0, "mib": 5.0}
    rest = {"host": "n1", "cores": 4, "copies": 1, "threads": 1, "host_mib": 5.0, "made": "2026"}
    return Throughput.model_validate(names | figures | rest | changes)


@pytest.fixture(autouse=True)
def four(monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine has four cores."""
    monkeypatch.setattr(throughput, "cores", lambda: 4)


def test_nodes_of_one_kind_find_each_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The host's name is no part of it; cores, environment and the kind of machines are."""
    save_throughput(tmp_path, made(machines="slurm"))
    save_throughput(tmp_path, made(host="n7", images_per_s=2.0))

    found = load_throughput(tmp_path, *WORDS, "slurm")
    assert found == made(machines="slurm")
    assert load_throughput(tmp_path, *WORDS) == made(host="n7", images_per_s=2.0)
    assert load_throughput(tmp_path, *WORDS, "ray") is None
    monkeypatch.setattr(throughput, "cores", lambda: 64)
    assert load_throughput(tmp_path, *WORDS, "slurm") is None


def test_what_an_older_version_kept_is_found_on_its_host(tmp_path: Path) -> None:
    """Its name held the host, and cores and kind were not said."""
    text = made(host=platform.node()).model_dump_json(exclude={"machines", "cores", "compiled"})
    name = hashlib.sha256("\n".join([*WORDS, platform.node()]).encode()).hexdigest()[:16]
    (tmp_path / "paces").mkdir()
    (tmp_path / "paces" / f"{name}.json").write_text(text, encoding="utf-8")

    assert load_throughput(tmp_path, *WORDS) == Throughput.model_validate(json.loads(text))


def test_those_of_some_machines_are_listed(tmp_path: Path) -> None:
    """The newest first; what is damaged is left out."""
    save_throughput(tmp_path, made(machines="slurm", graph="a", made="2025"))
    save_throughput(tmp_path, made(machines="slurm", graph="b", made="2026"))
    save_throughput(tmp_path, made(graph="c"))
    (tmp_path / "paces" / "x.json").write_text("{", encoding="utf-8")

    assert [each.graph for each in list_throughputs(tmp_path, "slurm")] == ["b", "a"]
