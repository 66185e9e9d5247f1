"""`bench site`: what its pages say and lead to, what they offer, and that strangers run nothing."""

import csv
import json
import re
from collections.abc import Callable, Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from browser import LEVELS, NAMELESS, PALE, SCOPELESS
from samples import EVIL, cell, made, record, results, row

from bench.errors import EmptyMatch, UsageError
from bench.report.site import write
from bench.results import archive, record_index, store
from bench.spec.plan import Plan

Ask = Callable[..., tuple[int, str, str]]
NAME = '"><img src=x onerror=alert(1)> .. `rm` ?#%2e&amp;'  # of a suite and a network
LINK = re.compile(r'<a[^>]* href="([^"]*)"')


def hostile(root: Path) -> Path:
    """A results folder of one suite, everything in which is somebody's markup."""
    cells, records = made("ste", {0: 0.5, 1: 0.6, 2: 0.7})
    more, others = made("ede", {0: 0.5, 1: 0.6, 2: 0.7})
    cells, more = ([c.model_copy(update={"backbone": c.backbone.model_copy(
        update={"name": NAME})}) for c in own] for own in (cells, more))  # fmt: skip
    told = records[0].provenance.model_copy(update={"host": EVIL, "device": "../../etc"})
    plan = Plan(suite=NAME, question=[f"Is it {EVIL}?"], source="/home/me/s.yaml",
                source_digest="0", baseline="ste",
                rows=[row("ste", cells), row(EVIL, more)])  # fmt: skip
    store.save_plan(root, plan)
    for one, own in zip((*records, *others), (*cells, *more), strict=True):
        home = store.save_record(root, one.model_copy(update={"cell": own, "provenance": told}))
        (home.parent / "log.txt").write_text("token=abcdef\nhttps://me:pass@host/\n", "utf-8")
    return root


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site of two folders, that of the page's tests and a hostile one."""
    folder = tmp_path_factory.mktemp("site")
    roots = [results(folder / "r"), hostile(folder / "h")]
    write.write_site(write.SiteRequest(roots, "Board", figures=False), folder / "public")
    return folder / "public"


def pages(home: Path) -> dict[str, str]:
    return {p.relative_to(home).as_posix(): p.read_text("utf-8") for p in home.rglob("*.html")}


def test_every_link_leads_somewhere(home: Path) -> None:
    """To a page of the site and a part that it has, or to a file; no page is led to by none."""
    led: set[Path] = set()
    for name, text in pages(home).items():
        for link in map(unescape, LINK.findall(text)):
            file, _, part = link.partition("#")
            target = (home / name).parent / file if file else home / name
            assert target.resolve().is_relative_to(home)
            assert target.is_file(), (name, link)
            assert not part or f' id="{part}"' in target.read_text("utf-8"), (name, link)
            led.add(target.resolve())

    assert {path.resolve() for path in home.rglob("*.*")} - led == {home / "site-files.txt"}


def test_text_of_strangers_is_no_markup_no_path_and_no_script(home: Path) -> None:
    """Names are shown as written; files have plain names; nothing is fetched but by a click."""
    for name, text in pages(home).items():
        assert re.fullmatch(r"[\w@=,/-]+\.html", name)
        assert "<img" not in text
        assert text.count("<script") == text.count("</script>") == 1
        assert "default-src &#39;none&#39;" in text
        assert not re.search(r'\ssrc="', text)
    front = (home / "index.html").read_text("utf-8")
    assert "Is it &lt;/script&gt;&lt;img src=x onerror=&#34;alert(1)&#34;&gt;?" in front


def test_the_first_page_has_questions_and_answers(home: Path) -> None:
    """Settled and open ones, how many cells, and each method, network and machine."""
    text = (home / "index.html").read_text("utf-8")

    for words in ("2 questions, 1 settled", "reste is surely the best of 3 rows.",
                  "Not settled: none of the 2 rows can be told", "12 of 12",
                  "<h1>Board</h1>"):  # fmt: skip
        assert words in text
    assert {"methods/reste.html", "networks/resnet20.html", "machines/cpu,-h"} <= {
        re.sub(r"-[0-9a-f]{6}\.html$", "", link) for link in LINK.findall(text)
    }


