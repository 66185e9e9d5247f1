"""A claim about an estimator, and what came of checking it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from bench.base.tracebacks import find_place
from bench.errors import BenchError

# of an estimator: what is wrong or nothing, and by which figures it holds
Claim: TypeAlias = Callable[[Any], tuple[str, str]]


@dataclass(frozen=True)
class Check:
    """One claim about an estimator, whether it holds, and by which figures."""

    name: str
    ok: bool
    detail: str


def check_claim(name: str, claim: Claim, estimator: object) -> Check:
    """Check a claim; one that raises does not hold, and the exception is its author's to see."""
    try:
        problem, detail = claim(estimator)
    except Exception as error:  # whatever a stranger's code does
        return Check(name, ok=False, detail=tell(error))
    return Check(name, ok=not problem, detail=problem or detail)


def tell(error: Exception) -> str:
    """An exception in one line; what the harness says on purpose needs no name of a class."""
    text = " ".join(str(error).split())
    if isinstance(error, BenchError):
        return text
    place = find_place(error)
    return f"raises {type(error).__name__}: {text}" + (f" ({place})" if place else "")


def list_checks(checks: Sequence[Check]) -> list[str]:
    """Say what became of each check, a line for each, their columns under each other."""
    width = max(len(check.name) for check in checks)
    return [f"  {'ok  ' if c.ok else 'FAIL'} {c.name:{width}}  {c.detail}" for c in checks]
