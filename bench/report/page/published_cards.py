"""What a page says of each published number: its source and protocol, and the verdict on ours."""

from collections.abc import Iterator
from dataclasses import dataclass

from bench.leaderboard.board import AnyRow, Board, MeasuredRow, PublishedRow
from bench.leaderboard.columns.column import estimate_text, percent
from bench.leaderboard.columns.selection import column
from bench.spec.published import Claim

METRICS = {"best": "the best epoch", "last": "the last epoch", "unstated": "not stated"}


@dataclass(frozen=True)
class PublishedCard:
    """A claim and the row that it stands beside."""

    id: str
    row: AnyRow
    claim: Claim
    name: str
    backbone: str
    wa: str
    printed: str
    ours: str
    word: str  # of the verdict
    facts: list[tuple[str, str]]


def published_cards(board: Board) -> list[PublishedCard]:
    """Of every row that has a claim, in the board's order."""
    claimed = ((row, row.claim) for row in board.rows if row.claim)
    return [_card(f"claim-{n}", row, claim) for n, (row, claim) in enumerate(claimed, start=1)]


def _card(name: str, row: AnyRow, claim: Claim) -> PublishedCard:
    facts = _facts(row, claim)
    return PublishedCard(
        id=name,
        row=row,
        claim=claim,
        name=row.name,
        backbone=row.backbone,
        wa=row.wa,
        printed=_printed(row),
        ours=_ours(row, claim),
        word=_verdict(row).partition(":")[0],
        facts=[(head, text) for head, text in facts if text not in {"", "-"}],
    )


def _ours(row: AnyRow, claim: Claim) -> str:
    """Our number by the claim's metric."""
    if isinstance(row, PublishedRow):
        return "-"
    scores = row.scores
    return estimate_text(scores.last if claim.metric == "last" else scores.best, percent)


def _verdict(row: AnyRow) -> str:
    return (row.verdict if isinstance(row, MeasuredRow) else "") or "not run"


def _printed(row: AnyRow) -> str:
    return column("published_percent").text(row)


def _facts(row: AnyRow, claim: Claim) -> Iterator[tuple[str, str]]:
    yield "as printed", f"{claim.method}: {_printed(row)} %"
    yield "metric", METRICS[claim.metric]
    yield "source", claim.source
    yield "block", claim.block
    yield "protocol", ", ".join(f"{name} {value}" for name, value in claim.protocol.items())
    yield "protocol, from", claim.protocol_source
    yield "verdict on ours", row.reason if isinstance(row, PublishedRow) else row.verdict
    yield "also adds", claim.aux
    yield "note", claim.note
    yield "caution", claim.caution
