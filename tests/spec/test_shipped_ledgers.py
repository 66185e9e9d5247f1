"""The ledger of published numbers: each as printed, typed here a second time."""

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from bench.base.python_files import shipped
from bench.spec.published import list_cautions, read_ledger

FOLDER = shipped("suites") / "published"
LEDGER: dict[str, Any] = {
    path.stem: yaml.safe_load(path.read_text(encoding="utf-8"))
    for path in sorted(FOLDER.glob("*.yaml"))
}
REQUIRED = {"label", "backbone", "wa", "method", "acc"}
OPTIONAL = {
    "top5", "schedule", "block", "aux", "protocol", "protocol_source", "source", "note",
    "rational", "flexible", "kind", "formula",
}  # fmt: skip
PROTOCOL = {
    "data", "epochs", "batch_size", "optimizer", "lr", "momentum", "weight_decay", "warmup",
    "lr_rule", "backbone", "width", "bireal", "order", "estimator", "gain", "o_end", "t", "m",
    "small_mode", "schedule", "standardize", "scale", "sign0", "padding", "norm", "crop_area",
    "shortcut", "init", "head_bn", "dim", "depth", "patch",
}  # fmt: skip
BACKBONES = {
    "resnet20", "resnet18", "vgg_small", "resnet18_imagenet", "resnet34_imagenet", "vit_tiny",
}  # fmt: skip

