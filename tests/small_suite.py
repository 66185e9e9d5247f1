"""A suite of one tiny network on digits, written, planned, and refused."""

from pathlib import Path
from typing import Any

import pytest

from bench.errors import SuiteError
from bench.planning import planner
from bench.spec.plan import Plan

LINES = {
    "estimators": "[ste]",
    "backbones": "{resnet20: {width: 2}}",
    "data": "digits",
    "seeds": "0",
    "train": "{epochs: 2, batch_size: 64}",
}


def write(folder: Path, **lines: str) -> Path:
    """A suite file with one line per key, the usual ones first: estimators are line 1, ..."""
    path = folder / "x.yaml"
    path.write_text("".join(f"{k}: {v}\n" for k, v in (LINES | lines).items()), encoding="utf-8")
    return path


def planned(folder: Path, *overrides: str, **lines: str) -> Plan:
    """The plan of that suite."""
    return planner.plan(write(folder, **lines), overrides)


def refused(folder: Path, *overrides: str, **lines: str) -> list[str]:
    """What is said of that suite, a line per problem, its folder left out."""
    with pytest.raises(SuiteError) as caught:
        planned(folder, *overrides, **lines)
    return str(caught.value).replace(f"{folder}/", "").splitlines()


def rows(plan: Plan) -> list[str]:
    """Every row of the plan in words, the backbone aside."""
    return [f"{row.label} {row.wa} {row.schedule}" for row in plan.rows]


def left_out(plan: Plan) -> dict[str, str]:
    """Every combination that the plan leaves out, and why."""
    return {left.combination: left.reason for left in plan.left_out}


def params(plan: Plan, role: str = "weights") -> list[dict[str, Any]]:
    """The parameters of each row's estimator in one role."""
    return [getattr(row.cells[0], role).params for row in plan.rows]