def test_a_method_has_all_its_rows(home: Path) -> None:
    """Rows of both folders; a number leads to the part of a suite's page that it is traced in."""
    text = (home / "methods" / "ste.html").read_text("utf-8")

    assert text.count('<th scope="row"') == 2
    assert '<a href="../suites/s.html#row-2">50.10 ± 0.25</a>' in text


def test_downloads_are_the_board_and_prove_themselves(home: Path, tmp_path: Path) -> None:
    """CSV, JSON and LaTeX of the board, a line for each cell; the archive holds no folder, and no
    secret of a log.
    """
    there = home / "downloads"
    (tmp_path / "tree" / "cells").mkdir(parents=True)
    (name,) = (p.name for p in there.glob("img*.tar.gz"))
    archive.read_archive(there / name, tmp_path / "tree")
    plan = next((tmp_path / "tree").rglob("plan.json")).read_text("utf-8")
    log = next((tmp_path / "tree").rglob("log.txt")).read_text("utf-8")

    assert json.loads((there / "s.json").read_text("utf-8"))["suite"] == "s"
    assert (there / "s.csv").read_text("utf-8").count("\n") == 6
    assert len(list(csv.DictReader((there / "s-cells.csv").read_text("utf-8").splitlines()))) == 12
    assert r"\begin{tabular}" in (there / "s.tex").read_text("utf-8")
    assert '"source":"s.yaml"' in plan
    assert log == "token=***\nhttps://***@host/\n"


def test_written_again_it_is_the_same_and_loses_what_is_gone(tmp_path: Path) -> None:
    """The same records give the same bytes; pages of a suite that is gone go, others' files stay
    and are asked about before.
    """
    root, public = results(tmp_path / "r"), tmp_path / "public"
    asked = write.SiteRequest([root, hostile(tmp_path / "h")], figures=False)
    write.write_site(asked, public)
    first = {path: path.read_bytes() for path in public.rglob("*.*")}
    write.write_site(asked, public)
    again = {path: path.read_bytes() for path in public.rglob("*.*")}
    (public / "CNAME").write_text("mine")
    write.write_site(write.SiteRequest([root], figures=False), public)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("mine")

    assert first == again
    assert [path.name for path in (public / "suites").iterdir()] == ["s.html"]
    assert (public / "CNAME").read_text() == "mine"
    with pytest.raises(UsageError, match=r"holds other files, as `thesis\.tex`"):
        write.write_site(asked, tmp_path / "mine")


def test_what_cannot_be_read_is_told_and_the_rest_is_written(tmp_path: Path, ask: Ask) -> None:
    """A damaged plan is a line on the first page; a folder without a suite is one error."""
    root = results(tmp_path / "r")
    (root / "suites" / "bad").mkdir()
    (root / "suites" / "bad" / "plan.json").write_text("{")
    code, out, err = ask("site", tmp_path / "public", root, "--no-figures")
    (tmp_path / "empty" / "cells").mkdir(parents=True)

    assert code == 0
    assert err == f"note: {root}: the plan of `bad` cannot be read\n"
    assert out.startswith(f"wrote {tmp_path / 'public' / 'index.html'}: 1 suite, 1 settled; ")
    assert "cannot be read" in (tmp_path / "public" / "index.html").read_text("utf-8")
    with pytest.raises(EmptyMatch, match="no suite ran there"):
        write.write_site(write.SiteRequest([tmp_path / "empty"]), tmp_path / "new")