# A block of rows: backbone, then `label acc [top5]` of each row in the printed order. The bit width
# stands before the rows that have it. A full-precision row is repeated where the table repeats it.
PRINTED = {
    "table1": """
        resnet18 32/32 none 94.84
        resnet18 1/1 rad 90.50, ir_net 91.50, lcr_bnn 91.80, rbnn_full 92.20, reste 92.63
        resnet20 32/32 none 91.70
        resnet20 1/1 dsq 84.11, dorefa 84.44, ir_net 85.40, lcr_bnn 86.00, fda_bnn 86.20
        resnet20 1/1 rbnn_full 86.50, reste 86.75
        resnet20_bireal 1/1 ir_net 86.50, lcr_bnn 87.20, rbnn_full 87.50, reste 87.92
        resnet20 32/32 none 91.70
        resnet20 1/32 dorefa 90.00, lq_net 90.10, dsq 90.20, ir_net 90.80, lcr_bnn 91.20
        resnet20 1/32 reste 91.32
        vgg_small 32/32 none 93.33
        vgg_small 1/1 lba 87.70, xnor_net 89.80, bnn 89.90, rad 90.00, ir_net 90.40
        vgg_small 1/1 rbnn_full 91.30, reste 92.55
    """,
    "table2": """
        resnet18 32/32 none 69.60 89.20
        resnet18 1/1 abc_net 42.70 67.60, xnor_net 51.20 73.20, bnn_plus 53.00 72.60
        resnet18 1/2 dorefa 53.40
        resnet18 1/1 bi_real 56.40 79.50, xnor_net_pp 57.10 79.90, ir_net 58.10 80.00
        resnet18 1/1 lcr_bnn 59.60 81.60, rbnn_full 59.90 81.90, fda_bnn 60.20 82.30
        resnet18 1/1 reste 60.88 82.59
        resnet18 32/32 none 69.60 89.20
        resnet18 1/32 sq_bwn 58.40 81.60, bwn 60.80 83.00, hwgq 61.30 83.20
        resnet18 2/32 twn 61.80 84.20, sq_twn 63.80 85.70
        resnet18 1/32 bwhn 64.30 85.90, ir_net 66.50 86.80, lcr_bnn 66.90 86.40
        resnet18 1/32 reste 67.40 87.20
        resnet34 32/32 none 73.30 91.30
        resnet34 1/1 abc_net 52.40 76.50, bi_real 62.20 83.90, ir_net 62.90 84.10
        resnet34 1/1 rbnn_full 63.10 84.40, lcr_bnn 63.50 84.60, reste 65.05 85.78
        resnet34 32/32 none 73.30 91.30
        resnet34 1/32 ir_net 70.40 89.50, reste 70.74 89.50
    """,
    "table3": """
        resnet20 1/1 dsq 84.11, ste 84.44, ede 85.20, fda 85.80, rbnn 85.87, reste 86.75
    """,
    "appendix-table1": """
        vit_tiny 32/32 none 64.50 85.14
        vit_tiny 1/32 dorefa 53.05 76.83, reste 56.53 79.86
    """,
    "appendix-table2": """
        resnet20 1/1 progressive(o_end=1) 85.18, progressive(o_end=2) 86.41
        resnet20 1/1 progressive(o_end=3) 86.75, progressive(o_end=4) 86.45
        resnet20 1/1 fixed(o_end=1) 85.18, fixed(o_end=2) 85.80
        resnet20 1/1 fixed(o_end=3) 83.19, fixed(o_end=4) 82.04
    """,
    "appendix-table3": """
        resnet20 1/1 reste 86.80, reste 86.75, reste 86.59
    """,
    "readme": """
        resnet20 1/1 reste 86.75
        resnet20 1/32 reste 91.32
        resnet20_bireal 1/1 reste 87.92
        resnet18 1/1 reste 92.63
        vgg_small 1/1 reste 92.55
        resnet18_imagenet_150_512 1/1 reste 60.01 82.14
        resnet18_imagenet_200_512 1/1 reste 60.62 82.52
        resnet18_imagenet_200_750 1/1 reste 60.43 82.48
        resnet18_imagenet 1/1 reste 60.88 82.59
        resnet18_imagenet 1/32 reste 67.40 87.20
        resnet34_imagenet 1/1 reste 65.05 85.78
        resnet34_imagenet 1/32 reste 70.74 89.50
    """,
    "text": """
        resnet20 1/1 progressive(o_end=10) 82.86, margin(reste-rbnn_full) 0.25
        resnet20_bireal 1/1 margin(reste-rbnn_full) 0.45
        resnet20 1/32 margin(reste-lq_net) 0.12
        resnet18 1/1 margin(reste-fda_bnn) 0.68
        resnet18 1/32 margin(reste-lq_net) 0.50
        resnet20 1/1 margin(reste-rbnn) 0.88, margin(reste-fda) 0.95
        vit_tiny 1/32 margin(reste-dorefa) 3.48 3.03
    """,
    "rbnn-readme": """
        resnet18 1/1 rbnn_full 92.2
        resnet20 1/1 rbnn_full 86.5
        resnet20_bireal 1/1 rbnn_full 87.8
        vgg_small 1/1 rbnn_full 91.3
        resnet18_imagenet_120_256 1/1 rbnn_full 58.8 80.9
        resnet18_imagenet_120_512 1/1 rbnn_full 59.6 81.6
        resnet18_imagenet 1/1 rbnn_full 59.9 81.9
        resnet34_imagenet 1/1 rbnn_full 63.1 84.4
        resnet34_imagenet_200_512 1/1 rbnn_full 63.5 84.6
    """,
}
ROWS = {
    "table1": 33, "table2": 32, "table3": 6, "appendix-table1": 3, "appendix-table2": 8,
    "appendix-table3": 3, "readme": 12, "text": 9, "rbnn-readme": 9,
}  # fmt: skip
PRINTED_TWICE = {  # their full-precision rows head the 1/1 and the 1/32 rows
    "table1": [("none", "resnet20")],
    "table2": [("none", "resnet18"), ("none", "resnet34")],
}
HOME = {  # the table of each backbone and label that a margin of the text is about
    ("vit_tiny", "dorefa"): "appendix-table1",
    ("resnet18", "fda_bnn"): "table2", ("resnet18", "lq_net"): "table2",
    ("resnet20", "rbnn"): "table3", ("resnet20", "fda"): "table3",
}  # fmt: skip

Row = tuple[str, str, str, float, float | None]
every_file = pytest.mark.parametrize("name", ROWS)


