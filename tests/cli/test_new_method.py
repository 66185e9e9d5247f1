"""`bench new method`: a file that works as it stands, and trains."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bench.cli.new_estimator import write_plugin
from bench.cli.new_method import TEMPLATE
from bench.plugin import Estimator
from bench.properties.check import check_estimator
from bench.registry import Registry

Bench = Callable[..., tuple[int, str, str]]


@pytest.mark.parametrize("name", ["mine", "weights", "pull", "größe"])
def test_a_new_method_keeps_every_promise(name: str, tmp_path: Path) -> None:
    """What is written is found by its name and passes every check, whatever the name."""
    path = write_plugin(name, tmp_path, TEMPLATE)
    registry: Registry[Estimator] = Registry("estimators", "Estimator")
    registry.add_folder(path.parent)
    plugin = registry.load(name)()
    checks = check_estimator(plugin).checks

    assert [c for c in checks if not c.ok] == []
    assert "resumed is uninterrupted" in {c.name for c in checks}
    assert plugin.ref(name).params == {"lam": 0.01}


def test_the_command_writes_it(ask: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says where, and what comes next; a name that is taken stays as it is."""
    monkeypatch.chdir(tmp_path)
    code, out, _ = ask("new", "method", "mine")

    assert (code, out.splitlines()[0]) == (0, "wrote estimators/mine.py")
    assert "next: edit it, `bench check mine`" in out
    assert ask("new", "method", "mine")[0] == 2
