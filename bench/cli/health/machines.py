"""Can jobs of a profile run, are its machines alike, and does their folder do what it must?"""

from collections.abc import Callable, Iterator
from pathlib import Path

from bench.base.text import count
from bench.cli.health.finding import Finding, Findings
from bench.errors import BenchError
from bench.fleet.engines import open_engine
from bench.fleet.profile import Profile
from bench.fleet.trial.folder_trial import Observations
from bench.fleet.trial.node_facts import NodeFacts, find_facts
from bench.fleet.trial.trial import Trial, hold_trial, on_one_node, shorten

SLOW_S = 5.0  # until a file is seen elsewhere: screens lag
LATE_S = 50.0  # until a lease's beat is seen; 60 s without one are taken for death
CLOCK_S = 2.0
GIB = 1024.0  # MiB


def examine_profile(
    profile: Profile, root: Path, data: Path, wait_s: float, report: Callable[[str], None]
) -> Findings:
    """Yield every finding about a profile; jobs of its engine are submitted for it."""
    if profile.engine == "local":
        yield Finding("ok", "engine", "this machine; `bench doctor` examines it")
        return
    try:
        engine = open_engine(on_one_node(shorten(profile)), root)
    except BenchError as error:
        yield Finding("fail", "engine", str(error))
        return
    try:
        trial = hold_trial(engine, profile, root, profile.data or data, wait_s, report)
    except BenchError as error:
        yield Finding("fail", "engine", str(error), "nothing was submitted")
        return
    finally:
        engine.close()
    yield from judge(profile, trial, find_facts(root, data))


def judge(profile: Profile, trial: Trial, here: NodeFacts) -> Iterator[Finding]:
    """What a trial says about a profile."""
    if trial.problem:
        advice = (
            "if it ended: do nodes see the results folder at this path, or at another one that "
            "`results` of the profile says, and is signbench installed there?"
        )
        yield Finding("fail", "engine", trial.problem, advice)
        return
    hosts = ", ".join(facts.host for facts in trial.facts[: len(trial.states)])
    text = f"{profile.engine} answers: jobs ran on {hosts}, the first after {trial.queued_s:.0f} s"
    yield Finding("ok", "engine", text)
    for facts in trial.facts[: len(trial.states)]:
        yield from _judge_software(facts, here)
        yield from _judge_hardware(profile, facts)
        if not facts.data_there and (here.data_there or profile.data):
            advice = "`data` of the profile names the folder of data sets as nodes see it"
            yield Finding(
                "warn", "data", f"{facts.host}: the folder of data sets is not there", advice
            )
    if trial.observations:
        yield from _judge_folder(trial)


def _judge_software(facts: NodeFacts, here: NodeFacts) -> Iterator[Finding]:
    """Does the node compute with what is installed here?"""
    changed = sorted(
        name
        for name in facts.numerics.keys() | here.numerics.keys()
        if facts.numerics.get(name) != here.numerics.get(name)
    )
    other = [
        f"{name} {facts.versions.get(name) or 'not there'}, here {version or 'not there'}"
        for name, version in here.versions.items()
        if facts.versions.get(name) != version
    ]
    advice = "let `setup` of the profile activate the environment that is used here"
    if changed or any(text.startswith("signbench ") for text in other):
        text = "; ".join([*other, *(f"other code: {name}" for name in changed)])
        yield Finding("fail", "versions", f"{facts.host}: {text}", advice)
    elif other:
        yield Finding("warn", "versions", f"{facts.host}: {'; '.join(other)}", advice)
    else:
        words = ", ".join(
            f"{name} {version}" for name, version in facts.versions.items() if version
        )
        yield Finding("ok", "versions", f"{facts.host}: as here, {words}")