def typed(name: str) -> list[Row]:
    """The printed rows of a table as typed above: label, backbone, W/A, top-1, top-5."""
    rows: list[Row] = []
    for line in PRINTED[name].strip().splitlines():
        backbone, wa, rest = line.split(maxsplit=2)
        for row in rest.split(","):
            label, acc, *top5 = row.split()
            rows.append((label, backbone, wa, float(acc), float(top5[0]) if top5 else None))
    return rows


def row(claim: dict[str, Any]) -> Row:
    """The same of a claim."""
    return claim["label"], claim["backbone"], claim["wa"], claim["acc"], claim.get("top5")


def claims(name: str) -> list[dict[str, Any]]:
    """A file's claims."""
    return LEDGER[name]["claims"]


def test_the_files_are_these() -> None:
    """One file for each table, the README, the text and RBNN's README; no other."""
    assert set(LEDGER) == set(ROWS) == set(PRINTED)


@every_file
def test_every_row_is_there_as_printed(name: str) -> None:
    """Claims are the printed rows in the printed order, a repeated full-precision row once."""
    rows = typed(name)
    twice = [r[:2] for r, n in Counter(rows).items() if n > 1]

    assert len(rows) == ROWS[name]
    assert twice == PRINTED_TWICE.get(name, [])
    assert [row(claim) for claim in claims(name)] == list(dict.fromkeys(rows))


@every_file
def test_numbers_keep_their_printed_digits(name: str) -> None:
    """Two decimals in the file, zeros included; RBNN's README prints one."""
    text = (FOLDER / f"{name}.yaml").read_text(encoding="utf-8")
    digits = 1 if name == "rbnn-readme" else 2
    numbers = re.findall(r"^(?!#).*?\bacc: ([\d.]+)", text, re.MULTILINE)
    numbers += re.findall(r"^(?!#).*?\btop5: ([\d.]+)", text, re.MULTILINE)

    assert len(numbers) == sum(1 + ("top5" in claim) for claim in claims(name))
    assert {len(number.partition(".")[2]) for number in numbers} == {digits}


@every_file
def test_no_two_claims_of_a_file_are_one(name: str) -> None:
    """Label, backbone, W/A and schedule tell claims apart."""
    found = Counter(
        (claim["label"], claim["backbone"], claim["wa"], claim.get("schedule"))
        for claim in claims(name)
    )

    assert [key for key, n in found.items() if n > 1] == []


@every_file
def test_keys_are_known_ones(name: str) -> None:
    """A file, a claim and a protocol have the keys of the format and no others."""
    file = LEDGER[name]

    assert set(file) - {"common"} == {"source", "metric", "caution", "protocol", "claims"}
    for rule in file.get("common", []):
        assert set(rule) <= {"label", "backbone", "metric", "protocol"}
        assert set(rule.get("protocol", {})) <= PROTOCOL
    assert file["metric"] in {"best", "last", "unstated"}
    assert set(file["protocol"]) <= PROTOCOL
    for claim in file["claims"]:
        assert set(claim) >= REQUIRED
        assert set(claim) <= REQUIRED | OPTIONAL
        assert claim["label"] == claim["label"].lower()
        assert isinstance(claim["wa"], str)
        assert claim.get("aux", "-") in {"loss", "module", "-"}
        assert claim.get("schedule", "fixed") in {"cosine", "linear", "power", "fixed"}


@every_file
def test_protocols_are_flat_and_sourced(name: str) -> None:
    """A claim's data is known, and its own protocol says where it is from or its file does."""
    file = LEDGER[name]
    for claim in file["claims"]:
        own = claim.get("protocol", {})
        whole = file["protocol"] | own

        assert set(own) <= PROTOCOL
        assert whole["data"] in {"cifar10", "imagenet"}
        assert whole.get("backbone", "resnet20") in BACKBONES
        assert all(isinstance(value, str | int | float) for value in whole.values())
        if name in {"table1", "table2"}:
            assert ("protocol_source" in claim) == bool(own)


