"""The page of `bench report` in Chromium: used as people use it, looked at as axe would."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from browser import LEVELS, NAMELESS, PALE, SCOPELESS
from samples import results

from bench.report.page import write

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with two tiers, a row that lost seeds and one that is not run."""
    home = tmp_path_factory.mktemp("browser")
    asked = write.ReportRequest("s", results(home / "results"), code=False)
    return write.write(asked, home / "page.html")[0]


@pytest.fixture
def page(chromium: Any, path: Path) -> Iterator[Any]:
    """The page, opened; it has said nothing and asked for nothing when the test is done."""
    opened = chromium.new_page(viewport={"width": 1400, "height": 900})
    said: list[str] = []
    opened.on("console", lambda message: said.append(message.text))
    opened.on("pageerror", lambda error: said.append(str(error)))
    opened.on("request", lambda request: said.append(request.url))
    opened.goto(path.as_uri())
    yield opened
    opened.close()
    assert said == [path.as_uri()]


def names(page: Any) -> list[str]:
    """Of the rows that are shown, in their order."""
    return [text.split("<")[0] for text in page.locator("tbody tr:visible .name").all_inner_texts()]


def head(page: Any, name: str) -> Any:
    return page.locator(".ranked thead th", has=page.get_by_role("button", name=name, exact=True))


def test_a_head_sorts_both_ways(page: Any) -> None:
    """By accuracy best first, then worst first; rows without one stay last; it is said aloud."""
    before = names(page)
    assert head(page, "#").get_attribute("aria-sort") == "ascending"
    head(page, "acc, %").get_by_role("button").click()
    down = names(page)
    head(page, "acc, %").get_by_role("button").press("Enter")
    up = names(page)

    assert before == down == ["reste", "ste", "ede", "wild", "Bop"]
    assert up == ["wild", "ede", "ste", "reste", "Bop"]
    assert head(page, "acc, %").get_attribute("aria-sort") == "ascending"
    assert page.locator("[aria-sort]").count() == 1
    assert (
        page.get_by_role("status").inner_text() == "resnet20, W/A 1/1 sorted by acc, %, ascending"
    )


def test_acc_and_published_are_seen_together(page: Any) -> None:
    """On a screen of 1280 pixels, whatever stands to their right."""
    page.set_viewport_size({"width": 1280, "height": 800})
    ends = [head(page, name).bounding_box() for name in ("acc, %", "published, %")]

    assert all(box["x"] + box["width"] < 1000 for box in ends)


def test_words_and_choices_filter(page: Any) -> None:
    """The box, the tier and the tick leave the rows that fit, and say how many; reset shows all."""
    page.get_by_label("Filter rows").fill("STE re")
    found = names(page)
    told = page.get_by_role("status").inner_text()
    page.get_by_role("button", name="Show all").click()
    page.get_by_label("Tier").select_option("2")
    second = names(page)
    page.get_by_label("Tier").select_option("")
    page.get_by_label("measured rows only").check()

    assert (found, told) == (["reste"], "1 of 5 rows shown")
    assert second == ["ste", "ede"]
    assert names(page) == ["reste", "ste", "ede", "wild"]


def test_a_number_opens_its_provenance(page: Any) -> None:
    """By mouse and by Enter; Esc closes the dialog and the focus is where it was."""
    dialog = page.get_by_role("dialog")
    number = page.get_by_role("link", name="80.10 ± 0.25").first
    number.click()
    shown = dialog.inner_text()
    asked = dialog.locator("td.asked").all_inner_texts()
    page.keyboard.press("Escape")

    assert "reste, acc, %: 80.10 ± 0.25" in shown
    assert asked == ["80.00", "80.10", "80.20", "80.10", "± 0.25"]
    assert not dialog.is_visible()
    number.press("Enter")
    dialog.locator("summary", has_text="reste-resnet20-w1a1-s1__").click()
    for words in ("record.json", "bench run", "2026-01-01T00:00:00", "torch 2", "log.txt", "clean"):
        assert dialog.get_by_text(words).locator("visible=true").count()
    page.keyboard.press("Escape")
    assert number.evaluate("(link) => link === document.activeElement")


def test_a_published_number_opens_its_source(page: Any) -> None:
    """Source and verdict of a claim; a verdict on f opens its witness."""
    page.get_by_role("link", name="80.00", exact=True).first.click()
    claim = page.get_by_role("dialog").inner_text()
    page.get_by_role("button", name="Close").click()
    page.get_by_role("link", name="no", exact=True).first.click()

    assert "Bop, published, %: 80.00" in claim
    assert "not built" in claim
    assert "not rational: </script><img" in page.get_by_role("dialog").inner_text()


def test_two_themes_that_can_be_read(page: Any) -> None:
    """The button turns the page dark and back; text of every part has a contrast of 4.5 in both."""
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    button = page.get_by_role("button", name="Dark")
    colours: list[str] = []
    for pressed in ("false", "true"):
        assert button.get_attribute("aria-pressed") == pressed
        assert page.evaluate(PALE) == []
        colours.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
        button.click()

    assert len(set(colours)) == 2
    page.emulate_media(color_scheme="dark")
    assert button.get_attribute("aria-pressed") == "false"  # what was chosen stays


def test_paper_has_no_controls(page: Any) -> None:
    """Printed, the page is light, every part open, and nothing is there to be pressed."""
    page.get_by_role("button", name="Dark").click()
    page.emulate_media(media="print")

    controls = "#theme:visible, #filter:visible, nav:visible, #status:visible"
    assert page.locator(controls).count() == 0
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.get_by_text("epoch 1").first.is_visible()
    assert (
        page.locator(".scroll").first.evaluate("(e) => getComputedStyle(e).overflowX") == "visible"
    )


def test_a_narrow_page_does_not_scroll_sideways(page: Any) -> None:
    """At 400 pixels with every part open, and at 1280 seen at 200 %, only tables scroll."""
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    for width in (400, 640):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") == width


def test_it_can_be_used_without_eyes(page: Any) -> None:
    """All that can be used has a name, tables have captions and scopes, headings skip no level."""
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    levels: list[int] = page.evaluate(LEVELS)

    assert page.evaluate(NAMELESS) == []
    assert page.evaluate(SCOPELESS) == []
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b <= a + 1 for a, b in pairwise(levels))
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
