"""Suites, and the ledgers and presets that they name."""

import json
from pathlib import Path
from random import Random
from typing import Any

from bench.base.python_files import shipped
from bench.base.yaml_document import parse
from bench.planning import explain, planner
from bench.spec import preset
from bench.spec.published import describe, read_ledger
from fuzz import mutate, reports
from fuzz.box import Box, Read
from fuzz.sound import TINY, command, fresh

SHIPPED = shipped("suites")
NAMES = [
    *("x.yaml",) * 12,
    *("...yaml", "..yaml", ".yaml", "-.yaml", "[red].yaml", "a b.yaml", "é\u202e.yaml"),
    *("a\nb.yaml", "\x1b[31m.yaml", f"{'n' * 240}.yaml", "|.yaml", "x", "%2e%2e.yaml", "~.yaml"),
]


def suites(box: Box, rng: Random) -> Read:
    """A shipped suite, damaged as data or as text, with hostile names and overrides."""
    known: list[str] = box.known.setdefault(
        "suites", [p.read_text(encoding="utf-8") for p in sorted(SHIPPED.glob("*.yaml"))] + [TINY]
    )
    whole = rng.choice(known)
    if rng.random() < 0.25:
        content = mutate.text(rng, whole)
    else:
        data = parse(whole, "").data
        if rng.random() < 0.8:  # what is on every machine
            data = _on_digits(data)
        data = _named(rng, data) if rng.random() < 0.5 else mutate.structure(rng, data)
        content = as_yaml(rng, _pointed(box, rng, data))
        if rng.random() < 0.1:
            content = mutate.text(rng, content.decode(errors="surrogatepass"))
    path = box.put(rng.choice(NAMES), content).relative_to(box.inside)
    overrides = [] if rng.random() < 0.8 else [_override(rng)]
    if rng.random() < 0.03:
        verb = rng.choice([["plan"], ["show", "suite"], ["leaderboard"]])
        return lambda: command([*verb, "--", str(path), *overrides])
    return lambda: _planned(box, rng, path, overrides)


def _planned(box: Box, rng: Random, path: Path, overrides: list[str]) -> None:
    fresh()
    if rng.random() < 0.2:
        reports.on_terminal(explain.describe(path, overrides), 200)
    plan = planner.plan(path, overrides, box.inside / "data")
    reports.every(box, rng, plan)


def _on_digits(data: Any) -> Any:
    """The same suite on small data that is here, few seeds."""
    if not isinstance(data, dict) or "extends" in data:
        return data
    nets = {name: {"plugin": "resnet20", "width": 2} for name in list(data["backbones"])[:2]}
    return data | {"data": {"digits": {"train": 64}}, "seeds": [0], "backbones": nets}


def _named(rng: Random, data: Any) -> Any:
    """A sound suite whose labels, reasons and sources are hostile text."""
    if not isinstance(data, dict) or "extends" in data:
        return data
    labels = {rng.choice(mutate.STRANGE): {"plugin": "ste"}, rng.choice(mutate.STRANGE): "reste"}
    excluded = {"estimator": rng.choice([*labels, "*"]), "reason": rng.choice(mutate.STRANGE)}
    acc = {rng.choice(list(labels)): rng.choice([50, 1e300, -3])}
    published = {"source": rng.choice(mutate.STRANGE), "acc": acc}
    changes: dict[str, Any] = {
        "estimators": labels,
        "exclude": [excluded],
        "published": published,
        "baseline": rng.choice(list(labels)),
        "tune": {"train": {"lr": [0.1, 0.2]}, "held_out": 0.2},
        "backbones": {rng.choice(mutate.STRANGE): {"plugin": "resnet20", "width": 2}},
        "seeds": rng.choice([[0], "0..3", "0..999999", 2**62]),
    }
    plain = {"estimators": labels, "include": [], "exclude": [], "published": {}, "baseline": None}
    chosen = rng.sample(sorted(changes), rng.randint(0, 4))
    return data | plain | {"tune": None} | {key: changes[key] for key in chosen}


def _pointed(box: Box, rng: Random, data: Any) -> Any:
    """Here and there a path that leads out of the results."""
    if isinstance(data, dict) and rng.random() < 0.1:
        key = rng.choice(["extends", "plugins", "published", "baseline", "preset"])
        outside = str(box.outside / "precious.txt")
        data[key] = rng.choice([outside, "../outside/precious", str(box.outside), "/dev/zero", "x"])
    return data


def _override(rng: Random) -> str:
    keys = ["train.epochs", "seeds", "data", "estimators.ste", "extends", "a.b.c", "", "train", "x"]
    values = ["3", "[1", "{a: 1}", "!!python/none", "../../x", "\x1b[31m", "0..99", ".nan", "*a"]
    return rng.choice(["=", "", "=="]).join([rng.choice(keys), rng.choice(values)])


def ledgers(box: Box, rng: Random) -> Read:
    """A ledger of published numbers, damaged, beside a suite that names it."""
    home = box.inside / "published"
    home.mkdir()
    shipped = sorted((SHIPPED / "published").glob("*.yaml"))
    whole = rng.choice(shipped).read_text(encoding="utf-8")
    if rng.random() < 0.3:
        content = mutate.text(rng, whole)
    else:
        content = as_yaml(rng, mutate.structure(rng, parse(whole, "").data))
    (home / "mine.yaml").write_bytes(content)
    path = box.put("x.yaml", TINY.replace("table3", "mine"))

    def read() -> None:
        fresh()
        for line in describe(read_ledger("mine", box.inside)):
            reports.on_terminal(line)
        reports.every(box, rng, planner.plan(path))

    return read


def presets(box: Box, rng: Random) -> Read:
    """A preset of the package, damaged."""
    home = box.inside / "presets"
    home.mkdir()
    whole = (SHIPPED / "presets" / "paper.yaml").read_text(encoding="utf-8")
    content = mutate.text(rng, whole)
    if rng.random() < 0.7:
        content = as_yaml(rng, mutate.structure(rng, parse(whole, "").data))
    (home / "paper.yaml").write_bytes(content)
    path = box.put("x.yaml", TINY + "preset: paper\n")

    def read() -> None:
        fresh()
        honest = preset._home  # pyright: ignore[reportPrivateUsage]
        preset._home = lambda: home  # pyright: ignore[reportPrivateUsage]
        try:
            reports.every(box, rng, planner.plan(path))
        finally:
            preset._home = honest  # pyright: ignore[reportPrivateUsage]

    return read


def as_yaml(rng: Random, data: Any) -> bytes:
    """Data as YAML; JSON is YAML, too, and takes whatever there is."""
    text = json.dumps(data, indent=rng.choice([None, 1]), default=str)
    for word, meant in (("NaN", ".nan"), ("Infinity", ".inf")):
        text = text.replace(f": {word}", f": {meant}").replace(f": -{word}", f": -{meant}")
    return text.encode()