@every_file
def test_notes_are_short(name: str) -> None:
    """A note is a caution of at most 200 characters on one line."""
    notes = [claim["note"] for claim in claims(name) if "note" in claim]

    assert all(0 < len(note) <= 200 and "\n" not in note for note in notes)


@every_file
def test_a_file_begins_with_its_caution(name: str) -> None:
    """What it is, why its metric is what it is; what a reader must know is told by programs."""
    head, _, _ = (FOLDER / f"{name}.yaml").read_text(encoding="utf-8").partition("source:")

    assert all(line.startswith("#") for line in head.splitlines())
    assert "\n# metric: " in head
    (told,) = list_cautions(read_ledger(name, Path()))
    assert told.endswith(f": {LEDGER[name]['caution']}")


def test_estimator_labels_are_estimators_alone() -> None:
    """A row with an auxiliary loss or module has its system's label."""
    alone = {"none", "reste", "ste", "dsq", "ede", "fda", "rbnn"}
    wrong = [
        (name, claim["label"])
        for name in LEDGER
        for claim in claims(name)
        if claim["label"] in alone and claim.get("aux", "-") != "-"
    ]

    assert wrong == []


def test_table3_has_its_other_columns() -> None:
    """Formula, kind and the two verdicts of each estimator."""
    verdicts = {
        claim["label"]: (claim["rational"], claim["flexible"]) for claim in claims("table3")
    }

    assert all(claim["formula"].startswith("f(z) = ") for claim in claims("table3"))
    assert all(claim["kind"] for claim in claims("table3"))
    assert verdicts == {
        "dsq": ("no", "little"), "ste": ("yes", "no"), "ede": ("no", "little"),
        "fda": ("no", "little"), "rbnn": ("no", "little"), "reste": ("yes", "yes"),
    }  # fmt: skip


def test_tuning_ways_are_schedules() -> None:
    """The appendix's Table 3 differs in the schedule alone."""
    ways = {claim["schedule"]: claim["acc"] for claim in claims("appendix-table3")}

    assert ways == {"linear": 86.80, "cosine": 86.75, "power": 86.59}


def test_margins_of_the_text_are_the_tables_or_noted() -> None:
    """A margin is the difference of its two rows, or its note says what the table has."""
    off: set[tuple[str, str]] = set()
    for claim in (c for c in claims("text") if c.get("kind") == "margin"):
        ours, theirs = claim["label"].removeprefix("margin(").removesuffix(")").split("-")
        backbone, wa = claim["backbone"], claim["wa"]
        table = HOME.get((backbone, theirs), "table1")
        rows = {r[:3]: (r[3], r[4] or 0.0) for r in typed(table)}
        a, b = rows[ours, backbone, wa], rows.get((theirs, backbone, wa))
        true = b and (round(a[0] - b[0], 2), round(a[1] - b[1], 2))
        if not true or true[0] != claim["acc"]:
            off.add((claim["label"], backbone))
            assert (str(true[0]) if true else "Table 2 has no") in claim["note"]
        elif "top5" in claim:
            assert true[1] == claim["top5"]

    assert off == {
        ("margin(reste-rbnn_full)", "resnet20_bireal"),
        ("margin(reste-lq_net)", "resnet20"),
        ("margin(reste-lq_net)", "resnet18"),
    }


def test_the_release_agrees_with_the_tables() -> None:
    """A ReSTE row of Table 1 or 2 is its README's row, protocol included."""
    release = {
        (claim["backbone"], claim["wa"]): (
            claim["acc"], claim.get("top5"), LEDGER["readme"]["protocol"] | claim["protocol"],
        )
        for claim in claims("readme")
    }  # fmt: skip
    for name, suffix in (("table1", ""), ("table2", "_imagenet")):
        for claim in (claim for claim in claims(name) if claim["label"] == "reste"):
            acc, top5, protocol = release[claim["backbone"] + suffix, claim["wa"]]
            assert (claim["acc"], claim.get("top5")) == (acc, top5)
            assert LEDGER[name]["protocol"] | claim["protocol"] == protocol
