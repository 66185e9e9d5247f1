"""Parsing, building and judging a suite each return what is wrong, and are told as one."""

from pathlib import Path

import pytest

from bench.errors import SuiteError
from bench.planning.axes import build
from bench.planning.judge import judge
from bench.planning.resolved_suite import resolve
from bench.spec.composition import compose
from bench.spec.suite import parse, sound_part

SUITE = """\
estimators:
  ste: {clip: 0}
  reste: {}
backbones: {resnet20: {width: 2}}
data: digits
seeds: [-1]
baseline: rest
train: {epochs: 1}
"""


def test_each_pass_returns_its_own_problems(tmp_path: Path) -> None:
    """A wrong seed is parsed, a wrong clip is built, a wrong label is judged; each once."""
    (tmp_path / "x.yaml").write_text(SUITE)
    document = compose(tmp_path / "x.yaml")
    suite, misparsed = parse(document)
    axes, misbuilt = build(document)
    sound = sound_part(document, misparsed)
    assert sound
    misjudged = judge(sound, axes, document, [*misparsed, *misbuilt])

    assert suite is None
    assert [p.path for p in misparsed] == [("seeds", 0)]
    assert [p.path for p in misbuilt] == [("estimators", "ste", "clip")] * 2  # of both roles
    assert [p.path for p in misjudged] == [("baseline",)]
    assert build(document) == (axes, misbuilt)


def test_the_problems_of_all_passes_are_one_report(tmp_path: Path) -> None:
    """Whichever pass finds them, they are told in the order of the file's lines."""
    (tmp_path / "x.yaml").write_text(SUITE)
    with pytest.raises(SuiteError) as caught:
        resolve(tmp_path / "x.yaml")
    lines = [line.rpartition("/")[2].split(":")[1:4] for line in str(caught.value).splitlines()]

    assert lines == [
        ["2", "9", " estimators.ste.clip"],
        ["6", "9", " seeds.0"],
        ["7", "1", " baseline"],
    ]


def test_a_label_that_cannot_be_built_is_not_called_unknown(tmp_path: Path) -> None:
    """The judge is told what the passes before it found."""
    (tmp_path / "x.yaml").write_text(SUITE.replace("rest\n", "ste\n").replace("-1", "0"))
    with pytest.raises(SuiteError) as caught:
        resolve(tmp_path / "x.yaml")

    assert "no `ste` in this suite" not in str(caught.value)
