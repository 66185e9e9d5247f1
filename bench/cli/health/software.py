"""Is what signbench needs installed, and do its plugins load?"""

import importlib.metadata
import platform
import re
import sys

from packaging.requirements import Requirement

from bench.cli.health.finding import Finding, Findings, Setup, import_or_explain
from bench.errors import BenchError


def check_python(_: Setup) -> Findings:
    """Name the interpreter."""
    yield Finding("ok", "python", f"{platform.python_version()}, {sys.executable}")


def check_packages(_: Setup) -> Findings:
    """Compare what pyproject asks of every installation, so no extras, with what is installed."""
    try:
        declared = importlib.metadata.requires("signbench") or []
    except importlib.metadata.PackageNotFoundError:
        yield Finding(
            "warn", "packages", "signbench is not installed, so its needs are not known",
            "`pip install -e .`",
        )  # fmt: skip
        return
    parsed = [Requirement(text) for text in declared]
    required = [r for r in parsed if r.marker is None or r.marker.evaluate({"extra": ""})]
    lacking = [problem for problem in map(_shortfall, required) if problem]
    if lacking:
        yield Finding("fail", "packages", "; ".join(lacking), "`pip install -e .`")
    else:
        yield Finding("ok", "packages", f"{len(required)} as pyproject.toml asks for them")


def _shortfall(requirement: Requirement) -> str:
    """What is wrong with one package, or nothing."""
    try:
        installed = importlib.metadata.version(requirement.name)
    except importlib.metadata.PackageNotFoundError:
        return f"{requirement.name} is not installed"
    if requirement.specifier.contains(installed, prereleases=True):
        return ""
    wanted = str(requirement.specifier)
    if least := re.fullmatch(r">=([\w.]+)", wanted):
        wanted = f"{least[1]} or newer"
    return f"{requirement.name} {installed}, {wanted} is needed"


def check_torch(_: Setup) -> Findings:
    """Import torch and torchvision, which must come from one place."""
    torch, problem = import_or_explain("torch")
    if problem:
        advice = "install torch and torchvision together: `pip install torch torchvision`"
        yield Finding("fail", "torch", problem, advice)
        return
    yield Finding("ok", "torch", str(torch.__version__))
    vision, problem = import_or_explain("torchvision")
    if not problem:
        yield Finding("ok", "torchvision", str(vision.__version__))
        return
    advice = "`pip install torchvision`"
    if "torchvision::" in problem:
        problem = f"does not fit torch {torch.__version__}: {problem}"
        advice = (
            "a CPU-only torch stands beside a registry torchvision, or the other way round: "
            "`pip install --force-reinstall torch torchvision`, both in one command"
        )
    yield Finding("fail", "torchvision", problem, advice)


def check_checkout(_: Setup) -> Findings:
    """Name the commit that records will name, and whether it is all of the code."""
    from bench.results.provenance import describe_checkout

    commit, dirty = describe_checkout()
    if dirty:
        advice = "commit before a run that counts: records name the commit and say dirty"
        yield Finding("warn", "checkout", f"{commit[:12]} with uncommitted changes", advice)
    else:
        yield Finding("ok", "checkout", commit[:12] or "none; signbench is installed")


def check_plugins(_: Setup) -> Findings:
    """Load every plugin; a broken one is a warning."""
    if import_or_explain("torch")[1]:
        yield Finding("warn", "plugins", "not looked at without torch")
        return
    from bench.registry import REGISTRIES

    counts: list[str] = []
    for registry in REGISTRIES:
        broken = 0
        for name in registry.names():
            try:
                registry.load(name)
            except BenchError as error:
                broken += 1
                yield Finding("warn", f"plugin {name}", str(error), "suites without it still run")
        counts.append(f"{len(registry.names()) - broken} {registry.package}")
    yield Finding("ok", "plugins", ", ".join(counts))
