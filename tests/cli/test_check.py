"""`bench check`: verdicts, witnesses, certificates, and the study."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

Bench = Callable[..., tuple[int, str, str]]


def test_check_prints_verdicts_and_witnesses(ask: Bench) -> None:
    """For ReSTE: all checks hold, rational and flexible as printed, little flexible in use."""
    code, out, _ = ask("check", "reste", "dsq")

    assert code == 0
    assert "knob: o: 1 → 3, cosine; identity end 1, sign end inf" in out
    assert "printed formula (definition P): rational, flexible" in out
    assert "as it trains: rational, little flexible" in out
    assert "sign is not reached as o → inf: f(0.05) stays 0.5 away" in out
    assert "knob: α, learned from 0.2, visits [0.001, 0.499]; identity end 0.5, sign end 0" in out


def test_a_check_that_fails_exits_with_3(
    ask: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slope that is not the derivative of value is found, with the z where."""
    monkeypatch.chdir(tmp_path)
    ask("new", "estimator", "wrong")
    path = tmp_path / "estimators" / "wrong.py"
    text = path.read_text(encoding="utf-8")
    path.write_text(
        text + "\n    def slope(self, z: Tensor, t: Tensor, /) -> Tensor:\n        return t * z\n",
        encoding="utf-8",
    )
    code, out, _ = ask("check", "wrong")

    assert code == 3
    assert re.search(r"FAIL slope is the derivative of value +W, p = 0.0, z = .*: slope", out)


@pytest.mark.slow
def test_check_prints_certificates(ask: Bench) -> None:
    """Under each verdict what is proved beyond the grid, and what is not."""
    _, out, _ = ask("check", "reste", "rbnn")

    assert "certified: rational (to 1e-9) at every real z, every o in [1, ∞): 8 boxes" in out
    assert "certified: the error never rises (to 1e-9) at every real z, every o in [1, ∞)" in out
    assert "certified: violated at t = 0.01 at every z in (0.829853379, 82.842712475)" in out


@pytest.mark.parametrize(
    ("args", "lines"),
    [
        (
            ("rbnn", "t_min=1.4143"),
            (
                "rbnn(t_min=1.4143): f(z) = ",
                "certified: rational (to 1e-9) at every real z, every t in [1.4143, 10]: ",
            ),
        ),
        (
            ("reste", "o_end=10", "gain=unit", "t=1.5"),
            (
                "reste(o_end=10,gain=unit): f(z) = ",
                "knob: o: 1 → 10, cosine",
                "at z = 1, o = 10: f = 0.1259",
            ),
        ),
        (
            ("u=0.8", "dsq"),
            ("dsq(u=0.8): f(z) = ", "as it trains: not rational", "certified: violated at α = "),
        ),
        (("ste", "clip=.inf"), ("ste(clip=inf): f(z) = z", "as it trains: rational")),
        (
            ("dsq", "learn=off", "u=1", "--definition", "p-fixed", "--form", "truncated"),
            ("dsq(learn=off), definition p-fixed, baseline identity, truncated f: rational",),
        ),
        (("ste", "clip=1.5", "--study"), ("ste(clip=1.5) │ pure", "  ste(clip=1.5) ")),
    ],
)
def test_check_at_other_parameters(
    ask: Bench, args: tuple[str, ...], lines: tuple[str, ...]
) -> None:
    """KEY=VALUE in YAML, for every form of the command; what is not a default is named."""
    code, out, err = ask("check", *args)

    assert code == 0, out + err
    for line in lines:
        assert line in out


def test_check_by_another_definition(
    measured: Path, ask: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One question for all, also on the weights and activations of a trained cell."""
    monkeypatch.chdir(measured.parent)
    _, out, _ = ask("check", "ede", "--definition", "end", "--form", "pure")
    assert "ede, definition end, baseline identity, pure f: not rational, little flexible" in out
    assert "by 4.122e-09; rational at tolerance 1e-8" in out
    _, out, _ = ask("check", "rbnn", "reste", "--cell", "reste", "--baseline", "hardtanh")
    assert "reste, definition trained, baseline hardtanh, pure f: " in out
    assert "on latent activations of reste-resnet20-" in out
    assert "│ trained" in ask("check", "ste", "--study", "--cell", "ste")[1].replace("┃", "│")
    assert ask("check", "ste", "--definition", "trained")[0] == 2


def test_a_plugin_that_raises_spoils_no_study(ask: Bench, tmp_path: Path) -> None:
    """What cannot be judged is named below the table; options that say nothing are refused."""
    (tmp_path / "raisy.py").write_text(
        "from bench.plugin import Surrogate\n\n\nclass Raisy(Surrogate):\n"
        "    def value(self, z, _, /):\n        raise KeyError('no')\n"
    )
    (tmp_path / "broken.py").write_text("import not_there\n")
    study = ask("--plugins", tmp_path, "check", "ste", "raisy", "--study")
    one = ask("--plugins", tmp_path, "check", "raisy", "--definition", "end")

    assert re.search(r"ste +│ pure", study[1])
    assert "error: raisy: f raises KeyError: 'no'" in study[2]
    assert study[0] != 0
    assert (one[0], "raisy: f raises KeyError: 'no'" in one[1]) == (3, True)
    assert ask("check", "ste", "--study", "--form", "pure")[0] == 2
    assert ask("check", "ste", "--cell", "x", "--definition", "end")[0] == 2


def test_the_study_is_one_table(ask: Bench) -> None:
    """Every definition, baseline and form of an estimator, then what its verdict rests on."""
    code, out, _ = ask("check", "dsq", "ste", "--study")

    assert code == 0
    assert re.search(r"dsq +│ pure +│ identity │ no, little +│ yes, little │ no, little", out)
    assert re.search(r"ste +│ pure +│ identity │ yes, not", out)
    assert out.count("hardtanh") == 5
    assert re.search(r"^  dsq +p-fixed: rational no → yes$", out, re.MULTILINE)


def test_what_a_plugin_prints_is_not_for_the_terminal(ask: Bench, tmp_path: Path) -> None:
    """A check says what it found, and nothing that the checked code says."""
    (tmp_path / "loud.py").write_text(
        "from bench.plugin import Surrogate\n\n\nclass Loud(Surrogate):\n"
        "    def value(self, z, _, /):\n        print('\\x1b[2J')\n        return z\n"
    )
    _, out, err = ask("--plugins", tmp_path, "check", "loud")

    assert "loud: " in out
    assert "[2J" not in out + err
