"""`-o key.path=value` sets one value of a suite, and is the place of what it set."""

import functools
from typing import Any

import pytest

from bench.base.yaml_document import Document, parse
from bench.errors import SuiteError
from bench.spec.overrides import override


def overridden(text: str, *overrides: str) -> Document:
    """`text` read, then changed."""
    return functools.reduce(override, overrides, parse(text, "x.yaml"))


def refused(text: str, change: str) -> str:
    """The message with which the override `change` of `text` is refused."""
    with pytest.raises(SuiteError) as caught:
        overridden(text, change)
    return str(caught.value)


@pytest.mark.parametrize(
    ("change", "data"),
    [
        ("a=2", {"a": 2, "b": {"c": [3, {"d": 4}]}}),
        ("new=1e-3", {"a": 1, "b": {"c": [3, {"d": 4}]}, "new": 1e-3}),
        ("b.c.1.d=x=y", {"a": 1, "b": {"c": [3, {"d": "x=y"}]}}),
        ("b.c.0=[1, {e: 2}]", {"a": 1, "b": {"c": [[1, {"e": 2}], {"d": 4}]}}),
        ("b.x.y=0..2", {"a": 1, "b": {"c": [3, {"d": 4}], "x": {"y": "0..2"}}}),
        ("b=", {"a": 1, "b": None}),
    ],
)
def test_an_override_sets_one_value(change: str, data: Any) -> None:
    """A key, a nested key, a list's item or a new mapping is set to a value read as YAML."""
    assert overridden("a: 1\nb: {c: [3, {d: 4}]}", change).data == data


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("a", "expected `key.path=value`, as in `train.epochs=3`"),
        ("=1", "expected `key.path=value`, as in `train.epochs=3`"),
        ("a..b=1", "expected `key.path=value`, as in `train.epochs=3`"),
        ("a.b=1", "`a` is not a mapping, so it has no `b`"),
        ("b.c.d.e=1", "`b.c` is not a mapping, so it has no `d`"),
        ("b.c.1=1", "`b.c` is not a mapping, so it has no `1`"),
        ("b.c.²=1", "`b.c` is not a mapping, so it has no `²`"),
    ],
)
def test_an_override_that_leads_nowhere_is_an_error(change: str, message: str) -> None:
    """An override without a value, or whose path does not exist, is quoted with the reason."""
    assert refused("a: 1\nb: {c: [3]}", change) == f"override `{change}`: {message}"


@pytest.mark.parametrize("change", ["a=[1", "a={b: 1, b: 2}", "a=!!python/none", "a=\x00"])
def test_an_override_must_be_yaml(change: str) -> None:
    """A value that is not YAML is an error at the override."""
    assert refused("a: 1", change).startswith(f"override `{change}`:")


def test_an_override_of_nothing_is_an_error() -> None:
    """An empty document has no key to set."""
    assert refused("", "a=1") == ("override `a=1`: `the suite` is not a mapping, so it has no `a`")


def test_an_override_is_the_place_of_what_it_set() -> None:
    """A later error names the override, for all below it and nothing beside it."""
    document = overridden("a: {b: [1, 2], c: 3}", "a.b=[4, {d: 5}]")

    assert document.where(("a", "b", 1, "d")) == "override `a.b=[4, {d: 5}]`"
    assert document.where(("a", "b")) == "override `a.b=[4, {d: 5}]`"
    assert document.where(("a", "c")) == "x.yaml:1:16"


def test_an_override_is_the_place_of_the_mapping_it_makes() -> None:
    """A mapping that stands in no file is placed at the override that made it."""
    document = overridden("a: {b: 1}", "a.new.key=2")

    assert document.where(("a", "new")) == "override `a.new.key=2`"


def test_an_override_leaves_an_alias_alone() -> None:
    """Two keys with one anchored value are still two: an override changes the one it names."""
    document = overridden("a: &x {y: 1}\nb: *x\n", "a.y=2")

    assert document.data == {"a": {"y": 2}, "b": {"y": 1}}


def test_the_path_is_told_before_the_value() -> None:
    """Of two mistakes in one override the first that is read is named."""
    assert "`a` is not a mapping" in refused("a: 1", "a.b=[1")
