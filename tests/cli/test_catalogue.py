"""What there is: listed, described, and written to start from."""

import io
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from fakes import TINY
from rich.console import Console

from bench.cli import catalogue, catalogue_text
from bench.cli.app import main
from bench.properties import check_text
from bench.properties.check import check_estimator
from bench.registry import ESTIMATORS
from bench.spec import choices

Bench = Callable[..., tuple[int, str, str]]


def test_lists(ask: Bench) -> None:
    """Everything there is can be listed, with its formula or its question."""
    assert "f(z) = sign(z) |z|^(1/o)" in ask("list", "estimators")[1]
    assert "resnet20" in ask("list", "backbones")[1]
    assert "start (end/start)^p" in ask("list", "schedules")[1]
    assert "Which gradient estimator" in ask("list", "suites")[1]
    assert "ReCU (Xu et al., ICCV 2021)" in ask("list", "presets")[1]
    assert re.search(r"digits \(8x8\): 1,\d+ train, 35\d test", ask("data", "list")[1])
    assert "fingerprint" in ask("data", "verify", "digits")[1]


def test_a_twin_stands_behind_its_suite(ask: Bench) -> None:
    """Suites are sorted by name, a line each."""
    names = [line.split()[0] for line in ask("list", "suites")[1].splitlines()]

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


def test_show(ask: Bench) -> None:
    """A schedule shows its formula, a plugin its rule block and its parameters."""
    assert "exp(p) = start (end/start)^p" in ask("show", "schedule", "exp")[1]
    text = ask("show", "estimator", "reste")[1]
    assert "Reference: Wu et al." in text
    assert "o_end" in text
    text = ask("show", "backbone", "resnet20")[1]
    assert "option A" in text
    assert "\n  width       16       integer, at least 2, multiple of 2\n" in text
    assert "\n  order       relu_bn  relu_bn | prelu_bn | bn_hardtanh | bn_relu | bn_prelu" in text
    assert "\n  bireal      false    true | false\n" in text
    assert "Never flipped" in ask("show", "data", "digits")[1]
    assert "train: {optimizer: adam" in ask("show", "preset", "as_bnn")[1]
    assert "no preset `as_bnm`; did you mean" in ask("show", "preset", "as_bnm")[2]


@pytest.mark.parametrize(("several", "one"), choices.PLURALS.items())
def test_a_kind_is_named_in_the_singular_or_the_plural(several: str, one: str) -> None:
    """By `list` and `show` alike."""
    assert catalogue.read_kind(several) == catalogue.read_kind(one) == one


def test_curve_writes_csv(ask: Bench) -> None:
    """Columns p, knob, z, f, df on stdout and nothing else."""
    code, out, err = ask(
        "curve", "reste", "--at", "0", "--from", "-1", "--to", "1", "--points", "3"
    )

    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "p,knob,z,f,df", "0.0,1.0,-1.0,-1.0,1.0", "0.0,1.0,0.0,0.0,1.0", "0.0,1.0,1.0,1.0,1.0",
    ]  # fmt: skip
    assert ask("curve", "rbnn", "--role", "A")[1] != ask("curve", "rbnn")[1]


def test_schema_goes_to_a_file(ask: Bench, tmp_path: Path) -> None:
    """The schema is written where it is asked for, or to stdout."""
    assert ask("schema", "-o", tmp_path / "s.json")[0] == 0
    assert (tmp_path / "s.json").read_text(encoding="utf-8") == ask("schema")[1]
    assert '"Profiles of signbench"' in ask("schema", "--machines")[1]


def test_a_new_estimator_is_there_at_once(
    ask: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`bench new` writes a file that is listed, checked and trained as it stands."""
    monkeypatch.chdir(tmp_path)
    assert ask("new", "estimator", "mine")[0] == 0
    (tmp_path / "estimators" / "broken.py").write_text("import nothing_at_all", "utf-8")
    _, listed, _ = ask("list", "estimators")

    assert re.search(r"^mine\s+f\(z\) = tanh\(tz\)", listed, re.MULTILINE)
    assert re.search(r"^broken\s+broken: .*No module named 'nothing_at_all'", listed, re.MULTILINE)
    code, out, _ = ask("check", "mine")
    assert code == 0
    assert "not rational" in out
    (tmp_path / "x.yaml").write_text(TINY.replace("[ste, reste]", "[ste, mine]"), encoding="utf-8")
    assert "mine x resnet20" in ask("plan", "x.yaml")[1]


def test_all_are_checked_beside_one_that_is_broken(
    ask: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`bench check --all` says what it found of each of the others, and ends with 3."""
    formulas = {name: ESTIMATORS.build(name, {}).formula for name in ESTIMATORS.names()}
    found = check_estimator(ESTIMATORS.build("ste", {}), quick=True)
    found = replace(found, printed=None, trained={})  # one answer for all: they take minutes
    monkeypatch.setattr(check_text, "check_estimator", lambda plugin, quick: found)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "estimators").mkdir()
    (tmp_path / "estimators" / "broken.py").write_text("import nothing_at_all", "utf-8")
    code, out, _ = ask("check", "--all")

    assert code == 3
    assert [n for n, formula in formulas.items() if f"{n}: {formula}\n" not in out] == []
    assert "No module named 'nothing_at_all'" in out


def test_plugins_of_ones_own_from_anywhere(ask: Bench, tmp_path: Path) -> None:
    """--plugins makes a folder's estimators known to every command; a wrong one is an error."""
    folder = tmp_path / "far"
    out = ask("new", "estimator", "distant", "--into", folder)[1]
    assert f"bench --plugins {folder} check distant" in out
    assert ask("--plugins", folder, "check", "distant")[0] == 0
    assert "distant" in ask("list", "estimators")[1]
    assert "no folder" in ask("--plugins", tmp_path / "nowhere", "list", "estimators")[2]
