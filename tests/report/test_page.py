"""`bench report`: what the page says, that it is one file, and that strangers' text stays text."""

import os
import re
import subprocess
from collections.abc import Callable
from html import unescape
from pathlib import Path

import pytest
from samples import made, results, row

from bench.report.page import from_code, suite_data, write
from bench.report.page.page import Extra, html
from bench.results import store
from bench.spec.plan import Plan, Properties, RoleInfo

Ask = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page of `results`, without figures and certificates."""
    root = results(tmp_path_factory.mktemp("page"))
    return html(suite_data.gather(root, "s", stale=False), root, Extra())


def test_text_of_strangers_stays_text(text: str) -> None:
    """Labels, formulas, witnesses, sources and logs are shown as written and are no markup."""
    assert text.count("&lt;/script&gt;&lt;img") >= 6
    assert "<img" not in text
    assert text.count("</script>") == 1
    assert "\x1b" not in text
    assert "␛[31m" in text


def test_nothing_is_fetched(text: str) -> None:
    """The policy forbids every source but the page itself; nothing in it names another."""
    assert "default-src 'none'" in unescape(text)
    assert not re.search(r'\b(src|action)="(?!data:)', text)
    assert not re.search(r'href="(?!#|data:,)', text)
    assert "@import" not in text
    assert "url(" not in text


def test_every_target_is_there(text: str) -> None:
    """Every link leads to a part of the page, and no two parts have one id."""
    ids = re.findall(r'\sid="([^"]+)"', text)
    links = set(re.findall(r'href="#([^"]+)"', text))

    assert len(ids) == len(set(ids))
    assert links <= set(ids)
    assert {"row-1", "properties-1", "claim-1", "claim-2"} <= links


def test_numbers_and_failures_are_told(text: str) -> None:
    """Means as the leaderboard prints them, tiers, lost seeds with their log, absent rows."""
    for words in ("80.10 ± 0.25", "+30.00 ± 0.00", "reste is surely the best of 3 rows.",
                  "2 cells gave no number", "diverged: the loss", "epoch 1", "not built",
                  "86.75", "2026-01-01T00:00:00+00:00"):  # fmt: skip
        assert words in text


def test_the_same_records_give_the_same_bytes(tmp_path: Path) -> None:
    """Two pages of one folder are one page, figures included: nothing in it is of now."""
    root = results(tmp_path / "r")
    asked = write.ReportRequest("s", root, code=False)
    sizes = [write.write(asked, tmp_path / name)[1] for name in ("a.html", "b.html")]

    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()
    assert sizes == [(tmp_path / "a.html").stat().st_size] * 2
    assert "<svg role" in (tmp_path / "a.html").read_text(encoding="utf-8")


def test_the_command_says_what_it_wrote(measured: Path, ask: Ask, tmp_path: Path) -> None:
    """Path and size are printed; the page has certificates, witnesses and the suite's values."""
    path = tmp_path / "page.html"
    code, out, _ = ask("report", "tiny", "--results", measured, "-o", path, "--no-figures")
    page = path.read_text(encoding="utf-8")

    assert code == 0
    assert out == f"wrote {path} ({path.stat().st_size / 1e6:.2f} MB)\n"
    assert page.count("✓ certified") >= 2
    assert "no parameter changes the error" in page
    assert "estimators.reste.plugin" in page
    assert "<figure>" not in page


def test_a_suite_that_never_ran_is_one_error(measured: Path, ask: Ask, tmp_path: Path) -> None:
    """The error names the plan that is missing; no file is written."""
    path = tmp_path / "page.html"
    code, out, err = ask("report", "nothing", "--results", measured, "--output", path)

    assert (code, out) == (2, "")
    assert re.fullmatch(r"error: no `.*nothing/plan.json`; run `bench run` .*\n", err)
    assert not path.exists()


