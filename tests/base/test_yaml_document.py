"""YAML read as its writers expect, the place of everything, and no error but SuiteError."""

import math
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bench.base.python_files import shipped
from bench.base.text import suggest
from bench.base.yaml_document import Problem, parse, read
from bench.errors import SuiteError

SHIPPED = [path.read_text(encoding="utf-8") for path in sorted(shipped("suites").glob("*.yaml"))]
FUZZ = settings(max_examples=300, deadline=None, derandomize=True, database=None)


def refused(text: str) -> str:
    """The message with which `text` is refused."""
    with pytest.raises(SuiteError) as caught:
        parse(text, "x.yaml")
    return str(caught.value)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("1e-3", 1e-3),
        ("1.0e-4", 1e-4),
        ("1.", 1.0),
        (".5", 0.5),
        (".inf", math.inf),
        ("-.inf", -math.inf),
        ("0x10", 16),
        ("0o17", 15),
        ("017", 17),
        ("+1", 1),
        ("10:30", "10:30"),
        ("1_000", "1_000"),
        ("1/1", "1/1"),
        ("0..2", "0..2"),
        ("2001-01-01", "2001-01-01"),
        ("on", "on"),
        ("off", "off"),
        ("yes", "yes"),
        ("no", "no"),
        ("true", True),
        ("false", False),
        ("~", None),
        ("null", None),
        ("", None),
    ],
)
def test_scalars_are_those_of_yaml_1_2(written: str, value: Any) -> None:
    """A scalar has the type that YAML 1.2 gives it, not that of YAML 1.1."""
    found = parse(f"a: {written}", "x.yaml").data["a"]

    assert (type(found), found) == (type(value), value)


def test_keys_that_yaml_1_1_turns_into_booleans_stay_words() -> None:
    """A mapping may have the keys on and off."""
    assert parse("{on: 1, off: 2}", "x.yaml").data == {"on": 1, "off": 2}


def test_an_integer_key_may_be_hexadecimal() -> None:
    """A key is read as a value is."""
    assert parse("0x10: a", "x.yaml").data == {16: "a"}


def test_mappings_merge() -> None:
    """The merge key adds what the mapping does not say itself."""
    document = parse("a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}", "x.yaml")

    assert document.data["b"] == {"x": 1, "y": 3}


def test_a_duplicate_key_names_both_places() -> None:
    """Every key that stands twice is reported where it stands again, and where it stood first."""
    text = "train:\n  lr: 1\n  epochs: 2\n  lr: 3\nseeds: 0\n'seeds': 1\n"

    assert refused(text) == (
        "x.yaml:4:3: train.lr: duplicate key, first at x.yaml:2:3\n"
        "x.yaml:6:1: seeds: duplicate key, first at x.yaml:5:1"
    )


@pytest.mark.parametrize("first", ["1.0", "1", "null"])
def test_a_number_and_the_word_for_it_are_two_keys(first: str) -> None:
    """Keys of different types are no duplicates, though they are written alike."""
    assert len(parse(f'{first}: a\n"{first}": b\n', "x.yaml").data) == 2


@pytest.mark.parametrize(
    "tag", ["python/object/apply:os.system", "python/name:os.system", "python/tuple"]
)
def test_no_tag_makes_an_object(tag: str) -> None:
    """A tag that names Python is an error at its place, and runs nothing."""
    assert refused(f"a: !!{tag} [ls]") == (
        f"x.yaml:1:4: not YAML: could not determine a constructor for the tag "
        f"'tag:yaml.org,2002:{tag}'"
    )


@pytest.mark.parametrize("value", ["!!set {a, b}", "!!binary aGk=", "!!timestamp 2001-01-01"])
def test_data_is_plain(value: str) -> None:
    """A tag whose value JSON has no word for is refused, so data is the same on every run."""
    assert refused(f"a: {value}").startswith("x.yaml:1:4: ")


@pytest.mark.parametrize(
    "value",
    ["!!int foo", "!!float foo", "!!bool foo", "!!timestamp foo", "!!null [a]", '!!binary "é"'],
)
def test_a_tag_that_does_not_fit_is_an_error(value: str) -> None:
    """A value that is not what its tag says is the user's to fix."""
    assert refused(f"a: {value}").startswith("x.yaml")


@pytest.mark.parametrize(("text", "code"), [("a: \x07", "#x0007"), ("\x00", "#x0000")])
def test_control_characters_are_refused(text: str, code: str) -> None:
    """A character that YAML does not allow is named."""
    message = refused(text)

    assert message.startswith("x.yaml")
    assert code in message


