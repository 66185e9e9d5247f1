"""Claims of cells, made at the same time."""

from datetime import UTC, datetime
from pathlib import Path

from bench.base.files import create_file
from bench.execution.journal import Entry
from bench.fleet.own_mark import mark_own
from bench.fleet.profile import Profile
from bench.fleet.submission import Claim, claim_cells
from bench.results.lease import myself


def claim(number: int, cells: list[str], batches: list[str]) -> Claim:
    return Claim(
        number=number, suite="s", profile=Profile.model_validate({"name": "p", "engine": "slurm"}),
        command=["bench"], owner=myself(), at=datetime.now(UTC),
        cells=[Entry(id=i, name=i, folder=i, epochs=1) for i in cells],
        batches=dict.fromkeys(batches, cells),
    )  # fmt: skip


def test_batches_of_the_first_stay(tmp_path: Path) -> None:
    """A claim that comes too late takes its own batches away, not those that both are made of."""
    gone: list[str] = []

    def make(number: int, cells: list[str]) -> Claim:
        first = mark_own(claim(number, cells, ["shared"]), str(number))
        create_file(tmp_path / "jobs" / f"{number}.json", first.model_dump_json())
        return claim(number, cells, ["shared", "own"])

    held, new = claim_cells(tmp_path, {"a": None}, make, gone.extend)

    assert gone == ["own"]
    assert [submission.claim.number for submission in held] == [1]
    assert new is None
