"""
The columns of a leaderboard: one table, from which every format, the page and traces derive.

To add a column is to add an entry to `COLUMNS`. Its group says where people find it, its place in
the list where it stands in JSON and CSV.
"""

from collections.abc import Iterable

from bench.leaderboard import resources
from bench.leaderboard.board import PublishedRow
from bench.leaderboard.columns.column import Column, chance, percent, points
from bench.leaderboard.columns.groups import MACROS, Group
from bench.leaderboard.columns.values import (
    accuracy_text,
    difference_of_seed,
    indicator_of_seed,
    is_binary,
    of_interval,
    of_measured,
    of_tuning,
    published_text,
    ranks_text,
    reasons,
    seeds_text,
    total,
)


def headed(groups: Iterable[Group]) -> list[Column]:
    """The columns that people read, of these groups in their order."""
    return [
        column for group in groups for column in COLUMNS if column.group == group and column.head
    ]


def defined() -> list[Column]:
    """The columns whose numbers LaTeX gives names to, in its order."""
    return [
        column for group in MACROS for column in COLUMNS if column.group == group and column.macro
    ]


def traced() -> list[Column]:
    """The columns that are means over cells."""
    return [column for column in COLUMNS if column.of_seed]


def column(key: str) -> Column:
    """The one of that name."""
    return next(column for column in COLUMNS if column.key == key)


