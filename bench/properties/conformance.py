"""
The claims of `bench check` as tests of pytest, for the estimators of whoever has some.

In a test file of yours, three lines, for plugins by name, configured, or by class:

    from bench.properties.conformance import conforming

    @conforming("mine", Mine(strength=2))
    def test_mine(claim):
        claim()

or without a file, for plugins that are installed, or lie in `estimators/`:

    pytest -p bench.properties.conformance --pyargs bench.properties.conformance --estimator mine

A decorator, as scikit-learn's `parametrize_with_checks`, rather than a class to inherit from: every
claim is a test of its own with its name, marks can be put on it, and claims that are added later
are asked without a change of yours. `bench check mine` asks the same and needs no pytest. Claims
that compile a method take half a minute: `quick=True`, or `--quick-claims`, leaves them out.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import pytest

from bench.nn.contract import Estimator
from bench.properties.check import list_claims
from bench.properties.claim import Claim, check_claim
from bench.registry import ESTIMATORS


@dataclass(frozen=True)
class ClaimTest:
    """A claim about one estimator; called, it fails the test in which it does not hold."""

    name: str
    claim: Claim
    estimator: Estimator

    def __call__(self) -> None:
        check = check_claim(self.name, self.claim, self.estimator)
        if not check.ok:
            pytest.fail(f"{self.name}: {check.detail}", pytrace=False)


Given: TypeAlias = str | Estimator | type[Estimator]


def conforming(*estimators: Given, quick: bool = False) -> pytest.MarkDecorator:
    """
    Return the decorator that calls a test, of the argument `claim`, with every claim.

    Args:
        estimators: by name, with their default parameters; or built; or classes.
        quick: leave out what compiles.

    Raises:
        PluginError: there is none of that name, or it is broken.
        ValidationError: a parameter has no default.
    """
    tests = [test for each in estimators for test in _tests(each, quick=quick)]
    return pytest.mark.parametrize("claim", tests)


def _tests(estimator: Given, *, quick: bool) -> list[object]:
    built: Estimator
    if isinstance(estimator, str):
        name, built = estimator, ESTIMATORS.build(estimator, {})
    elif isinstance(estimator, Estimator):
        name, built = type(estimator).__name__, estimator
    else:
        name, built = estimator.__name__, estimator()
    others = built.model_dump(exclude_defaults=True)
    told = name + "".join(f",{key}={value}" for key, value in others.items())
    claims = list_claims(built, quick=quick)
    return [
        pytest.param(ClaimTest(what, claim, built), id=f"{told}: {what}")
        for what, claim in claims.items()
    ]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--estimator`, where this module is a plugin of pytest."""
    group = parser.getgroup("signbench")
    group.addoption("--estimator", action="append", default=[], help="Test this estimator.")
    group.addoption("--quick-claims", action="store_true", help="Compile nothing.")


def pytest_configure(config: pytest.Config) -> None:
    """Give `test_conformance` its claims, where this module is a plugin of pytest."""
    config.pluginmanager.register(_Claims(), "signbench claims")


class _Claims:
    """The claims of the estimators that `--estimator` names."""

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        if metafunc.function is test_conformance:
            names: list[str] = metafunc.config.getoption("--estimator") or []
            quick = bool(metafunc.config.getoption("--quick-claims"))
            tests = [test for name in names for test in _tests(name, quick=quick)]
            metafunc.parametrize("claim", tests)


def test_conformance(claim: Callable[[], None]) -> None:
    """The estimators that `--estimator` names are what their formulas and promises say."""
    claim()