def test_a_word_that_no_file_can_hold_is_refused() -> None:
    """Half a surrogate pair, written as an escape, could not be saved with the results."""
    assert refused('a: "\\ud800"').startswith("x.yaml")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('a: "\\e[31mred"', "x.yaml:1:4: "),
        ('"\\x9b31m": 1', "x.yaml:1:1: "),
        ('a: ["\\u202e"]', "x.yaml:1:5: "),
        ('a: "\\0"', "x.yaml:1:4: "),
    ],
)
def test_a_word_that_commands_a_terminal_is_refused(text: str, place: str) -> None:
    """ESC and its like, written as an escape, in a value or in a key."""
    message = refused(text)

    assert message.startswith(place)
    assert message.endswith("is no character of a text")


@pytest.mark.parametrize("name", ["a\x1b[31m.yaml", "b\udcff.yaml"])
def test_a_file_whose_name_cannot_be_printed_is_refused(tmp_path: Path, name: str) -> None:
    """Its name would stand in every message and in the plan."""
    path = tmp_path / name
    path.write_text("a: 1")

    with pytest.raises(SuiteError, match="control character; rename it"):
        read(path)


@pytest.mark.parametrize("digits", ["9" * 5000, "0x" + "f" * 5000])
def test_a_number_too_long_to_print_is_refused(digits: str) -> None:
    """Later messages can print every number that is read."""
    assert refused(f"a: {digits}").startswith("x.yaml")


@pytest.mark.parametrize(
    ("innermost", "level"), [("[x, x]", "[{}]"), ("{x: 1}", "{{<<: [{}]}}")], ids=["list", "merge"]
)
def test_an_alias_bomb_is_refused(innermost: str, level: str) -> None:
    """A page of aliases that stands for 10^11 nodes is read no further than its bound."""
    ten = [", ".join([f"*a{i}"] * 10) for i in range(11)]
    lines = [f"a{i}: &a{i} {level.format(aliases)}" for i, aliases in enumerate(ten, start=1)]
    message = refused("\n".join([f"a0: &a0 {innermost}", *lines]))

    assert message == "x.yaml: more than 100000 nodes after its aliases"


@pytest.mark.parametrize(
    ("text", "place"),
    [("&a [*a]", "0"), ("&a {b: *a}", "b"), ("&a {<<: *a}", "<<"), ("&a {b: [{c: *a}]}", "b.0.c")],
    ids=["list", "mapping", "merge", "below"],
)
def test_an_alias_that_holds_itself_is_named(text: str, place: str) -> None:
    """What holds itself is refused by its place, in words of YAML and not of Python."""
    assert refused(text) == f"x.yaml:1:1: {place}: an alias that holds itself"


@pytest.mark.parametrize("text", ["- " * 5000, "? " * 5000, "1" * 5000], ids=["-", "?", "digits"])
def test_what_python_cannot_read_is_told_in_words(text: str) -> None:
    """Too deep a nesting or too long a number names no exception."""
    message = refused(text)

    assert message.startswith("x.yaml: not readable as YAML: ")
    assert "Error" not in message


@pytest.mark.parametrize("text", ["[" * 50_000, "{a: " * 50_000, "a: " + "[" * 101 + "]" * 101])
def test_many_brackets_are_refused_at_once(text: str) -> None:
    """PyYAML would look at each open bracket again for each word that follows."""
    assert "brackets nested more than 100 deep" in refused(text)


def test_a_very_long_file_is_refused() -> None:
    """Nobody writes two megabytes of suite, and reading them would take a minute."""
    assert refused("# " + "x" * 2_000_000) == "x.yaml: more than 2,000,000 characters"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1, 2", "x.yaml:1:9: not YAML: expected ',' or ']', but got '<stream end>'"),
        ("a: *b", "x.yaml:1:4: not YAML: found undefined alias 'b'"),
        ("a\n---\nb", "x.yaml:2:1: not YAML: but found another document"),
    ],
)
def test_what_is_not_yaml_is_told_with_its_place(text: str, message: str) -> None:
    """A syntax error has a file, a line, a column and a reason."""
    assert refused(text) == message


def test_a_file_must_be_utf8(tmp_path: Path) -> None:
    """Bytes that are no UTF-8 are named by their offset."""
    path = tmp_path / "x.yaml"
    path.write_bytes(b"a: \xe9")

    with pytest.raises(SuiteError) as caught:
        read(path)

    assert str(caught.value) == f"{path}: not UTF-8 text: unexpected end of data at byte 3"


def test_a_directory_is_not_a_suite(tmp_path: Path) -> None:
    """A folder, or nothing at all, is an error of the system in its own words."""
    messages: list[str] = []
    for path in (tmp_path, tmp_path / "none.yaml"):
        with pytest.raises(SuiteError) as caught:
            read(path)
        messages.append(str(caught.value))

    assert messages == [
        f"{tmp_path}: Is a directory",
        f"{tmp_path / 'none.yaml'}: No such file or directory",
    ]