COLUMNS: list[Column] = [
    Column(key="label", value=lambda row: row.label),
    Column(key="backbone", value=lambda row: row.backbone),
    Column(key="wa", value=lambda row: row.wa),
    Column(key="schedule", value=lambda row: row.schedule),
    Column(
        key="name",
        value=lambda row: row.title,
        words=lambda row: row.title,
        json=False,
        csv=False,
        group="name",
        head="estimator",
        kind="text",
        strong=True,
        about="The rule by which a gradient crosses sign; the formula of f, and its type.",
    ),
    Column(
        key="formula",
        value=lambda row: row.estimator.formula,
        group="estimator",
        head="formula",
        kind="formula",
        optional=True,
    ),
    Column(
        key="kind",
        value=lambda row: row.estimator.kind,
        group="estimator",
        head="type",
        kind="text",
        shown=is_binary,  # of full precision it repeats the name
    ),
    Column(
        key="rational",
        value=lambda row: row.estimator.rational,
        group="properties",
        head="rational",
        kind="text",
        optional=True,
        opens="properties",
        about="|sign z - f(z)| ≤ |sign z - z| for every z and every knob value that training "
        "visits, by the printed formula; in brackets of f as it trains, where that is another "
        "verdict.",
    ),
    Column(
        key="flexible",
        value=lambda row: row.estimator.flexible,
        group="properties",
        head="flexible",
        kind="text",
        optional=True,
        opens="properties",
        about="The knob leads from the identity to sign, and no z's error rises on the way; in "
        "brackets of f as it trains, where that is another verdict.",
    ),
    Column(
        key="rank",
        value=of_measured(lambda row: row.comparison.rank),
        group="ranks",
        head="#",
        words=ranks_text,
        about="The ranks that the seeds leave open: from one more than the rows that are surely "
        "better to as many as are not surely worse, every pair of rows by Welch's t test, "
        "corrected for their number.",
    ),
    Column(key="place", value=of_measured(lambda row: row.comparison.interval), csv=False),
    Column(
        key="accs",
        value=of_measured(lambda row: row.scores.by_seed, {}),
        flat=lambda accs: " ".join(f"{seed}={acc!r}" for seed, acc in accs.items()),
    ),
    Column(
        key="acc",
        value=of_measured(lambda row: row.scores.last),
        estimate=True,
        group="accuracy",
        head="acc, %",
        write=percent,
        words=accuracy_text,
        published=True,
        strong=True,
        downward=True,
        about="Test accuracy after the last epoch: mean over seeds ± 95 % t interval.",
        macro="Acc",
        of_seed=lambda seed: seed.record.last_acc,
        source="the last of `curves.test_acc`",
    ),
    Column(
        key="best",
        value=of_measured(lambda row: row.scores.best),
        estimate=True,
        group="other accuracies",
        head="best, %",
        write=percent,
        downward=True,
        about="The best epoch on the test set: the papers' metric, which decides nothing here.",
        macro="Best",
        of_seed=lambda seed: seed.record.best_acc,
        source="the highest of it",
    ),
    Column(
        key="top5",
        value=of_measured(lambda row: row.scores.top5),
        estimate=True,
        group="other accuracies",
        head="top-5, %",
        write=percent,
        shown=lambda section: not 0 < section.classes <= 10,
        downward=True,
        about="Top-5 test accuracy after the last epoch: mean over seeds ± 95 % t interval.",
        macro="TopFive",
        of_seed=lambda seed: seed.record.last_top5,
        source="the last of `curves.test_top5`",
    ),
    Column(
        key="difference",
        value=of_measured(lambda row: row.comparison.difference),
        estimate=True,
        group="difference",
        head="Δ, points",
        write=points,
        optional=True,
        downward=True,
        about="Difference to the baseline on the same seeds ± 95 % t interval.",
        macro="Delta",
        of_seed=difference_of_seed,
        source="acc less the baseline's on the same seed",
    ),
    Column(
        key="p",
        value=of_measured(lambda row: row.comparison.p),
        group="p",
        head="p",
        write=chance,
        optional=True,
        about="The chance of such a difference if there were none, by Dunnett's test of all rows "
        "of the table against the baseline.",
        macro="P",
    ),
    Column(
        key="n",
        value=of_measured(lambda row: row.seeds.ended, 0),
        group="seeds",
        head="n",
        words=seeds_text,
        about="Seeds that came to their end.",
        macro="N",
    ),
    Column(
        key="lost",
        value=of_measured(lambda row: row.seeds.lost, {}),
        flat=total,
        group="seeds",
        head="lost",
        about="Seeds that diverged or failed.",
        macro="Lost",
    ),
    Column(key="stale", value=of_measured(lambda row: row.seeds.stale, {}), flat=total),
    Column(key="unused", value=of_measured(lambda row: row.seeds.unused, {}), flat=total),
    Column(key="missing", value=of_measured(lambda row: row.seeds.missing, 0)),
    Column(
        key="e",
        value=of_measured(lambda row: row.scores.e),
        group="equilibrium",
        head="e",
        write="{:.4g}".format,
        optional=True,
        about="Estimating error, over latent weights.",
        macro="E",
        of_seed=indicator_of_seed(0),
        source="from `indicators`, the weights' layers",
    ),
    Column(
        key="s",
        value=of_measured(lambda row: row.scores.s),
        group="equilibrium",
        head="s",
        write="{:.2e}".format,
        optional=True,
        about="Gradient instability, over latent weights.",
        macro="S",
        of_seed=indicator_of_seed(1),
        source="from `indicators`, the weights' layers",
    ),
    Column(
        key="images_per_s",
        value=of_measured(lambda row: row.resources.images_per_s),
        group="cost",
        head="images/s",
        write="{:,.0f}".format,
        downward=True,
        note="images/s: training alone, with whatever else the machine did",
        about="Throughput in training alone, with whatever else the machine did.",
        macro="Speed",
        of_seed=lambda seed: seed.record.images_per_s or None,
        source="`images_per_s`",
    ),
    Column(
        key="step_ratio",
        value=of_measured(lambda row: row.resources.step_ratio),
        group="cost",
        head="step/STE",
        write="{:.2f}".format,
        optional=True,
        note="step/STE: the time of a step, STE's on the same seed and machine being 1, "
        "geometric mean over seeds, as rough as images/s",
        about="The time of a step beside STE's on the same seed, where both were measured alike: "
        "geometric mean over seeds, as rough as images/s.",
        macro="Step",
        of_seed=lambda seed: resources.step_ratio(seed.record, seed.ste) if seed.ste else None,
        source="`images_per_s` of STE's cell of the seed over its own, their mean geometric",
    ),
    Column(key="unlike", value=of_measured(lambda row: row.resources.unlike, {}), flat=reasons),
    Column(
        key="peak_mib",
        value=of_measured(lambda row: row.resources.peak_mib),
        group="cost",
        head="peak, MiB",
        write="{:,.0f}".format,
        optional=True,
        note="peak: the most memory, of a GPU's tensors or else of the whole process",
        about="Memory of the seed that took most: of a GPU's tensors, else of the process.",
        macro="Peak",
        of_seed=lambda seed: seed.record.peak_mib or None,
        source="`peak_mib`, printed the highest",
    ),
    Column(
        key="energy_j",
        value=of_measured(lambda row: row.resources.energy_j),
        group="cost",
        head="kJ",
        write=lambda joules: f"{joules / 1000:,.2f}",
        optional=True,
        note="kJ: all that the GPU took for a cell that had it alone, mean over seeds",
        about="All that the GPU took for a cell that had it alone: mean over seeds.",
        macro="Energy",
        of_seed=lambda seed: resources.energy_j(seed.record),
        source="`energy_j` of every process that trained",
    ),
    Column(key="claim", value=lambda row: row.claim, csv=False),
    Column(key="verdict", value=of_measured(lambda row: row.verdict, "")),
    Column(key="confounds", value=of_measured(lambda row: row.confounds, []), flat="; ".join),
    Column(
        key="chosen",
        value=of_measured(lambda row: row.tuned.chosen if row.tuned else "", ""),
        group="chosen",
        head="chosen",
        kind="text",
        shown=of_tuning,
        least=20,
        about="The values that tuning chose on held-out training images.",
    ),
    Column(
        key="untuned",
        value=of_measured(lambda row: row.tuned.untuned if row.tuned else None),
        estimate=True,
        group="untuned",
        head="untuned, %",
        write=percent,
        shown=of_tuning,
        downward=True,
        about="Accuracy at the suite's own values, before tuning.",
        macro="Untuned",
    ),
    Column(key="absent", value=lambda row: row.reason if isinstance(row, PublishedRow) else ""),
    Column(key="cells", value=of_measured(lambda row: row.cells, []), flat=" ".join),
    # What only flat formats need: a part of what JSON nests.
    Column(
        key="rank_first", value=of_interval("first"), json=False, group="ranks", macro="RankFirst"
    ),
    Column(key="rank_last", value=of_interval("last"), json=False, group="ranks", macro="RankLast"),
    Column(
        key="tier",
        value=of_interval("tier"),
        json=False,
        group="tier",
        head="tier",
        about="Rows of one tier cannot be told apart by their seeds.",
    ),
    Column(
        key="difference_n",
        value=of_measured(lambda row: row.comparison.difference and row.comparison.difference.n),
        json=False,
    ),
    Column(
        key="published_percent",
        value=lambda row: row.claim and row.claim.acc,
        json=False,
        group="published",
        head="published, %",
        write="{:.2f}".format,
        words=published_text,
        optional=True,
        published=True,
        downward=True,
        opens="published",
        about="What a paper prints for this row.",
        macro="Published",
    ),
    Column(
        key="published_top5_percent",
        value=lambda row: row.claim and row.claim.top5,
        json=False,
        group="published",
        write="{:.2f}".format,
        macro="PublishedTopFive",
    ),
    Column(
        key="lost_reasons",
        value=of_measured(lambda row: row.seeds.lost, {}),
        flat=reasons,
        json=False,
    ),
    Column(
        key="stale_reasons",
        value=of_measured(lambda row: [*row.seeds.stale, *row.seeds.unused], []),
        flat="; ".join,
        json=False,
    ),
]
