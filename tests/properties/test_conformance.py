"""Conformance as tests of pytest: what is asked of a stranger's estimator, and how it is told."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.properties.check import list_claims
from bench.properties.conformance import ClaimTest, conforming
from bench.registry import ESTIMATORS

ROOT = Path(__file__).parent.parent.parent


@conforming("ede", ESTIMATORS.build("siman", {"rank": "half"}), quick=True)
def test_claims_are_tests(claim: Callable[[], None]) -> None:
    """Named and configured estimators, one test for each claim."""
    claim()


def test_ids_name_the_estimator_and_the_claim() -> None:
    """Also what is not a default."""
    (marks,) = [conforming(ESTIMATORS.build("siman", {"rank": "half"})).mark.args[1]]
    ids = [param.id for param in marks]

    assert "SiMaN,rank=half: resumed is uninterrupted" in ids
    assert len(ids) == len(list_claims(ESTIMATORS.build("siman", {}), quick=False))


def test_a_claim_that_does_not_hold_fails_its_test() -> None:
    """In a line, without a traceback into the harness."""
    test = ClaimTest("never", lambda _: ("it does not", ""), ESTIMATORS.build("ste", {}))
    with pytest.raises(pytest.fail.Exception, match="never: it does not"):
        test()


MINE = """
from bench.plugin import Surrogate

class Mine(Surrogate):
    formula = "f(z) = z"

    def value(self, z, knob, /):
        return z

    def slope(self, z, knob, /):
        return z * 0 + 2
"""


@pytest.mark.slow
def test_estimators_by_name_without_a_file(tmp_path: Path) -> None:
    """The command of the module's docstring; the claim that fails is one of the tests."""
    (tmp_path / "estimators").mkdir()
    (tmp_path / "estimators" / "mine.py").write_text(MINE)
    module = "bench.properties.conformance"
    command = [sys.executable, "-m", "pytest", "-q", "-p", module, "--pyargs", module]
    done = subprocess.run(
        [*command, "--estimator", "mine", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert "1 failed, 4 passed" in done.stdout, done.stdout + done.stderr
    assert "slope is the derivative of value: W, p = 0.0" in done.stdout
