"""Quotas of control groups, of both versions, are those of one's own group and of all above it."""

import math
from pathlib import Path

import pytest

from bench.base import cgroup, machine


@pytest.fixture
def groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A mount of our own; `/proc/self/cgroup` as `groups / "own"` says."""
    monkeypatch.setattr(cgroup, "MOUNT", tmp_path)
    monkeypatch.setattr(cgroup, "GROUPS", tmp_path / "own")
    return tmp_path


def test_version_2(groups: Path) -> None:
    """A group that is not the root's; the least of it and of those above it counts."""
    (groups / "own").write_text("0::/user/slice\n", encoding="utf-8")
    for name, quota, limit, used in (
        ("user", "150000", "2000", "500"),
        ("slice", "max", "max", "9"),
    ):
        folder = groups / "user" / ("" if name == "user" else name)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "cpu.max").write_text(f"{quota} 100000\n", encoding="utf-8")
        (folder / "memory.max").write_text(f"{limit}\n", encoding="utf-8")
        (folder / "memory.current").write_text(f"{used}\n", encoding="utf-8")

    assert cgroup.processors() == 1.5
    assert machine.cores() == 1
    assert cgroup.free_memory() == machine.memory() == 1500


def test_version_1(groups: Path) -> None:
    """Each controller has a tree of its own; a limit that is none is enormous, a quota -1."""
    (groups / "own").write_text("4:memory:/a\n1:cpu,cpuacct:/b/c\n", encoding="utf-8")
    for path, text in {
        "cpu/b/c/cpu.cfs_quota_us": "200000",
        "cpu/b/c/cpu.cfs_period_us": "100000",
        "cpu/b/cpu.cfs_quota_us": "-1",
        "cpu/b/cpu.cfs_period_us": "100000",
        "memory/a/memory.limit_in_bytes": "3000",
        "memory/a/memory.usage_in_bytes": "1000",
        "memory/memory.limit_in_bytes": "9223372036854771712",
        "memory/memory.usage_in_bytes": "5000",
    }.items():
        (groups / path).parent.mkdir(parents=True, exist_ok=True)
        (groups / path).write_text(f"{text}\n", encoding="utf-8")

    assert cgroup.processors() == 2
    assert cgroup.free_memory() == 2000


def test_without_groups(groups: Path) -> None:
    """Nothing limits, whatever stands there."""
    assert (cgroup.processors(), cgroup.free_memory()) == (math.inf, math.inf)
    (groups / "own").write_text("0::/\nnonsense\n", encoding="utf-8")
    (groups / "cpu.max").write_text("none of it\n", encoding="utf-8")
    assert (cgroup.processors(), cgroup.free_memory()) == (math.inf, math.inf)
