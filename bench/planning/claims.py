"""Published numbers of a suite: read, put beside the rows they belong to, the others named."""

from pathlib import Path

from bench.base.files import is_file
from bench.base.plain_data import as_mapping
from bench.base.yaml_document import Document
from bench.errors import SuiteError
from bench.planning.axes import Axes
from bench.registry import ESTIMATORS
from bench.spec.composition import compose
from bench.spec.label import base_label
from bench.spec.plan import Absent, Row
from bench.spec.published import Claim, read_ledger
from bench.spec.suite import Suite
from bench.spec.suite_file import SHIPPED


def read_claims(suite: Suite, document: Document) -> list[Claim]:
    """
    Collect what the suite's ledgers say, and what it says itself.

    Raises:
        SuiteError: no such ledger, or a damaged one.
    """
    published = suite.published
    listed: list[Claim] = []
    for name in published.ledgers:
        try:
            claims = read_ledger(name, Path(document.source).parent)
        except SuiteError as error:
            message = f"{document.where(('published',))}: published: {error}"
            raise SuiteError(message) from None
        listed += [claim for claim in claims if claim.kind != "margin"]
    return listed + [
        Claim(
            label=label,
            backbone=published.backbone,
            wa="32/32" if label == "none" else published.wa,
            method=label,
            acc=acc,
            protocol=published.protocol,
            source=published.source,
            caution=published.caution,
        )
        for label, acc in published.acc.items()
    ]


def find_built_labels(suite: Suite) -> set[str]:
    """
    Find the labels of all that there is: plugins, and labels of the suites of the ledgers' names.

    Those suites train every row of their ledger that can be trained, under its own label.
    """
    found = {"none", *ESTIMATORS.names()}
    for name in suite.published.ledgers:
        path = SHIPPED / f"{Path(name).name}.yaml"
        if is_file(path):
            found |= (as_mapping(compose(path).data.get("estimators")) or {}).keys()
    return found


def place_claims(
    claims: list[Claim], rows: list[Row], axes: Axes, built: set[str]
) -> tuple[list[Row], list[Absent]]:
    """
    Put each claim beside the row that it belongs to.

    Args:
        built: labels of what any suite could train, as `find_built_labels` has them.

    Returns the rows with their claims, and the claims that have no row here, each with the reason:
    nothing published is silently left out.
    """
    placed = [row.model_copy(update={"claim": _find_claim(claims, row, axes)}) for row in rows]
    used = [row.claim for row in placed if row.claim]
    taken = {(c.label, c.backbone, c.wa, c.schedule) for c in used}
    built = {*built, *map(base_label, axes.estimators)}

    def reason(claim: Claim) -> str:
        if (claim.label, claim.backbone, claim.wa, claim.schedule) in taken:
            return "another number stands beside the row"
        return "not in this suite" if base_label(claim.label) in built else "not built"

    return placed, [Absent(claim=c, reason=reason(c)) for c in claims if c not in used]


def _find_claim(claims: list[Claim], row: Row, axes: Axes) -> Claim | None:
    """Find the claim that belongs beside a row: of its schedule, however the suite names that."""
    roles = axes.estimators.get(row.label, {})
    names = {row.schedule}
    if row.schedule == "default":
        names |= {str(getattr(config.plugin, "schedule", "")) for config in roles.values()}
    key = (row.label, row.wa)
    return next(
        (
            claim
            for claim in claims
            if (claim.label, claim.wa) == key
            and claim.backbone in {None, row.backbone}
            and (claim.schedule in names or claim.schedule == "default" == row.schedule)
        ),
        None,
    )