def test_each_record_is_read_once_for_all_suites(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two suites of the same cells read as many records as one does; a second site reads none."""
    cells, records = made("ste", {seed: 0.5 + seed / 1000 for seed in range(4)})
    for name in ("a", "b"):
        plan = Plan(suite=name, source="s", source_digest="0", baseline=None,
                    rows=[row("ste", cells)])  # fmt: skip
        store.save_plan(tmp_path / "r", plan)
    for one in records:
        store.save_record(tmp_path / "r", one)
    read: list[Path] = []
    real = store.read_record
    monkeypatch.setattr(store, "read_record", lambda path: read.append(path) or real(path))
    monkeypatch.setattr(record_index, "SETTLED_S", -60)
    monkeypatch.setattr(record_index, "WORTH", 4)
    asked = write.SiteRequest([tmp_path / "r"], figures=False)
    write.write_site(asked, tmp_path / "public")
    first, read[:] = len(read), []
    write.write_site(asked, tmp_path / "public")

    assert first == 4
    assert read == []


@pytest.fixture
def page(chromium: Any, home: Path) -> Iterator[Any]:
    """The first page, opened from its folder; nothing is said, and no network is asked."""
    opened = chromium.new_page(viewport={"width": 1280, "height": 900})
    said: list[str] = []
    opened.on("console", lambda message: said.append(message.text))
    opened.on("pageerror", lambda error: said.append(str(error)))
    opened.on(
        "request",
        lambda request: request.url.startswith(home.as_uri()) or said.append(request.url),
    )
    opened.goto((home / "index.html").as_uri())
    yield opened
    opened.close()
    assert said == []


def test_from_a_question_to_the_record_of_a_number(page: Any) -> None:
    """By keyboard alone: the question, its page; back; a method, and the trace behind its number,
    which is open.
    """
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.locator(".questions").get_by_role("link", name="s", exact=True).press("Enter")
    assert page.get_by_role("heading", level=1).inner_text() == "s"
    page.get_by_role("link", name="Board", exact=True).press("Enter")
    page.get_by_label("Filter rows").fill("reste")
    assert page.locator(".methods tbody tr:visible").count() == 1
    page.locator(".methods").get_by_role("link", name="reste").press("Enter")
    page.get_by_role("link", name="80.10 ± 0.25").first.press("Enter")

    assert page.url.endswith("suites/s.html#row-1")
    assert page.locator("#row-1 tfoot").is_visible()


def test_answers_are_chosen_and_files_are_offered(page: Any) -> None:
    """Only what is settled; a click on a button saves the file under the suite's name."""
    page.get_by_label("Answer", exact=True).select_option("settled")
    shown = page.locator(".questions tbody tr:visible").count()
    page.locator(".questions").get_by_role("link", name="s", exact=True).click()
    with page.expect_download() as saved:
        page.get_by_role("link", name="CSV").click()

    assert shown == 1
    assert saved.value.suggested_filename == "s.csv"


def test_pages_are_read_on_a_phone_in_the_dark_on_paper_and_aloud(page: Any, home: Path) -> None:
    """At 390 pixels only tables scroll; contrast is 4.5 in both themes; all has names; paper has
    no controls.
    """
    for name in ("index", "methods/ste", "networks/resnet20", "suites/s"):
        page.goto((home / f"{name}.html").as_uri())
        page.set_viewport_size({"width": 390, "height": 800})
        levels: list[int] = page.evaluate(LEVELS)
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        assert page.evaluate(NAMELESS) == page.evaluate(SCOPELESS) == []
        assert page.evaluate(PALE) == []
        page.get_by_role("button", name="Dark").click()
        assert page.evaluate(PALE) == []
        assert levels.count(1) == 1
        page.emulate_media(media="print")
        assert page.locator("#theme:visible, #filter:visible, nav:visible").count() == 0
        page.emulate_media(media="screen")


def test_folders_are_called_by_their_last_names(tmp_path: Path) -> None:
    """No page says where the folders lay, but for what tells one from another."""
    roots = [results(tmp_path / name / "results") for name in ("a", "b")]
    made = write.write_site(write.SiteRequest(roots, figures=False), tmp_path / "p")
    front = (tmp_path / "p" / "index.html").read_text("utf-8")

    assert [entry.folder for entry in made.suites] == ["a/results", "b/results"]
    assert str(tmp_path) not in front
    assert "a/results" in front
    assert len({entry.href for entry in made.suites}) == 2


def test_a_full_precision_row_is_a_method_of_its_own(tmp_path: Path) -> None:
    """Rows without an estimator are found under `full precision`."""
    real = cell(weights=None, activations=None)
    plan = Plan(suite="s", source="s", source_digest="0", baseline=None,
                rows=[row("none", [real], wa="32/32")])  # fmt: skip
    store.save_plan(tmp_path / "r", plan)
    store.save_record(tmp_path / "r", record(real))
    made = write.write_site(write.SiteRequest([tmp_path / "r"], figures=False), tmp_path / "p")

    assert any(name.startswith("methods/full-precision-") for name in made.files)
