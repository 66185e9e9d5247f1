"""What a page says of each published number: its source and protocol, and the verdict on ours."""

from collections.abc import Iterator
from dataclasses import dataclass

from bench.leaderboard.board import Board, Line
from bench.leaderboard.tables.layout import percent, words
from bench.spec.published import Claim

METRICS = {"best": "the best epoch", "last": "the last epoch", "unstated": "not stated"}


@dataclass(frozen=True)
class Published:
    """A claim and the line that it stands beside."""

    id: str
    line: Line
    claim: Claim
    name: str
    backbone: str
    wa: str
    printed: str
    ours: str
    word: str  # of the verdict
    facts: list[tuple[str, str]]


def published(board: Board) -> list[Published]:
    """Of every line that has a claim, in the board's order."""
    lines = [line for section in board.sections for line in section.lines]
    found = ((line, line.claim) for line in lines if line.claim)
    return [_one(f"claim-{n}", line, claim) for n, (line, claim) in enumerate(found, start=1)]


def _one(name: str, line: Line, claim: Claim) -> Published:
    ours = line.acc if claim.metric == "last" else line.best
    word, _, _ = (line.verdict or "not run").partition(":")
    return Published(
        id=name,
        line=line,
        claim=claim,
        name=line.name,
        backbone=line.backbone,
        wa=line.wa,
        printed=words(line)["published, %"],
        ours=percent(ours),
        word=word,
        facts=[(head, text) for head, text in _facts(line, claim) if text not in {"", "-"}],
    )


def _facts(line: Line, claim: Claim) -> Iterator[tuple[str, str]]:
    yield "as printed", f"{claim.method}: {words(line)['published, %']} %"
    yield "metric", METRICS[claim.metric]
    yield "source", claim.source
    yield "block", claim.block
    yield "protocol", ", ".join(f"{name} {value}" for name, value in claim.protocol.items())
    yield "protocol, from", claim.protocol_source
    yield "verdict on ours", line.verdict or line.absent
    yield "also adds", claim.aux
    yield "note", claim.note
