"""The site: every command on it is run, every example computed, and what is generated is whole."""

import doctest
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from pages import FENCE, PAGES, ROOT, Command, steps, walk
from typer.main import get_command

from bench.cli import streams
from bench.cli.app import app
from bench.planning.resolved_suite import resolve
from bench.registry import ESTIMATORS, REGISTRIES
from bench.spec.choices import READINGS
from bench.spec.published import read_ledger
from docs import commands, formula, gallery, plot, table3, tables

LONG = ("tutorial", "deploying", "several-gpus", "evidence", "methods")  # pages that take long
CLUSTERS = ("ray", "slurm")  # pages whose commands need one; tests/fleet follows them
ASKS = re.compile(  # another machine for something
    r'src(set)?="?(https?:)?//|<link[^>]*href="?(https?:)?//|url\(["\']?(https?:)?//|@import'
)

Ask = Callable[..., tuple[int, str, str]]


@pytest.fixture
def at(ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Command], str]:
    """Run a command in an empty folder, as a process of its own would; returns what it prints."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(streams.out, "width", 104)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("BENCH_MACHINES", raising=False)
    (tmp_path / "shipped").symlink_to(ROOT / "results")

    def call(command: Command) -> str:
        if command.verb == "make":
            subprocess.run([*command.words, "--dry-run"], cwd=ROOT, check=True, capture_output=True)
            return ""
        for registry in REGISTRIES:
            monkeypatch.setattr(registry, "_loaded", {})
        with pytest.MonkeyPatch.context() as patch:
            for name, value in command.environment.items():
                patch.setenv(name, value)
            code, out, err = ask(*command.words[1:])
        assert (code != 0) == command.fails, f"{command.line}\n{out}{err}"
        return "".join(f"{line.rstrip()}\n" for line in (out + err).splitlines())

    return call


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("page", sorted(PAGES.keys() - {*LONG, *CLUSTERS}))
def test_commands_print_what_pages_say(page: str, at: Callable[[Command], str]) -> None:
    """Every command of a page is run, in order, and prints what stands below it."""
    walk(page, at)


@pytest.mark.slow
@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("page", LONG)
def test_the_tutorial_can_be_followed(page: str, at: Callable[[Command], str]) -> None:
    """Its files are written, its commands run, and print what stands below them."""
    walk(page, at)


def test_examples_are_computed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each number in the examples of the statistics is what the program computes."""
    monkeypatch.chdir(tmp_path)
    blocks = [body for kind, _, body in FENCE.findall(PAGES["statistics"].read_text("utf-8"))
              if kind == "pycon"]  # fmt: skip
    example = doctest.DocTestParser().get_doctest("\n".join(blocks), {}, "statistics", None, None)
    found = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS, verbose=False).run(example)

    assert len(blocks) == 13
    assert found.failed == 0