def test_a_suite_without_records_has_a_page(tmp_path: Path, ask: Ask) -> None:
    """A plan alone gives a page that says what lacks."""
    cells, _ = made("ste", {0: 0.5})
    plan = Plan(suite="s", source="s", source_digest="0", baseline=None, rows=[row("ste", cells)])
    store.save_plan(tmp_path, plan)
    path = tmp_path / "page.html"
    code, _, _ = ask("report", "s", "--results", tmp_path, "-o", path, "--records-only")
    page = path.read_text(encoding="utf-8")

    assert code == 0
    assert "0 of 1 cell recorded." in page
    assert "no record" in page


def test_an_estimator_that_is_gone_has_no_certificate(tmp_path: Path, ask: Ask) -> None:
    """Where a plugin cannot be loaded, or a suite not be read, the page says so and stands."""
    cells, records = made("gone", {0: 0.5})
    judged = Properties(rational="yes", flexible="yes")
    info = RoleInfo(plugin="gone", formula="", kind="", printed=judged, trained=judged)
    one = row("gone", cells).model_copy(update={"roles": {"W": info, "A": info}})
    plan = Plan(suite="s", source="s.yaml", source_digest="0", baseline=None, rows=[one])
    store.save_plan(tmp_path, plan)
    store.save_record(tmp_path, records[0])
    path = tmp_path / "page.html"
    code, _, _ = ask("report", "s", "--results", tmp_path, "-o", path, "--no-figures")
    page = path.read_text(encoding="utf-8")

    assert code == 0
    assert "not proved: gone cannot be loaded" in page
    assert "The suite cannot be read where it was" in page


def test_a_suite_that_changed_is_told(measured: Path) -> None:
    """Values of a suite that no longer says what it said when it ran are marked as those of now."""
    plan = store.find_plan(measured, "tiny")
    changed = from_code.origins(plan.model_copy(update={"source_digest": "0"}))

    assert changed.startswith("The suite changed since it ran")
    assert from_code.origins(plan) in changed


@pytest.mark.parametrize("allowed", [False, True])
def test_stale_rows_are_told(tmp_path: Path, allowed: bool) -> None:
    """A stale record gives a number only if asked for, and then the row is marked."""
    cells, records = made("ste", {0: 0.5})
    now = cells[0].model_copy(update={"numerics": {"trainer": "0"}})
    plan = Plan(suite="s", source="s", source_digest="0", baseline=None, rows=[row("ste", [now])])
    store.save_plan(tmp_path, plan)
    store.save_record(tmp_path, records[0])
    page = html(suite_data.gather(tmp_path, "s", stale=allowed), tmp_path, Extra())

    assert ("ste (stale)" in page) == allowed
    assert (">50.00<" in page) == allowed
    assert "0 of 1 cell recorded, 1 stale." in page


def test_a_page_of_records_needs_no_torch(
    tmp_path: Path, torchless: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """`--records-only` answers where torch cannot even be imported."""
    root = results(tmp_path / "r")
    words = ("--results", root, "--records-only", "--no-figures", "-o", tmp_path / "x.html")
    done = torchless("report", "s", *words)

    assert done.returncode == 0, done.stderr


@pytest.mark.linux
def test_nothing_but_a_page_is_written_over(measured: Path, ask: Ask, tmp_path: Path) -> None:
    """No suite file and no device; through a link the file that it leads to."""
    (tmp_path / "tiny.yaml").write_text("mine")
    os.mkfifo(tmp_path / "pipe.html")
    (tmp_path / "link.html").symlink_to(tmp_path / "page.html")
    words = ("report", "tiny", "--results", measured, "--no-figures", "--records-only", "-o")

    assert "a page's name ends in .html" in ask(*words, tmp_path / "tiny.yaml")[2]
    assert (tmp_path / "tiny.yaml").read_text() == "mine"
    code, _, err = ask(*words, tmp_path / "pipe.html")
    assert (code, "it is there and no file" in err) == (5, True)
    assert ask(*words, tmp_path / "link.html")[0] == 0
    assert (tmp_path / "link.html").is_symlink()
    assert "</html>" in (tmp_path / "page.html").read_text("utf-8")
