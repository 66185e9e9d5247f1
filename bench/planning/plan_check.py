"""Does a plan that somebody sent say of its estimators what the code says that ships here?"""

from collections.abc import Iterator
from pathlib import Path

from bench.errors import BenchError
from bench.planning.axes import PluginConfig
from bench.planning.role_info import describe_roles
from bench.registry import ESTIMATORS
from bench.results import source_digest, store, submission
from bench.spec.cell import Cell, Ref, Role
from bench.spec.plan import Plan, Properties, RoleInfo

WORDS = ("formula", "kind", "schedule", "aux", "has_f")


def check_plan(root: Path, suite: str) -> tuple[str, list[str]]:
    """
    What a stranger's plan says that it may not, or that is not so; and what nobody here can tell.

    Rules and verdicts of estimators that ship, unchanged since, are found again by their code.
    """
    if wrong := submission.check_plan(root, suite):
        return wrong, []
    unknown: dict[str, None] = {}
    known: dict[tuple[str, Role], RoleInfo] = {}
    for label, role, ref, said in _list_roles(store.find_plan(root, suite)):
        asked = (ref.model_dump_json(), role)
        if reason := _unknown(ref):
            unknown[reason] = None
            continue
        try:
            if asked not in known:
                built = PluginConfig(ref.name, ESTIMATORS.build(ref.name, ref.params))
                known[asked] = describe_roles({role: built})[role]
        except (BenchError, ValueError) as error:  # pydantic's is one
            return f"its row `{label}`: {' '.join(str(error).split())}", []
        if wrong := _compare(said, known[asked]):
            return f"its row `{label}` says {wrong}", []
    return "", [*unknown]


def _list_roles(plan: Plan) -> Iterator[tuple[str, Role, Ref, RoleInfo]]:
    """What a plan says of estimators, with the row and a cell's reference to each."""
    for row in plan.rows:
        told = [(row.roles, row.cells[0])]
        told += [(trial.roles, cell) for trial in row.trials for cell in trial.cells[:1]]
        for roles, cell in told:
            for role, info in roles.items():
                if ref := _ref(cell, role):
                    yield row.label, role, ref, info


def _ref(cell: Cell, role: Role) -> Ref | None:
    return cell.weights if role == "W" else cell.activations


def _unknown(ref: Ref) -> str:
    """Why nobody here can tell what an estimator is; nothing if one can."""
    origin = ESTIMATORS.origins().get(ref.name)
    if origin is None or not origin.shipped:
        return f"what it says of `{ref.name}`, which does not ship"
    if ref.source and ref.source != source_digest.source(ESTIMATORS, ref.name):
        return f"what it says of `{ref.name}`, which is of other code"
    return ""


def _compare(said: RoleInfo, known: RoleInfo) -> str:
    """What is said of an estimator that is not so, beside what is."""
    for name in WORDS:
        theirs, ours = getattr(said, name), getattr(known, name)
        if theirs != ours:
            return f"{name} `{theirs}`, {known.plugin}'s is `{ours}`"
    for name in ("printed", "trained"):
        theirs, ours = _verdict(getattr(said, name)), _verdict(getattr(known, name))
        if theirs and theirs != ours:
            return f"{theirs} of f as {name}; {known.plugin} is {ours or 'not judged'}"
    return ""


def _verdict(found: Properties | None) -> str:
    return f"rational {found.rational}, flexible {found.flexible}" if found else ""
