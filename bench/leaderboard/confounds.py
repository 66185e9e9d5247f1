"""
What differs between the rows of one section, other than what they compare.

Rows of a section are planned alike; their records may still be of other machines, other versions,
or other seeds. A row that is not as most of the others are has it said beside it.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

from bench.results.record import Provenance, Record


def differing(rows: Sequence[Sequence[Record]]) -> list[list[str]]:
    """Of each row what is otherwise: `torch 2.11.0, others 2.12.1`. An empty row has nothing."""
    said = [list[str]() for _ in rows]
    for name, value in FACTS.items():
        values = [value(row) if row else None for row in rows]
        usual = Counter(v for v in values if v is not None).most_common(1)
        for words, mine in zip(said, values, strict=True):
            if mine is not None and mine != usual[0][0]:
                words.append(f"{name} {mine}, others {usual[0][0]}")
    return said


def of_speed(a: Record, b: Record) -> Iterator[tuple[str, str, str]]:
    """Name and both values of everything by which two throughputs were not measured alike."""
    if len({_speed(origin) for origin in made([a, b])}) == 1:
        return
    for name, fact in SPEED.items():
        if len({fact(origin) for origin in made([a, b])}) > 1:
            yield name, _over(fact)([a]), _over(fact)([b])


def made(records: Iterable[Record]) -> list[Provenance]:
    """Every process that worked on them."""
    return [origin for record in records for origin in (*record.earlier, record.provenance)]


def _speed(origin: Provenance) -> tuple[object, ...]:
    """All that `SPEED` looks at, not in words."""
    torch = origin.versions.get("torch")
    engine, processes = origin.compiled, origin.processes
    machine = origin.device, origin.host, origin.threads, origin.cells_at_once
    return torch, engine, processes, *machine


def _over(fact: Callable[[Provenance], str]) -> Callable[[Sequence[Record]], str]:
    return lambda records: " and ".join(sorted({fact(origin) for origin in made(records)}))


def _seeds(records: Sequence[Record]) -> str:
    return " ".join(map(str, sorted({record.cell.seed for record in records})))


MACHINE: dict[str, Callable[[Provenance], str]] = {
    "device": lambda origin: origin.device,
    "torch": lambda origin: origin.versions.get("torch", "unknown"),
    "engine": lambda origin: "compiled" if origin.compiled else "eager",
    "processes": lambda origin: str(origin.processes),
}
SPEED: dict[str, Callable[[Provenance], str]] = {  # what throughput depends on, too
    **MACHINE,
    "host": lambda origin: origin.host,
    "threads": lambda origin: str(origin.threads),
    "cells at a time": lambda origin: str(origin.cells_at_once or "unknown"),
}
FACTS: dict[str, Callable[[Sequence[Record]], str]] = {
    "seeds": _seeds,
    **{name: _over(fact) for name, fact in MACHINE.items()},
}
