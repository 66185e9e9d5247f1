"""What is installed: one name, whole by itself, beside whatever a project calls its own."""

import os
import shutil
import subprocess
import sys
from email.parser import Parser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ASIDE = {".venv", ".git", "results", "tests", "data"}  # of the root alone
HOSTILE = "raise SystemExit('not ours')\n"


def build(folder: Path, target: str) -> Path:
    """Build a copy of the checkout, so that nothing is left in it; unpacked, where it lies."""
    source = folder / "source"

    def ignored(place: str, _: list[str]) -> set[str]:
        return ASIDE if Path(place) == ROOT else set()

    shutil.copytree(ROOT, source, ignore=ignored)
    command = [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(folder)]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    shutil.unpack_archive(wheel, folder / "site", format="zip")
    return folder / "site"


def project(folder: Path) -> Path:
    """A project's folder whose own modules have the names of the checkout's folders."""
    folder.mkdir()
    for name in ("estimators", "backbones"):
        (folder / f"{name}.py").write_text(HOSTILE, "utf-8")
    (folder / "suites").mkdir()
    (folder / "suites" / "__init__.py").write_text(HOSTILE, "utf-8")
    return folder


@pytest.mark.slow
def test_the_wheel_works_beside_a_project_of_the_same_names(tmp_path: Path) -> None:
    """It puts `bench` alone into site-packages, lists, trains, and is shadowed by nothing."""
    site, home = build(tmp_path, "wheel"), project(tmp_path / "project")

    def bench(*args: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "bench", *args], cwd=home, capture_output=True, text=True,
            env=os.environ | {"PYTHONPATH": str(site)}, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert {p.name for p in site.iterdir() if p.suffix != ".dist-info"} == {"bench"}
    assert {"py.typed", "shipped"} <= {p.name for p in (site / "bench").iterdir()}
    assert {"__pycache__", "docs"}.isdisjoint(p.name for p in site.rglob("*"))
    (about,) = site.glob("*.dist-info/METADATA")
    said = Parser().parsestr(about.read_text("utf-8"))
    assert said["Requires-Python"] == ">=3.11"
    assert "Typing :: Typed" in said.get_all("Classifier", [])
    assert not [line for line in said.get_all("Classifier", []) if "Windows" in line]

    assert "table3-mini" in bench("list", "suites")
    listed = bench("list", "estimators")
    assert "reste" in listed
    assert "not ours" not in listed
    assert "resnet20" in bench("list", "backbones")
    sizes = ("data={digits: {train: 64, test: 50}}", "train.epochs=3")
    run = bench("run", "quickstart", *sizes, "-k", "estimator=reste & seed=0")
    assert "1 of 35 cells recorded" in run


@pytest.mark.slow
def test_an_editable_installation_leads_to_the_checkout(tmp_path: Path) -> None:
    """It is one path, below which the shipped plugins have the names that a wheel gives them."""
    site, home = build(tmp_path, "wheel:editable"), project(tmp_path / "project")
    (place,) = site.glob("*.pth")
    code = (
        "from importlib.util import find_spec; from bench.registry import ESTIMATORS; "
        "print(find_spec(ESTIMATORS.origins()['ste'].module).origin)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=home, capture_output=True, text=True, check=True,
        env=os.environ | {"PYTHONPATH": place.read_text("utf-8").strip()},
    )  # fmt: skip

    assert done.stdout == f"{tmp_path / 'source' / 'estimators' / 'ste.py'}\n"
