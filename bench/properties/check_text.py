"""The text of `bench check`: checks, verdicts, witnesses, certificates, and the study's table."""

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import ValidationError
from rich.console import RenderableType
from rich.table import Table

from bench.base.validation import misuse
from bench.base.yaml_document import parse_settings
from bench.errors import BenchError, PluginError, UsageError
from bench.nn.contract import Surrogate
from bench.properties.certificates import certify
from bench.properties.check import check_estimator
from bench.properties.claim import list_checks
from bench.properties.criterion import BASELINES, DEFINITIONS, FORMS, Criterion
from bench.properties.estimating_error import WeightedSample
from bench.properties.proof.certificate import Certificate
from bench.properties.study import holds_nearly, judge_by, judge_by_all, list_turns
from bench.registry import ESTIMATORS
from bench.spec.cell import Role
from bench.spec.choices import READINGS, PropertyDefinition
from bench.spec.plan import Properties

NO_F = "no f: rational and flexible are not asked"
FLEXIBLE = {"yes": "flexible", "little": "little flexible", "not": "not flexible"}

FIRST, LAST = ((FORMS[i], BASELINES[i]) for i in (0, -1))


def render_reports(words: list[str], *, quick: bool = False) -> Iterator[tuple[str, bool]]:
    """
    The text of `bench check` and whether all holds, for the named estimators or for all.

    Args:
        words: names of estimators; or one, and `KEY=VALUE` for each parameter to be set.
        quick: compile nothing.

    Raises:
        UsageError: parameters without one name that they belong to, or not this estimator's.
    """
    for name, plugin in _plugins(words):
        if isinstance(plugin, str):
            yield plugin, False
            continue
        report = check_estimator(plugin, quick=quick)
        lines = [f"{name}: {plugin.formula}"]
        lines += list_checks(report.checks)
        lines += [f"  not checked: {what}" for what in report.unchecked]
        lines.append(f"  knob: {report.knob}" if report.knob else f"  {NO_F}")
        if report.printed:
            lines += _verdict("printed formula (definition P)", report.printed)
            lines += _told(certify(plugin, None))
        same = len({repr(properties) for properties in report.trained.values()}) == 1
        for role, properties in list(report.trained.items())[: 1 if same else None]:
            title = "as it trains" if same else f"as it trains, {role}"
            lines += _verdict(title, properties)
            lines += _told(certify(plugin, role))
        yield "\n".join(lines), report.ok


def render_verdicts(
    words: list[str],
    criterion: Criterion,
    measured: dict[Role, WeightedSample] | None,
) -> Iterator[tuple[str, bool]]:
    """
    The verdicts by one criterion, of what `words` name as in `render_reports`.

    Raises:
        UsageError: definition `trained` and nothing measured, or as `render_reports`.
    """
    if criterion.definition == "trained" and not measured:
        message = "--definition trained: whose values? give --cell, as `bench plan` prints it"
        raise UsageError(message)
    for name, plugin in _plugins(words):
        if not isinstance(plugin, Surrogate):
            yield plugin if isinstance(plugin, str) else f"{name}: {NO_F}", False
            continue
        try:
            properties = judge_by(plugin, criterion, measured)
        except Exception as error:  # whatever a stranger's f raises
            yield _raises(name, error), False
            continue
        lines = _verdict(f"{name}, {criterion}", properties)
        yield "\n".join(line.removeprefix("  ") for line in lines), True


def render_study(
    words: list[str], measured: dict[Role, WeightedSample] | None
) -> Iterator[RenderableType]:
    """
    The table of every definition, then what each verdict of definition P rests on.

    Raises:
        UsageError: as `render_reports`.
        PluginError: when the table is done: what could not be judged, and why.
    """
    definitions: list[PropertyDefinition] = [d for d in DEFINITIONS if d != "trained" or measured]
    table = Table(title="rational, flexible; Table 3 of the ReSTE paper is p, identity, pure")
    for column in ("estimator", "f", "baseline", *definitions):
        table.add_column(column)
    rests: list[str] = []
    broken: list[str] = []
    for name, plugin, properties in _study(words, measured, broken):
        for form in FORMS:
            for baseline in BASELINES:
                first, last = (form, baseline) == FIRST, (form, baseline) == LAST
                cells = [_cell(properties[Criterion(d, baseline, form)]) for d in definitions]
                table.add_row(name * first, form, baseline, *cells, end_section=last)
        rests += [f"  {name:10} {line}" for line in list_turns(plugin, properties)]
    yield table
    yield "≈ no by at most 1e-8, rational at that tolerance"
    yield "\n".join(["rational asks, b being the baseline:", *list_readings(definitions)])
    yield "\n".join(["what turns a verdict of p, identity, pure:", *rests])
    _refuse(broken)