def _judge_hardware(profile: Profile, facts: NodeFacts) -> Iterator[Finding]:
    """Has a job what the profile asks for?"""
    wanted = profile.gpus_per_cell // profile.nodes_per_cell
    seen = f"{facts.host}: {count(len(facts.gpus), 'GPU')} seen, {', '.join(facts.gpus) or 'none'}"
    if facts.gpu_problem:
        advice = "install a torch that loads there"
        yield Finding("fail", "GPU", f"{facts.host}: {facts.gpu_problem}", advice)
    elif len(facts.gpus) < wanted:
        advice = "check the partition, sbatch (gres), the driver there, and that torch has CUDA"
        yield Finding("fail", "GPU", f"{seen}; {wanted} asked for", advice)
    elif wanted:
        yield Finding("ok", "GPU", seen)
    ranks = 1 if wanted else profile.ranks // profile.nodes_per_cell
    cores = profile.cpus_per_cell * max(1, wanted, ranks)
    text = f"{facts.host}: {count(facts.cores, 'core')}"
    if facts.memory_mib is not None:
        text += f", {facts.memory_mib / GIB:.1f} GiB available"
    if facts.cores < cores:
        advice = "lower cpus_per_cell: threads would wait for each other"
        yield Finding("warn", "CPU", f"{text}; {cores} asked for", advice)
    else:
        yield Finding("ok", "CPU", text)


def _judge_folder(trial: Trial) -> Iterator[Finding]:
    """Does the results folder do between two machines what records and leases need?"""
    one, other = trial.facts
    first, second = trial.observations
    if trial.alone:
        advice = "the folder was tried between a node and this machine"
        yield Finding("warn", "two nodes", trial.alone, advice)
    elif one.place == other.place:
        advice = "how the folder behaves between two machines is not known"
        yield Finding("warn", "two nodes", f"both jobs ran on {one.host}", advice)
    if not first.heard or not second.heard:
        text = f"{one.host} and {other.host} do not see each other's files"
        advice = "`results` of the profile has to be one folder that all nodes see"
        yield Finding("fail", "folder", first.problem or second.problem or text, advice)
        return
    kinds = " and ".join(dict.fromkeys([one.file_system, other.file_system]))
    yield Finding("ok", "folder", f"{one.host} and {other.host} see the same ({kinds})")
    yield from _judge_link(first, second)
    yield from _judge_lock(first)
    yield from _judge_times(first)
    if problem := first.problem or second.problem:
        yield Finding("warn", "folder", f"not all of it was tried: {problem}")


def _judge_link(first: Observations, second: Observations) -> Iterator[Finding]:
    """Does of two that link to one name exactly one get it?"""
    tried = min(first.tried, second.tried)
    both = len({*first.claims} & {*second.claims})
    nobody = tried - len({*first.claims} | {*second.claims})
    if not tried:
        return
    if both:
        text = f"two machines got the same name by link, {both} times of {tried}"
        advice = "two jobs would train one cell: keep results on another file system"
        yield Finding("fail", "link", text, advice)
    elif nobody > 0:
        text = f"nobody got a name by link, {nobody} times of {tried}"
        advice = "cells are leased by links: keep results on a file system that has them"
        yield Finding("fail", "link", text, advice)
    else:
        yield Finding("ok", "link", f"of two that link to one name one gets it, {tried} of {tried}")


def _judge_lock(seen: Observations) -> Iterator[Finding]:
    """Say what locks do there; nothing here rests on them."""
    if seen.lock == "excludes":
        yield Finding("ok", "flock", "a lock on one excludes the other")
    elif seen.lock:
        text = "none here" if seen.lock == "no locks" else "a lock holds on one machine only"
        yield Finding("ok", "flock", f"{text}; nothing rests on them")


def _judge_times(seen: Observations) -> Iterator[Finding]:
    """Are files seen soon, and do clocks agree?"""
    if seen.new_s is not None and seen.replaced_s is not None:
        worst = max(seen.new_s, seen.replaced_s)
        text = (
            f"a new file is seen after {seen.new_s:.2f} s, a replaced one {seen.replaced_s:.2f} s"
        )
        if worst > LATE_S:
            advice = "living leases would look dead: mount it with actimeo=10, or use another"
            yield Finding("fail", "renames", text, advice)
        elif worst > SLOW_S:
            yield Finding("warn", "renames", text, "all holds, but `bench status` lags as much")
        else:
            yield Finding("ok", "renames", text)
    if seen.clock_s is not None and seen.clock_error_s is not None:
        text = (
            f"clocks differ by {abs(seen.clock_s):.2f} s, give or take {seen.clock_error_s:.2f} s"
        )
        if abs(seen.clock_s) > CLOCK_S + seen.clock_error_s:
            advice = "leases do not read clocks, but times in journals will not agree: run NTP"
            yield Finding("warn", "clocks", text, advice)
        else:
            yield Finding("ok", "clocks", text)
