"""A suite file found, read and validated: its shorthands, its errors, its names."""

from pathlib import Path
from typing import Any

import pytest

from bench.errors import SuiteError
from bench.spec.composition import compose, digest
from bench.spec.plan import name_results
from bench.spec.suite import Suite, parse
from bench.spec.suite_file import SHIPPED, find_suite

TEXT = """\
estimators: [ste]
backbones: resnet20
data: digits
seeds: 0
train: {epochs: 3}
"""


def write(folder: Path, text: str) -> Path:
    """A suite file of that text."""
    path = folder / "x.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def loaded(folder: Path, text: str, *overrides: str) -> Suite:
    """The suite of that text, which must be a good one."""
    document = compose(write(folder, text), overrides)
    suite, wrong = parse(document)
    assert suite, document.report(wrong)
    return suite


def wrong(folder: Path, text: str, *overrides: str) -> list[str]:
    """What is said of the suite of that text, a line per problem, its folder left out."""
    document = compose(write(folder, text), overrides)
    suite, problems = parse(document)
    assert suite is None
    return document.report(problems).replace(f"{folder}/", "").splitlines()


def test_a_suite_is_found_by_path_or_by_shipped_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file is that file, and a name without one is the shipped suite, with its end or not."""
    mine = write(tmp_path, TEXT)
    monkeypatch.chdir(tmp_path)
    shipped = find_suite(Path("quickstart"))

    assert find_suite(mine) == mine
    assert shipped == SHIPPED / "quickstart.yaml"
    assert find_suite(Path("quickstart.yaml")) == shipped


def test_in_a_checkout_a_shipped_suite_is_named_as_on_every_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Found by its name it is `suites/NAME.yaml`, which its plan and hints then say."""
    monkeypatch.chdir(SHIPPED.parent)

    assert find_suite(Path("quickstart")) == Path("suites/quickstart.yaml")


def test_a_suite_that_is_not_there_is_an_error() -> None:
    """A name that no suite has is answered with the nearest that one has."""
    with pytest.raises(SuiteError) as caught:
        find_suite(Path("suites/quikstart.yaml"))

    assert str(caught.value) == (
        "no suite at `suites/quikstart.yaml`; did you mean `quickstart`?; "
        "`bench list suites` names them"
    )


@pytest.mark.parametrize("name", ["a" * 300, "a\0b", ""], ids=["long", "nul", "empty"])
def test_a_name_that_no_file_can_have_is_no_suite(name: str) -> None:
    """A path that the system refuses to look at is a suite that is not there."""
    with pytest.raises(SuiteError, match=r"^no suite at `"):
        find_suite(Path(name))


@pytest.mark.parametrize("text", ["", "- a", "word", "# nothing but this"])
def test_a_suite_is_a_mapping(tmp_path: Path, text: str) -> None:
    """A file that holds no mapping is told what a suite is."""
    path = write(tmp_path, text)

    with pytest.raises(SuiteError) as caught:
        compose(path)

    assert str(caught.value) == f"{path}:1:1: a suite is a mapping; `bench schema` describes it"


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("estimators: ste", "estimators: {ste: {}}"),
        ("estimators: [ste, ede]", "estimators: {ste: {}, ede: {}}"),
        ("estimators: {ste: , ede: {}}", "estimators: {ste: {}, ede: {}}"),
        ("estimators: {mine: ste}", "estimators: {mine: {plugin: ste}}"),
        ("backbones: [resnet20]", "backbones: {resnet20: {}}"),
        ("data: digits", "data: {digits: {}}"),
        ("wa: 1/32", "wa: [1/32]"),
        ("schedules: exp", "schedules: [exp]"),
        ("plugins: mine", "plugins: [mine]"),
        ("seeds: 0..2", "seeds: [0, 1, 2]"),
        ("seeds: 1", "seeds: [1]"),
        ("seeds: 7..7", "seeds: [7]"),
        (
            "exclude: [{estimator: ste, wa: 1/1, reason: no}]",
            "exclude: [{estimator: [ste], wa: [1/1], reason: no}]",
        ),
        (
            "include: [{estimator: ste, seeds: 0..1}]",
            "include: [{estimator: ste, seeds: [0, 1]}]",
        ),
    ],
)
def test_a_shorthand_is_its_long_form(tmp_path: Path, short: str, long: str) -> None:
    """One value may stand for a list of one, a name for a mapping, and a range for its seeds."""
    key = short.split(":", maxsplit=1)[0]
    rest = "".join(line for line in TEXT.splitlines(keepends=True) if not line.startswith(key))

    assert loaded(tmp_path, rest + short) == loaded(tmp_path, rest + long)


