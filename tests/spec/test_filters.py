"""`--filter`: which cells a text chooses, and what is said if it chooses none."""

import pytest

from bench.errors import EmptyMatch, UsageError
from bench.spec.cell import WA, Binarization, Cell, DataRef, Recipe, Ref
from bench.spec.filters import select
from bench.spec.plan import Plan, Row


def row(label: str, wa: WA = "1/1", schedule: str = "default") -> Row:
    """A row of two seeds."""
    ste = Ref(name="ste", params={"label": label, "schedule": schedule})
    cells = [
        Cell(
            core=1,
            weights=None if wa == "32/32" else ste,
            activations=ste if wa == "1/1" else None,
            backbone=Ref(name="resnet20"),
            data=DataRef(name="digits", fingerprint="0"),
            binarization=Binarization(),
            recipe=Recipe(epochs=1),
            seed=seed,
        )
        for seed in (0, 10)
    ]
    return Row(
        label=label, backbone="net", wa=wa, schedule=schedule, net="net", data="digits",
        classes=10, roles={}, cells=cells,
    )  # fmt: skip


PLAN = Plan(
    suite="x",
    source="x.yaml",
    source_digest="0",
    baseline=None,
    rows=[
        row("ste"),
        row("reste"),
        row("reste", wa="1/32", schedule="exp"),
        row("reste(m=0.1,t=2)"),
        row("a[b]"),
        row("none", wa="32/32"),
    ],
)


def chosen(text: str) -> list[str]:
    """The chosen cells in the plan's order, in words."""
    words = {c.id: f"{r.label} {r.wa} {c.seed}" for r in PLAN.rows for c in r.cells}
    return [words[cell.id] for cell in select(PLAN, text)]


def refused(text: str, kind: type[Exception]) -> str:
    """The message with which a filter is refused."""
    with pytest.raises(kind) as caught:
        select(PLAN, text)
    return str(caught.value)


@pytest.mark.parametrize("text", ["", "  ", "estimator=*", "backbone=net", "seed=0,10"])
def test_no_filter_is_every_cell(text: str) -> None:
    """An empty text, or one that every cell meets, chooses the plan as it is."""
    assert select(PLAN, text) == PLAN.cells


@pytest.mark.parametrize(
    ("text", "cells"),
    [
        ("estimator=ste", ["ste 1/1 0", "ste 1/1 10"]),
        ("estimator=ste,none & seed=10", ["ste 1/1 10", "none 32/32 10"]),
        ("estimator=full precision & seed=10", ["none 32/32 10"]),
        ("estimator=full_precision & seed=0", ["none 32/32 0"]),
        (" wa = 1/32 ", ["reste 1/32 0", "reste 1/32 10"]),
        ("estimator=re*e & seed=0", ["reste 1/1 0", "reste 1/32 0"]),
        ("seed=1?&estimator=?ste,n*", ["none 32/32 10"]),
        ("schedule=exp&wa=1/32&seed=0", ["reste 1/32 0"]),
        ("estimator=ste,zzz & seed=0", ["ste 1/1 0"]),
        ("seed=0 & seed=0,10 & wa=32/32", ["none 32/32 0"]),
        ("t=2 & seed=0", ["reste(m=0.1,t=2) 1/1 0"]),
    ],
)
def test_terms_join_and_words_choose(text: str, cells: list[str]) -> None:
    """All terms hold at once, one word of each is enough, and * and ? stand for any text."""
    assert chosen(text) == cells


def test_a_label_with_commas_can_be_chosen() -> None:
    """The label of a matrix over two parameters is one word."""
    assert chosen("estimator=reste(m=0.1,t=2) & seed=0") == ["reste(m=0.1,t=2) 1/1 0"]


def test_a_label_with_brackets_can_be_chosen() -> None:
    """Only * and ? are wildcards."""
    assert chosen("estimator=a[b] & seed=0") == ["a[b] 1/1 0"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ste", "--filter `ste`: expected `key=word,word`, terms joined by &"),
        ("estimator=", "--filter `estimator=`: expected `key=word,word`, terms joined by &"),
        ("seed=0 &", "--filter ``: expected `key=word,word`, terms joined by &"),
        ("estimators=ste", "--filter: no key `estimators`; did you mean `estimator`?"),
        ("zz=1", "--filter: no key `zz`; known: estimator, backbone, wa, schedule, seed, m, t"),
    ],
)
def test_a_term_must_be_one(text: str, message: str) -> None:
    """What is not `key=words` is an error that quotes it and says what it should be."""
    assert refused(text, UsageError) == message


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("estimator=resto", "no estimator `resto`; did you mean `reste`?"),
        ("seed=0 & wa=1/16,2/2", "no wa `1/16,2/2`; did you mean `1/1`?"),
        ("backbone=zzz", "no backbone `zzz`; known: net"),
        ("m=0.2", "no m `0.2`; did you mean `0.1`?"),
        ("estimator=ste & wa=1/32", "its terms never hold together"),
    ],
)
def test_no_cell_is_an_error(text: str, reason: str) -> None:
    """A filter that chooses nothing says which term nothing meets, and what there is."""
    assert refused(text, EmptyMatch) == f"--filter `{text}` matches no cell: {reason}"
