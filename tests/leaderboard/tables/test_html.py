"""HTML of a board."""

from dataclasses import replace
from html.parser import HTMLParser

from hypothesis import example, given, settings
from hypothesis import strategies as st
from samples import board_of, board_of_four

from bench.leaderboard.tables import html, layout, render

VOID = {"meta"}
PLAIN = board_of()


class Page(HTMLParser):
    """The text of each table's cells, and whether every element is closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.cells: list[str] = []
        self.scopes: list[str] = []
        self.tags: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.scopes += [value or "" for key, value in attrs if key == "scope"]
        if tag not in VOID:
            self.open.append(tag)
        if tag in {"td", "th"}:
            self.cells.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if {"td", "th"} & set(self.open):
            self.cells[-1] += data


@given(st.text(st.characters(exclude_categories=["Cc", "Cs", "Cf"]), max_size=30))
@example('<script>alert(1)</script> & "quotes" \'</td>')
@settings(max_examples=20, deadline=None)
def test_no_text_is_markup(label: str) -> None:
    """A label stands in its cell as it was written, and brings no element."""
    section = PLAIN.sections[0]
    lines = [replace(section.rows[0], label=label)]
    sections = [replace(section, recipe=label, rows=lines)]
    named = replace(PLAIN, suite=label, notes=[label], sections=sections)
    page = Page(html.fragment(layout.arranged(named)))

    assert lines[0].title in page.cells
    assert not page.open
    assert page.tags <= {
        "table", "caption", "strong", "span", "thead", "tbody", "tr", "th", "td", "ul", "li", "p",
    }  # fmt: skip


def test_a_page_needs_nothing_else() -> None:
    """One table for each section, with caption and scopes; nothing is fetched."""
    text = render.text(board_of(), "html")
    page = Page(text)

    assert text.startswith("<!doctype html>")
    assert "http" not in text
    assert text.count("<table>") == text.count("<caption>") == 2
    assert page.scopes.count("row") == 5
    assert "54.00 ± 6.57" in page.cells


def test_tiers_are_bodies() -> None:
    """What the rows tell apart is apart, and the surely best is strong."""
    clear = render.text(board_of_four({"a": {0: 0.9, 1: 0.91}, "b": {0: 0.1, 1: 0.11}}), "html")

    assert render.text(board_of_four(), "html").count("<tbody>") == 3
    assert '<th scope="row"><strong>a</strong></th>' in clear