def test_every_problem_of_a_suite_is_told_at_once(tmp_path: Path) -> None:
    """Each wrong field is a line with its place and path, in file order."""
    text = """\
estimators: []
backbones:
  resnet20: [1]
data: 3
wa: [1/1, 1/9]
seeds: 2..1
train:
  epoch: 3
  optimizer: sdg
  lr: -1
  momentum: high
include:
  - estimator: ste
    epochs: 3
exclude:
  - {estimator: ste}
  - 5
schedule: exp
"""

    assert wrong(tmp_path, text) == [
        "x.yaml:1:1: estimators: must be a valid dictionary, got []",
        "x.yaml:3:3: backbones.resnet20: must be a valid dictionary, got [1]",
        "x.yaml:4:1: data: must be a valid dictionary, got 3",
        "x.yaml:5:11: wa.1: must be `1/1`, `1/32`, `32/32`, or other bits, 8 at most, as `1/2` "
        "and `2/32`, got `1/9`",
        "x.yaml:6:1: seeds: a range is written low..high, got `2..1`; did you mean `1..2`?",
        "x.yaml:7:1: train.epochs: required, and not there",
        "x.yaml:8:3: train.epoch: unknown key; did you mean `epochs`?",
        "x.yaml:9:3: train.optimizer: must be `sgd`, `adam` or `adamw`, got `sdg`; did you mean "
        "`sgd`?",
        "x.yaml:10:3: train.lr: must be greater than 0, got -1",
        "x.yaml:11:3: train.momentum: must be a valid number, unable to parse string as a "
        "number, got `high`",
        "x.yaml:14:5: include.0.epochs: unknown key; known: estimator, backbone, wa, schedule, "
        "seeds",
        "x.yaml:16:5: exclude.0.reason: required, and not there",
        "x.yaml:17:5: exclude.1: must be a valid dictionary or instance of Exclude, got 5",
        "x.yaml:18:1: schedule: unknown key; did you mean `schedules`?",
    ]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{warmup: 3, epochs: 2}", "train: warmup (=3) must be at most epochs (=2)"),
        (
            "{warmup: 2, epochs: 7}",
            "train: lr_rule `reference` needs epochs (=7) of at least 4 warmup (=2), its lagging "
            "cosine overshoots below; use lr_rule: clean",
        ),
        (
            "{epochs: 2, histograms: [0, 2]}",
            "train: histograms names epoch 2, epochs run from 0 to 1",
        ),
    ],
)
def test_a_recipe_must_fit_together(tmp_path: Path, line: str, problem: str) -> None:
    """Fields of a recipe that contradict each other are an error at `train`, with their values."""
    text = TEXT.replace("{epochs: 3}", line)

    assert wrong(tmp_path, text) == [f"x.yaml:5:1: {problem}"]


@pytest.mark.parametrize("field", ["lr", "weight_decay"])
@pytest.mark.parametrize("value", ["inf", "nan"])
def test_a_recipe_is_finite(tmp_path: Path, field: str, value: str) -> None:
    """A number of the recipe that no training can use is refused before it starts."""
    text = TEXT.replace("{epochs: 3}", f"{{epochs: 3, {field}: .{value}}}")
    (line,) = wrong(tmp_path, text)

    assert line.startswith(f"x.yaml:5:20: train.{field}: must be ")
    assert line.endswith(f", got {value}")


SEEDS = "a number, a list of numbers or one range such as 0..4"


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("5", "does `5` mean how many, or which? `0..4` are 5 seeds, `[5]` is the one called 5"),
        ("0-4", "a range is written low..high, got `0-4`; did you mean `0..4`?"),
        ("0:4", "a range is written low..high, got `0:4`; did you mean `0..4`?"),
        ("0 to 4", "a range is written low..high, got `0 to 4`; did you mean `0..4`?"),
        ("4..0", "a range is written low..high, got `4..0`; did you mean `0..4`?"),
        ("range(5)", f"expected {SEEDS}, got `range(5)`"),
        ("[0, 1..4]", f"expected {SEEDS}, got `1..4`"),
        ("[true]", f"expected {SEEDS}, got `true`"),
        ("'0, 1,2'", "several seeds are a list, got `0, 1,2`; did you mean `[0, 1,2]`?"),
    ],
)
def test_seeds_that_may_mean_something_else_are_asked_about(
    tmp_path: Path, written: str, told: str
) -> None:
    """A bare number, or a range as other programs write it, is answered with what it may mean."""
    text = TEXT.replace("seeds: 0", f"seeds: {written}")

    assert wrong(tmp_path, text) == [f"x.yaml:4:1: seeds: {told}"]