def test_what_may_have_no_end_is_not_read(tmp_path: Path) -> None:
    """A pipe and a device are no suites, and neither is a file that is too long to be one."""
    pipe, long = tmp_path / "pipe", tmp_path / "long.yaml"
    os.mkfifo(pipe)
    with long.open("wb") as file:
        file.truncate(2**40)
    messages: list[str] = []
    for path in (pipe, Path("/dev/zero"), long):
        with pytest.raises(SuiteError) as caught:
            read(path)
        messages.append(str(caught.value))

    assert messages == [
        f"{pipe}: not a regular file",
        "/dev/zero: not a regular file",
        f"{long}: more than 2,000,000 characters",
    ]


def test_an_empty_file_is_nothing(tmp_path: Path) -> None:
    """An empty file holds no data, and whoever looks for a key there learns the file's name."""
    path = tmp_path / "x.yaml"
    path.touch()
    document = read(path)

    assert document.data is None
    assert document.where(("train",)) == f"{path}:1:1"


def test_every_key_and_item_has_its_place() -> None:
    """Places count lines and columns from 1, of keys where they stand, of items at their value."""
    document = parse("\ufeffa:\n  b: [1, {c: 2}]\n# no\nä: x\n", "x.yaml")

    assert document.places == {
        (): "x.yaml:1:1",
        ("a",): "x.yaml:1:1",
        ("a", "b"): "x.yaml:2:3",
        ("a", "b", 0): "x.yaml:2:7",
        ("a", "b", 1): "x.yaml:2:10",
        ("a", "b", 1, "c"): "x.yaml:2:11",
        ("ä",): "x.yaml:4:1",
    }


def test_what_is_not_there_is_placed_where_it_belongs() -> None:
    """The place of a missing key is that of the nearest thing above it."""
    document = parse("a: 1\ntrain:\n  lr: 1\n", "x.yaml")

    assert document.where(("train", "epochs", 0)) == "x.yaml:2:1"


def test_a_report_is_in_file_order() -> None:
    """Problems are sorted by line, then by column, as numbers, and none is told twice."""
    document = parse("{aaaaaa: 1, b: 2,\nc: 3}", "x.yaml")
    wrong = [Problem((key,), "no") for key in ("c", "b", "aaaaaa", "b")]

    assert document.report(wrong) == "x.yaml:1:2: aaaaaa: no\nx.yaml:1:13: b: no\nx.yaml:2:1: c: no"


def test_a_report_has_one_line_per_problem() -> None:
    """A key with a line break in it does not break the line of its problem."""
    document = parse('"a\\nb": 1', "x.yaml")

    assert len(document.report([Problem(("a\nb",), "unknown key")]).splitlines()) == 1


@pytest.mark.parametrize(
    ("word", "known", "hint"),
    [
        ("epoch", ["lr", "epochs"], "; did you mean `epochs`?"),
        ("zzz", ["lr", "epochs"], "; known: lr, epochs"),
        ("zzz", [], ""),
    ],
)
def test_a_word_is_suggested_if_one_is_near(word: str, known: list[str], hint: str) -> None:
    """A misspelt word is answered by its neighbour, a strange one by the list."""
    assert suggest(word, known) == hint


def only_refused(text: str) -> bool:
    """Is `text` read, or refused with a message that starts with the file's name?"""
    try:
        parse(text, "x.yaml")
    except SuiteError as error:
        return str(error).startswith("x.yaml")
    return True


@FUZZ
@given(st.text())
@example("\x07")
def test_any_text_is_read_or_refused(text: str) -> None:
    """No text raises anything but SuiteError."""
    assert only_refused(text)


TOKENS = [
    "a",
    "b",
    "on",
    "1",
    "0x1",
    "1e3",
    ".inf",
    "~",
    "-",
    ":",
    ":\n",
    "?",
    ",",
    "{",
    "}",
    "[",
    "]",
    "&a",
    "*a",
    "<<:",
    "!!int",
    "!!str",
    "!!map",
    "!!seq",
    "!!bool",
    "!!set",
    "!!float",
    "!x",
    "'",
    '"',
    "|",
    ">",
    "#",
    "%",
    "---",
    "...",
    "\\",
    "@",
    "`",
    "=",
    "é",
]


@FUZZ
@given(st.lists(st.sampled_from([*TOKENS, " ", "\n", "\n  ", "a: "]), max_size=40))
def test_any_yaml_like_text_is_read_or_refused(tokens: list[str]) -> None:
    """No sequence of YAML's own signs raises anything but SuiteError."""
    assert only_refused("".join(tokens))


@FUZZ
@given(
    st.sampled_from(SHIPPED),
    st.lists(
        st.tuples(
            st.floats(0, 1), st.integers(0, 5), st.text(max_size=3) | st.sampled_from(TOKENS)
        ),
        min_size=1,
        max_size=5,
    ),
)
def test_a_damaged_suite_is_read_or_refused(
    text: str, damages: list[tuple[float, int, str]]
) -> None:
    """A shipped suite with a few pieces cut out and put in raises nothing but SuiteError."""
    for place, cut, piece in damages:
        start = round(place * len(text))
        text = text[:start] + piece + text[start + cut :]

    assert only_refused(text)