def list_study(
    words: list[str], measured: dict[Role, WeightedSample] | None
) -> Iterator[dict[str, Any]]:
    """The same table for programs, a verdict each; raises as `render_study`."""
    broken: list[str] = []
    for name, _, properties in _study(words, measured, broken):
        for criterion, verdict in properties.items():
            yield {
                "estimator": name,
                **dataclasses.asdict(criterion),
                "rational": verdict.rational,
                "flexible": verdict.flexible,
                "nearly": holds_nearly(verdict),
            }
    _refuse(broken)


def _study(
    words: list[str], measured: dict[Role, WeightedSample] | None, broken: list[str]
) -> Iterator[tuple[str, Surrogate, dict[Criterion, Properties]]]:
    """Each estimator judged by every definition; why one was not is added to `broken`."""
    for name, plugin in _plugins(words):
        if not isinstance(plugin, Surrogate):
            broken.append(plugin if isinstance(plugin, str) else f"{name}: {NO_F}")
            continue
        try:
            properties = judge_by_all(plugin, measured)
        except Exception as error:  # whatever a stranger's f raises
            broken.append(_raises(name, error))
            continue
        yield name, plugin, properties


def _refuse(broken: list[str]) -> None:
    if broken:
        raise PluginError("\n".join(" ".join(text.split()) for text in broken))


def list_readings(definitions: Iterable[PropertyDefinition] = DEFINITIONS) -> list[str]:
    """What rational asks by each definition, a line each; f and z as in the paper."""
    return [f"  {name:10} {READINGS[name]}" for name in definitions]


def _raises(name: str, error: Exception) -> str:
    if isinstance(error, BenchError):
        return f"{name}: {error}"
    return f"{name}: f raises {type(error).__name__}: {error}"


def _cell(properties: Properties) -> str:
    return f"{'≈ ' * holds_nearly(properties)}{properties.rational}, {properties.flexible}"


def _plugins(words: list[str]) -> Iterator[tuple[str, Any]]:
    """Each estimator and what it is called here, or its name and the text of why there is none."""
    names = [word for word in words if "=" not in word]
    values = parse_settings((word for word in words if "=" in word), "o_end=10")
    if values:
        yield _configured(names, values)
        return
    for name in names or ESTIMATORS.names():
        try:
            yield name, _default(name)
        except PluginError as error:
            if names:
                raise
            yield name, f"{name}\n  broken: {error}"


def _configured(names: list[str], values: dict[str, Any]) -> tuple[str, Any]:
    """One estimator at given parameters; its name tells those that are not the defaults."""
    if len(names) != 1:
        message = f"{', '.join(values)}: parameters of which estimator? name one, not {len(names)}"
        raise UsageError(message)
    (name,) = names
    try:
        plugin = ESTIMATORS.build(name, values)
    except ValidationError as error:
        raise misuse(name, error, ESTIMATORS.load(name)) from None
    others = plugin.model_dump(exclude_defaults=True)
    told = ",".join(f"{key}={_short(others[key])}" for key in values if key in others)
    return (f"{name}({told})" if told else name), plugin


def _short(value: Any) -> str:
    """As one would write it in a suite; no digit of a number is left out."""
    return str(value).removesuffix(".0") if isinstance(value, float) else str(value)


def _default(name: str) -> Any:
    try:
        return ESTIMATORS.build(name, {})
    except ValidationError as error:
        missing = ", ".join(str(e["loc"][0]) for e in error.errors() if e["loc"])
        message = f"{name}: cannot be checked, {missing} has no valid default"
        raise PluginError(message) from None


def _verdict(title: str, properties: Properties) -> list[str]:
    rational = "rational" if properties.rational == "yes" else "not rational"
    lines = [f"  {title}: {rational}, {FLEXIBLE[properties.flexible]}"]
    if properties.rational_witness:
        near = "; rational at tolerance 1e-8" * holds_nearly(properties)
        lines.append(f"    not rational: {properties.rational_witness.text}{near}")
    if properties.flexible_witness:
        lines.append(f"    {FLEXIBLE[properties.flexible]}: {properties.flexible_witness.text}")
    return lines


def _told(proofs: list[Certificate]) -> list[str]:
    return [f"    {'certified' if p.proved else 'not certified'}: {p.text}" for p in proofs]