@pytest.mark.parametrize(
    ("word", "meant"),
    [("learning_rate", "lr"), ("Batch-Size", "batch_size"), ("wd", "weight_decay"), ("LR", "lr")],
)
def test_words_of_other_programs_are_known(tmp_path: Path, word: str, meant: str) -> None:
    """An unknown key that another program has, or in capitals, gets the key that is meant."""
    (line,) = wrong(tmp_path, TEXT.replace("epochs: 3", f"epochs: 3, {word}: 1"))

    assert line.endswith(f"train.{word}: unknown key; did you mean `{meant}`?")


@pytest.mark.parametrize("key", ["lr", "warmup", "label_smoothing"])
def test_truth_is_no_number(tmp_path: Path, key: str) -> None:
    """`true` is neither a rate of 1 nor one epoch."""
    (line,) = wrong(tmp_path, TEXT.replace("{epochs: 3}", f"{{epochs: 3, {key}: true}}"))

    assert line.endswith(f"train.{key}: expected a number, got `true`")


def test_a_suite_beside_is_found_without_its_end(tmp_path: Path, monkeypatch: Any) -> None:
    """`mine` is `mine.yaml` here, as `extends` and `bench leaderboard` take it."""
    mine = write(tmp_path, TEXT)
    monkeypatch.chdir(tmp_path)

    assert find_suite(Path("x")).resolve() == mine
    assert find_suite(mine.with_suffix("")) == mine


def test_a_seed_fits_a_generator(tmp_path: Path) -> None:
    """A seed that torch cannot take is refused before training asks it to."""
    (line,) = wrong(tmp_path, TEXT.replace("seeds: 0", f"seeds: {2**64}"))

    assert line.startswith("x.yaml:4:1: seeds.0: must be less than")


def test_keys_are_words(tmp_path: Path) -> None:
    """A key that YAML reads as a number is told apart from a word of the suite."""
    lines = wrong(tmp_path, TEXT + "5: x\n")

    assert lines == ["x.yaml:6:1: 5: keys should be strings, got 5"]


def test_a_long_value_is_cut(tmp_path: Path) -> None:
    """A message quotes at most 60 characters of a value."""
    (line,) = wrong(tmp_path, TEXT.replace("seeds: 0", f"seeds: {'x' * 200}"))

    assert line.endswith(f", got `{'x' * 56}...")


def test_an_override_is_named_in_its_error(tmp_path: Path) -> None:
    """A problem that an override made is placed there, ahead of the file's own."""
    lines = wrong(tmp_path, TEXT + "zzz: 1\n", "train.epochs=0")

    assert [line.split(" unknown")[0] for line in lines] == [
        "override `train.epochs=0`: train.epochs: must be greater than 0, got 0",
        "x.yaml:6:1: zzz:",
    ]


def test_overrides_apply_in_order(tmp_path: Path) -> None:
    """Of two overrides of one key the later holds."""
    suite = loaded(tmp_path, TEXT, "train.epochs=5", "seeds=0..1", "train.epochs=7")

    assert (suite.train.epochs, suite.seeds) == (7, [0, 1])


def test_a_digest_is_of_what_a_suite_says(tmp_path: Path) -> None:
    """Comments and layout leave the digest alone, a value or an override changes it."""
    texts = [TEXT, f"# why\n\n{TEXT}  # end\n", TEXT.replace("[ste]", "\n- ste")]
    same = {digest(compose(write(tmp_path, text))) for text in texts}
    other = {
        digest(compose(write(tmp_path, TEXT.replace("3", "4")))),
        digest(compose(write(tmp_path, TEXT), ["seeds=1"])),
    }

    assert len(same) == 1
    assert len(same | other) == 3


@pytest.mark.parametrize(
    ("overrides", "name"),
    [
        ([], "x"),
        (["train.epochs=3", "seeds=[0, 1]"], "x@seeds=_0__1__train.epochs=3"),
        (["a=" + "b" * 80], "x@b2255dee572c"),
    ],
)
def test_a_name_holds_the_overrides(overrides: list[str], name: str) -> None:
    """Results of an overridden suite are kept apart, under a name that a file can have."""
    assert name_results(Path("suites/x.yaml"), overrides) == name


def test_the_order_of_overrides_is_no_name() -> None:
    """The same overrides in another order are the same results."""
    assert name_results(Path("x.yaml"), ["b=1", "a=2"]) == name_results(
        Path("x.yaml"), ["a=2", "b=1"]
    )


@pytest.mark.parametrize(
    ("field", "default"),
    [
        ("wa", ["1/1"]),
        ("schedules", ["default"]),
        ("include", []),
        ("exclude", []),
        ("baseline", None),
        ("plugins", []),
        ("tune", None),
    ],
)
def test_what_a_suite_leaves_out_has_a_default(tmp_path: Path, field: str, default: Any) -> None:
    """Five keys make a suite."""
    assert getattr(loaded(tmp_path, TEXT), field) == default
