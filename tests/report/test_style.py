"""How figures look: colours, markers, dashes, and numbers along an axis."""

import itertools

import pytest
from matplotlib.colors import to_rgb

from bench.report.figures import style


def test_looks_differ_in_grey_too() -> None:
    """No two of 36 labels share marker and dashes; the first seven colours differ for everyone."""
    found = style.assign_styles([*style.FIRST, *(f"label {i}" for i in range(29))])

    shapes = [(look.marker, look.dashes) for look in found.values()]
    assert len(set(shapes)) == len(found) == 36
    assert len({found[name].colour for name in style.FIRST}) == len(style.FIRST)
    for one, other in itertools.combinations(style.COLOURS, 2):
        assert sum(abs(a - b) for a, b in zip(to_rgb(one), to_rgb(other), strict=True)) > 0.3


def test_a_label_looks_the_same_everywhere() -> None:
    """Known estimators whatever stands beside them; a label of one's own in whatever order."""
    assert style.assign_styles(["reste", "mine", "ste"]) == style.assign_styles(
        ["ste", "reste", "mine"]
    )
    assert (
        style.assign_styles(["reste"])["reste"]
        == style.assign_styles([*"abcdefgh", "reste"])["reste"]
    )


def test_a_row_named_after_another_has_its_colour() -> None:
    """`ste_gain` beside `ste`; marker and dashes are its own, and families differ."""
    rows = ["mine", *(f"{name}_{what}" for name in ("ste", "mine") for what in ("gain", "unit"))]
    found = style.assign_styles(["ste", *rows])

    for name, family in itertools.groupby(sorted(found), key=lambda row: row.split("_")[0]):
        looks = [found[row] for row in family]
        assert {look.colour for look in looks} == {found[name].colour}
        assert len({look.marker for look in looks}) == len(looks) == 3
        assert len({look.dashes for look in looks}) == len(looks)
    assert len({found[name].colour for name in ("ste", "mine")}) == 2


def test_moments_keep_their_order_in_grey() -> None:
    """Later epochs are darker."""
    light = [sum(to_rgb(colour)) for colour in style.shades(5)]

    assert light == sorted(light, reverse=True)
    assert len(set(light)) == 5


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.01, "0.01"), (1000, "1000"), (1e-3, "10⁻³"), (2e-5, "2·10⁻⁵"), (1e12, "10¹²"), (0, "0")],
)
def test_powers_are_plain_text(value: float, text: str) -> None:
    """Ticks need no mathematics."""
    assert style.power(value) == text
