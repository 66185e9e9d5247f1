"""
What a board is: sections of rows that may be compared, and what must be said with them.

A row is either measured, as far as its records go, or known from a paper alone. `bench.leaderboard
.ranking` makes boards, `bench.leaderboard.columns` says what is printed of their rows.
"""

from dataclasses import dataclass, field
from typing import TypeAlias

from bench.leaderboard.resources import Resources
from bench.leaderboard.stats.friedman import AverageRanks
from bench.leaderboard.stats.intervals import Estimate
from bench.leaderboard.stats.pairwise import RankInterval
from bench.results.record import Extras, Levels
from bench.spec.choices import Correction, Definition
from bench.spec.plan import FULL_PRECISION, NetworkCost
from bench.spec.published import Claim

REAL = "32/32"  # full precision: shown, never ranked
Key: TypeAlias = tuple[str, str, str, str]  # label, backbone, W/A, schedule: no other row's


@dataclass(frozen=True)
class EstimatorText:
    """What is said of a row's estimator."""

    formula: str = ""
    kind: str = ""
    rational: str = ""
    flexible: str = ""
    aux: str = ""  # what it has beside a gradient
    has_f: bool = True  # of the weights; without one there is no e, and nothing is rational


@dataclass(frozen=True)
class Scores:
    """What the seeds of a row measured; accuracies are fractions."""

    by_seed: dict[int, float] = field(default_factory=dict[int, float])  # last epoch
    last: Estimate | None = None  # their mean
    best: Estimate | None = None  # best epoch on test, the papers' metric
    top5: Estimate | None = None  # last epoch
    e: float | None = None
    s: float | None = None


@dataclass(frozen=True)
class SeedCounts:
    """How many seeds of a row came to their end, and what became of the others."""

    ended: int = 0
    lost: dict[str, int] = field(default_factory=dict[str, int])  # reason → seeds that it ended
    stale: dict[str, int] = field(default_factory=dict[str, int])  # reason → seeds it makes stale
    unused: dict[str, int] = field(default_factory=dict[str, int])  # the same, of records not used
    missing: int = 0  # seeds without a record


@dataclass(frozen=True)
class NetworkFacts:
    """What a row's trained networks are, counted in evaluation, and have beyond plain STE's."""

    bits: str = ""  # as counted, `1/1 x2` where layers have two products; "": not counted
    binary: str = ""  # as binary as it says: yes, or no, and why
    unlike: str = ""  # why the networks are not as binary as they say, after the last epoch
    levels: Levels | None = None  # of the seed that has most
    extras: Extras | None = None
    epochs: int = 0  # of all its stages, and of the teacher
    chain_s: float | None = None  # what these took, mean over seeds; None: not known of one
    chained: bool = False  # does it rest on other cells?


@dataclass(frozen=True)
class Comparison:
    """How a row does beside the others of its section."""

    rank: int | None = None  # by the mean
    interval: RankInterval | None = None  # by what the seeds can tell
    difference: Estimate | None = None  # to the baseline, paired by seed
    p: float | None = None  # that there is none, Dunnett's over the section


@dataclass(frozen=True)
class TunedValues:
    """What tuning chose for a row, and what it had before."""

    chosen: str
    untuned: Estimate | None  # last epoch at the suite's own values


@dataclass(frozen=True, kw_only=True)
class BoardRow:
    """What every row has."""

    label: str
    backbone: str
    wa: str
    schedule: str
    estimator: EstimatorText
    claim: Claim | None  # the published number, in percent as printed

    @property
    def key(self) -> Key:
        return self.label, self.backbone, self.wa, self.schedule

    @property
    def name(self) -> str:
        """What the row is called."""
        name = self.label if self.schedule == "default" else f"{self.label} [{self.schedule}]"
        return FULL_PRECISION if self.label == "none" else name

    @property
    def title(self) -> str:
        """The same, with the marks of what must be known of its numbers."""
        return self.name


@dataclass(frozen=True, kw_only=True)
class MeasuredRow(BoardRow):
    """A row of the plan, with what its records say so far."""

    scores: Scores
    seeds: SeedCounts
    resources: Resources
    network: NetworkFacts = NetworkFacts()
    cost: NetworkCost | None = None  # None: of an older plan, or not known
    comparison: Comparison = Comparison()
    verdict: str = ""  # on the claim
    confounds: list[str] = field(default_factory=list[str])  # in what else it differs
    failed_checks: list[str] = field(default_factory=list[str])  # of its plugins
    tuned: TunedValues | None = None
    cells: list[str]  # ids, of a stale record the one on disk

    @property
    def title(self) -> str:
        """Its name, marked if it is confounded, fails checks, or rests on stale records."""
        star = "*" if self.confounds else ""
        fails = " (fails check)" if self.failed_checks else ""
        stale = " (stale)" if self.seeds.stale else ""
        return self.name + star + fails + stale


@dataclass(frozen=True, kw_only=True)
class PublishedRow(BoardRow):
    """A row that a paper has and this suite does not run."""

    claim: Claim
    reason: str  # why it is not run


AnyRow: TypeAlias = MeasuredRow | PublishedRow


@dataclass(frozen=True)
class Section:
    """Rows that may be compared."""

    backbone: str
    wa: str
    recipe: str  # what all rows share
    classes: int  # of the data; 0 where nothing is run
    tuned: bool
    rows: list[AnyRow]

    @property
    def measured(self) -> list[MeasuredRow]:
        return [row for row in self.rows if isinstance(row, MeasuredRow)]


@dataclass(frozen=True)
class Board:
    """The whole table and what must be said with it."""

    suite: str
    sections: list[Section]
    across: AverageRanks | None  # the rows over several sections
    recorded: int
    stale: int  # cells that have only a stale record, used here or not
    total: int
    notes: list[str]
    equilibrium: Definition  # of e and s
    correction: Correction
    alpha: float  # of all pairs of a section together

    @property
    def rows(self) -> list[AnyRow]:
        return [row for section in self.sections for row in section.rows]

    @property
    def measured(self) -> list[MeasuredRow]:
        return [row for section in self.sections for row in section.measured]