@pytest.mark.parametrize("page", ["deploying", "ray", "slurm", "suites", "surviving", "tutorial"])
def test_suites_can_be_read(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every suite on a page is one that `bench run` takes."""
    monkeypatch.chdir(tmp_path)
    files = [(body, step) for body, step in steps(PAGES[page].read_text("utf-8")) if body]
    for body, path in files:
        assert isinstance(path, Path)
        path.parent.mkdir(exist_ok=True)
        path.write_text(body, encoding="utf-8")
    suites = [path for _, path in files if isinstance(path, Path) and path.suffix == ".yaml"
              and path.name != "machines.yaml"]  # fmt: skip

    assert suites
    for path in suites:
        assert resolve(path).suite.estimators


def test_commands_in_the_text_exist() -> None:
    """Every `bench ...` that a page or a generated page mentions is a command of the program."""
    known = set(get_command(app).commands)  # type: ignore[attr-defined]
    texts = [path.read_text(encoding="utf-8") for path in PAGES.values()]
    named = {word for text in texts for word in re.findall(r"`bench (\w[\w-]*)", text)}

    assert {"run", "check", "trace"} <= named
    assert named <= known


def test_every_command_and_option_is_on_its_page() -> None:
    """Also those in groups, with what `--help` says of each."""
    page = commands.page()

    for name in ("bench run", "bench data prepare", "bench new estimator"):
        assert f"\n## {name}\n" in page
    assert "| Where cells run | |" in page
    assert "<code>--format &lt;rich&#124;md" in page
    assert "default: 5m" in page


def test_every_key_of_a_suite_has_its_meaning() -> None:
    """No key without one, none for a key that is not there."""
    for model, meanings in tables.MODELS.items():
        assert list(meanings) == list(model.model_fields), model.__name__
    pages = PAGES["suites"].read_text("utf-8") + PAGES["leaderboard"].read_text("utf-8")
    known = tables.tables()
    assert all(f"\n{{{{ {name} }}}}\n" in pages for name in known)
    assert "| step/STE | `step_ratio` |" in known["Columns"]


def test_an_estimators_page_is_its_files() -> None:
    """Rule, parameters, verdicts with witnesses, reference and BibTeX of ReSTE; no table breaks."""
    page = gallery.page("reste", ESTIMATORS.build("reste", {}))  # type: ignore[arg-type]

    assert page.startswith("# reste\n\nReSTE, the rectified straight-through estimator")
    assert "```text\nforward    y = sign(z)\n" in page
    assert "| `o_end` | `3.0` | number, at least 1 |" in page
    assert "| as printed | yes | yes |  |" in page
    assert "| as it trains | yes | little | sign is not reached" in page
    assert "certified: rational (to 1e-9) at every real z, every o in [1, ∞)" in page
    assert "@inproceedings{wu2023estimator" in page
    for table in re.findall(r"(?:^\|.*\n)+", page, re.MULTILINE):
        assert len({line.count("|") for line in table.splitlines()}) == 1


def test_every_estimator_has_its_bibliography() -> None:
    """All but those that say that they are taken from nowhere; no entry is nobody's."""
    text = gallery.BIBLIOGRAPHY.read_text(encoding="utf-8")
    named = {name for entry in text.split("\n@")[1:] for name in gallery.keywords(entry)}
    for name in gallery.shipped():
        said = (ROOT / "estimators" / f"{name}.py").read_text(encoding="utf-8")
        assert gallery.bibtex(name) or "Reference: none" in said, name

    assert named <= set(gallery.shipped())
    assert len(gallery.bibtex("ste")) == 2


def test_the_page_of_table_3_is_its_ledger() -> None:
    """Every number, note and caution of the ledger, repeats elsewhere, and all six readings."""
    text = table3.numbers(claims := read_ledger("table3", Path())) + table3.definitions()

    assert all(f"| {c.acc:.2f} |" in text and c.note in text for c in claims)
    assert f"**Caution.** {claims[0].source}: {claims[0].caution}" in text
    assert "DoReFa-Net: Wu et al., ICCV 2023, Table 1 |" in text
    assert "Not stated: epochs, batch" in text
    assert "0.88 points over RBNN" in text
    assert all(f"| {name} |" in text for name in READINGS)
    assert "table3.md" in (ROOT / "docs" / "mkdocs.yml").read_text(encoding="utf-8")


def test_figures_are_drawn_for_both_backgrounds() -> None:
    """A curve for each of five moments, or of a learned knob's values; the same file every time."""
    for name in ("reste", "dsq"):
        estimator = ESTIMATORS.build(name, {})
        light, dark = (plot.draw(estimator, ink) for ink in plot.INKS.values())  # type: ignore[arg-type]

        assert light.count('id="line2d_') == dark.count('id="line2d_') > 2 * len(plot.MOMENTS)
        assert plot.INKS["light"] in light
        assert plot.INKS["light"] not in dark
    assert dark == plot.draw(estimator, plot.INKS["dark"])  # type: ignore[arg-type]


def test_formulas_take_the_texts_colour() -> None:
    """One image for each line, with its source for those who cannot see it."""
    image = formula.svg(r"\frac{a}{b} < c" "\n" r"\bar{x}")

    assert image.count("<svg ") == 2
    assert 'aria-label="\\frac{a}{b} &lt; c"' in image
    assert "currentColor" in image
    assert formula.INK not in image


@pytest.mark.slow
def test_the_site_is_built(tmp_path: Path) -> None:
    """Without a warning; every page is there, and none asks another machine for anything."""
    build = (sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict")
    done = subprocess.run(
        [*build, "-f", "docs/mkdocs.yml", "-d", tmp_path],
        cwd=ROOT, capture_output=True, text=True, check=False,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
    )  # fmt: skip
    assert (done.returncode, done.stdout + done.stderr) == (0, "")

    made = {str(path.relative_to(tmp_path)): path for path in tmp_path.rglob("*.*")}
    shown = {name: path for name, path in made.items() if path.suffix in {".html", ".css", ".svg"}}
    assert {f"estimators/{name}.html" for name in gallery.shipped()} <= made.keys()
    assert [name for name, path in shown.items() if ASKS.search(path.read_text("utf-8"))] == []
    assert "{{" not in made["suites.html"].read_text("utf-8")
    assert {"search/search_index.js", "js/iframe-worker.js"} <= made.keys()  # search in a folder
