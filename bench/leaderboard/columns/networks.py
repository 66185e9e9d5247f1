"""The columns of what trained networks are in evaluation, and of what they have beyond STE's."""

from collections.abc import Callable
from typing import Any

from bench.leaderboard.board import MeasuredRow, NetworkFacts, Section
from bench.leaderboard.columns.column import Column
from bench.leaderboard.columns.values import of_measured


def _shown(says: Callable[[NetworkFacts], Any]) -> Callable[[Section], bool]:
    """Does a row of a section have what is not as usual?"""
    return lambda section: any(says(row.network) for row in section.measured)


def _other_bits(section: Section) -> bool:
    return any(row.network.bits not in {"", section.wa} for row in section.measured)


def _of_extras(name: str) -> Callable[[MeasuredRow], int | None]:
    return lambda row: getattr(row.network.extras, name) if row.network.extras else None


def _macs(facts: NetworkFacts) -> str:
    """Multiply-accumulates beyond the baseline's, in words."""
    if facts.extras is None:
        return ""
    parts = (("product", facts.extras.product_macs), ("other", facts.extras.other_macs))
    return ", ".join(f"{macs:,} {name}" for name, macs in parts if macs) or "0"


NETWORKS: list[Column] = [
    Column(
        key="bits",
        value=of_measured(lambda row: row.network.bits, ""),
        group="network",
        head="bits, counted",
        kind="text",
        shown=_other_bits,
        about="Bits of weights and inputs by their distinct values, counted in evaluation by "
        "filter and by channel, on up to 1,000 test images; x2: layers of two products. Zeros of "
        "sign(0) are no value of their own.",
    ),
    Column(
        key="levels",
        value=of_measured(lambda row: row.network.levels),
        csv=False,
        about="The distinct values that were counted, the shares of zeros, products of a layer.",
    ),
    Column(
        key="binary",
        value=of_measured(lambda row: row.network.binary, ""),
        group="network",
        head="binary in evaluation",
        kind="text",
        shown=_shown(lambda facts: facts.binary not in {"", "yes"}),
        least=20,
        about="Is the network as binary as it says after its last epoch; one that is not is not "
        "ranked. The best epoch is one in which it was.",
    ),
    Column(
        key="parameters_trained",
        value=of_measured(_of_extras("parameters_trained")),
        group="network",
        head="+param.",
        write="{:,}".format,
        shown=_shown(lambda facts: facts.extras and facts.extras.parameters_trained),
        about="Parameters that train beyond the same network's with plain STE, those of what "
        "stands beside it included.",
    ),
    Column(
        key="parameters_kept",
        value=of_measured(_of_extras("parameters_kept")),
        group="network",
        head="+param. kept",
        write="{:,}".format,
        shown=_shown(lambda facts: facts.extras and facts.extras.parameters_trained),
        about="Of these, what inference needs once all is folded that can be, as a factor into the "
        "BatchNorm behind it.",
    ),
    Column(
        key="macs",
        value=of_measured(lambda row: _macs(row.network), ""),
        group="network",
        head="+MACs",
        kind="text",
        shown=_shown(lambda facts: _macs(facts) not in {"", "0"}),
        about="Multiply-accumulates of an image beyond the same network's with plain STE: those of "
        "a layer's products beyond the first, and others of binary layers.",
    ),
    Column(
        key="epochs",
        value=of_measured(lambda row: row.network.epochs or None),
        group="network",
        head="epochs",
        shown=_shown(lambda facts: facts.chained),
        about="Epochs of all stages, and of the teacher.",
    ),
    Column(
        key="chain_s",
        value=of_measured(lambda row: row.network.chain_s),
        group="network",
        head="all of it, s",
        write="{:,.0f}".format,
        shown=_shown(lambda facts: facts.chained),
        about="What all stages and the teacher took, evaluation included: mean over seeds.",
    ),
]
