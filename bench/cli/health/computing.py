"""What makes training faster here, and does this machine compute the same thing twice?"""

from bench.base import machine
from bench.base.text import count
from bench.cli.health.finding import Finding, Findings, Setup, import_or_explain


def check_speedups(_: Setup) -> Findings:
    """Say how many speed-ups of training are on, and of each other one why it is not."""
    _torch, problem = import_or_explain("torch")
    if problem:
        return
    from bench.nn.compiler import Speedup, speedups

    pages = Speedup("memory in large pages", unfit=machine.explain_small_pages())
    found = [*speedups(), pages]
    on = [speedup for speedup in found if speedup.on]
    yield Finding("ok", "speed-ups", f"{len(on)} of {len(found)} are on")
    for speedup in found:
        if speedup.missing:
            text = f"off: {speedup.purpose} (torch has no {speedup.missing})"
            advice = "compiled steps are slower, no less right; a newer torch may have it"
            yield Finding("warn", "speed-ups", text, advice)
        elif speedup.unfit:
            yield Finding("ok", "speed-ups", f"off: {speedup.purpose} ({speedup.unfit})")


def check_determinism(setup: Setup) -> Findings:
    """Train shortly twice on each device, and compare with what other environments computed."""
    torch, problem = import_or_explain("torch")
    if problem:
        yield Finding("warn", "determinism", "not looked at without torch")
        return
    from bench.results.record_diff import first_differing_step
    from bench.train import determinism

    cuda = [f"cuda:{i}" for i in range(torch.cuda.device_count())]
    kept = list(determinism.read_receipts(setup.results))
    mps = ["mps"] if torch.backends.mps.is_available() else []
    for device in setup.devices or ("cpu", *cuda, *mps):
        if device not in {"cpu", *mps, *(["cuda"] if cuda else []), *cuda}:
            yield Finding("fail", device, "no such device here", "ask for cpu, or leave --device")
            continue
        made = determinism.make_receipt(device, setup.threads)
        yield _judge_repetition(device, made.first_difference, len(made.steps))
        for other in kept:
            step = first_differing_step(made.steps, other.steps)
            yield from _compare_receipts(device, other.environment, made.environment, step)


def _judge_repetition(device: str, step: int | None, steps: int) -> Finding:
    """Of two trainings alike: at which step, if at any, they differ first."""
    if step is None:
        return Finding("ok", device, f"two trainings of {count(steps, 'step')} agree to the bit")
    advice = (
        "its records will say so, and a resumed run is not what it would have been: try "
        "--threads 1, unset what tunes kernels, and test the machine's memory"
    )
    return Finding("fail", device, f"two equal trainings differ first at step {step}", advice)


def _compare_receipts(device: str, theirs: str, ours: str, step: int | None) -> Findings:
    """Against one receipt that the results folder keeps; `step` is the first that differs."""
    if theirs == ours and step is not None:
        text = f"this environment computed other bits before, from step {step} on"
        advice = "something changed that versions do not tell: libraries, firmware, memory"
        yield Finding("fail", device, text, advice)
    elif theirs != ours:
        how = "the same bits" if step is None else f"other bits from step {step} on"
        yield Finding("ok", device, f"another environment computed {how}: {theirs}")
