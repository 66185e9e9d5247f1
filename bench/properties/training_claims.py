"""
What a method owes the harness where it trains: claims on two blocks and a few steps.

Each takes an estimator and says what is wrong, or nothing and the figures by which it holds.
"""

import shutil
from collections.abc import Callable

import torch
from torch import Tensor, nn

from bench.nn.compiler import trace_derived_slopes
from bench.nn.contract import Estimator, Surrogate
from bench.nn.layers import BinaryLayer, binary_layers
from bench.properties.claim import Claim
from bench.properties.sample_training import BATCH, STEPS, Sample, load_digits, make_sample
from bench.spec.cell import Binarization, Role
from bench.train import levels
from bench.train.observer import Observer
from bench.train.optimizer import make_optimizer, optimized
from bench.train.snapshot import Snapshot

EXACT = 1e-12  # of float64, relative to the largest number or to 1
ROLES: tuple[Role, ...] = ("W", "A")
REAL = 32  # bits
ALONE = 8  # images that are judged one by one
FIRST = ("options it fixes exist", "stages train")  # without them there is nothing to look at
LATENTS: dict[str, float] = {"0": 0.0, "constant": 0.5, "1e4": 1e4, "-1e4": -1e4}


def training_claims(*, quick: bool) -> dict[str, Claim]:
    """
    Return the claims, by name.

    Args:
        quick: without those about compiling, which take half a minute.
    """
    claims: dict[str, Claim] = {
        "options it fixes exist": fixes_options,
        "stages train": trains_in_stages,
        "each parameter is in one group": groups_parameters,
        "steps stay finite": steps_from_extremes,
        "evaluation has its bits": evaluates_in_its_bits,
        "images are judged alone": judges_alone,
        "resumed is uninterrupted": resumes,
        "channels last is contiguous": takes_formats,
    }
    compiling = {"one graph over its schedule": stays_one_graph, "compiled is eager": compiles}
    return claims if quick else claims | compiling


def trains_its_own_way(estimator: Estimator) -> bool:
    """Does it do more than to give sign another gradient?"""
    own = type(estimator)
    hooks = ("coach", "stages", "bits")
    changed = any(getattr(own, name) is not getattr(Estimator, name) for name in hooks)
    return changed or not isinstance(estimator, Surrogate)


def fixes_options(estimator: Estimator) -> tuple[str, str]:
    """What it fixes are options of binary layers, with values that they can have."""
    unknown = estimator.fixes.keys() - Binarization.model_fields.keys()
    if unknown:
        return f"`{min(unknown)}` is no option of binary layers", ""
    Binarization.model_validate(estimator.fixes)
    return "", ", ".join(f"{key}: {value}" for key, value in estimator.fixes.items()) or "none"


def trains_in_stages(estimator: Estimator) -> tuple[str, str]:
    """Each stage sets parameters of its own, and trains an epoch."""
    stages = estimator.stages()
    for number, stage in enumerate(stages, 1):
        unknown = stage.fields.keys() - type(estimator).model_fields.keys()
        if unknown:
            return f"stage {number} sets `{min(unknown)}`, which is no parameter of it", ""
        staged = type(estimator).model_validate(estimator.model_dump() | stage.fields)
        if not stage.real and (diverged := make_sample(staged, epochs=1).train().diverged):
            return f"stage {number}: {diverged}", ""
    return "", f"{len(stages)}, one epoch each"


def groups_parameters(estimator: Estimator) -> tuple[str, str]:
    """Every parameter is there once the network is built, and some optimizer trains it, once."""
    sample = make_sample(estimator, epochs=1)
    built = _parameters(sample)
    unmade = [name for name, p in built.items() if nn.parameter.is_lazy(p)]
    if unmade:
        return f"{unmade[0]} has no shape before the first forward; give it one in __init__", ""
    trained = optimized(make_optimizer(sample.net, sample.recipe, sample.coach))
    twice = [name for name, p in built.items() if sum(p is other for other in trained) != 1]
    if twice:
        return f"{twice[0]} is in no group or in several", ""
    sample.train()
    late = _parameters(sample)
    for name in {**built, **late}:
        if built.get(name) is not late.get(name):
            return f"{name} is made or replaced after the network is built, so it never trains", ""
    still = [name for name, p in late.items() if p.grad is None]
    told = f"; without a gradient in the last step: {', '.join(still)}" if still else ""
    return "", f"{len(built)} parameters{told}"


def _parameters(sample: Sample) -> dict[str, nn.Parameter]:
    coach = {f"coach.{name}": p for name, p in sample.coach.named_parameters()}
    return dict(sample.net.named_parameters()) | coach


def steps_from_extremes(estimator: Estimator) -> tuple[str, str]:
    """One epoch from latents that are all alike leaves nothing that is not finite."""
    for told, value in LATENTS.items():
        sample = make_sample(estimator, epochs=1)
        with torch.no_grad():
            for _, layer in binary_layers(sample.net):
                layer.weight.fill_(value)
        outcome = sample.train()
        if outcome.diverged:
            return f"latents {told}: {outcome.diverged}", ""
        spoilt = [
            name
            for name, p in _parameters(sample).items()
            if p.grad is not None and not p.grad.isfinite().all()
        ]
        if spoilt:
            return f"latents {told}: the gradient of {spoilt[0]} is not finite", ""
    return "", f"an epoch from latents of {', '.join(LATENTS)}"


def evaluates_in_its_bits(estimator: Estimator) -> tuple[str, str]:
    """After training no filter and no input channel has more values than its bits allow."""
    sample = make_sample(estimator)
    sample.train()
    sample.net.eval()
    bits: dict[Role, int] = {role: n for role in ROLES if (n := estimator.bits(role)) < REAL}
    images, _ = next(iter(load_digits().batches("test", BATCH)))
    with torch.no_grad(), levels.counted(sample.net, levels.Claim(bits), BATCH) as seen:
        sample.net(images)
    if problem := seen.unlike():
        return f"{problem}; `bits` says {bits}", ""
    found = seen.levels({})
    values = {"W": found.weights, "A": found.inputs}
    told = [f"{role} {n} bit{'s' * (n > 1)}, {values[role]} values" for role, n in bits.items()]
    return "", "; ".join(told) or "real weights and inputs"


def judges_alone(estimator: Estimator) -> tuple[str, str]:
    """In evaluation no image's logits depend on what else is in its batch."""
    sample = make_sample(estimator, epochs=1, double=True)
    sample.train()
    sample.net.eval()
    images = next(iter(load_digits().batches("test", ALONE)))[0]
    with torch.no_grad():
        together = sample.net(images)
        alone = torch.cat([sample.net(images[i : i + 1]) for i in range(len(images))])
    off = _distance(alone, together)
    if not off <= EXACT:
        return f"logits of an image alone are off by {off:.1g}; take no statistics of a batch", ""
    return "", f"{ALONE} images, each alone and beside the others"


def _effective(given: Tensor | tuple[Tensor, Tensor]) -> Tensor:
    return given[0] * given[1] if isinstance(given, tuple) else given


def resumes(estimator: Estimator) -> tuple[str, str]:
    """Whoever goes on from the middle of an epoch ends as who was not interrupted, bit for bit."""
    snapshots: list[Snapshot] = []
    whole = make_sample(estimator, seed=1)
    outcome = whole.train(keep=snapshots.append)
    expected = _numbers(whole)
    for place in (1, STEPS + 1):
        sample = make_sample(estimator, seed=2)
        again = sample.train(resume=snapshots[place])
        where = f"from step {place % STEPS + 1} of epoch {place // STEPS + 1}"
        if again.curves != outcome.curves:
            return f"{where}: losses or accuracies differ", ""
        for name, value in _numbers(sample).items():
            if not torch.equal(value, expected[name]):
                return f"{where}: {name} differs", ""
    return "", f"from the middle of 2 epochs, {len(expected)} tensors"


def _numbers(sample: Sample) -> dict[str, Tensor]:
    """All that a network and its coach hold."""
    parts = {"": sample.net, "coach.": sample.coach}
    return {
        prefix + name: tensor.detach()
        for prefix, part in parts.items()
        for name, tensor in (*part.named_parameters(), *part.named_buffers())
    }


def takes_formats(estimator: Estimator) -> tuple[str, str]:
    """Weights in channels-last order are the same weights: to binarizers and to the coach."""
    contiguous, last = (
        _one_step(estimator, order) for order in (torch.contiguous_format, torch.channels_last)
    )
    worst = 0.0
    for name, value in contiguous.items():
        off = _distance(last[name], value)
        if not off <= EXACT:
            return f"{name} is off by {off:.1g} in channels-last order; reshape, never view", ""
        worst = max(worst, off)
    return "", f"largest difference {worst:.1e}"


def _one_step(estimator: Estimator, order: torch.memory_format) -> dict[str, Tensor]:
    """Effective weights, gradients and all numbers after a step on the weights alone."""
    sample = make_sample(estimator, double=True)
    sample.net.to(memory_format=order)  # pyright: ignore[reportCallIssue]
    sample.clock.set(0.4)
    found: dict[str, Tensor] = {}
    with torch.no_grad():
        sample.coach.begin_epoch(0, 0.1)
        sample.coach.before_step()
    for name, layer in binary_layers(sample.net):
        found[f"{name}.effective"] = _pass_through(layer)
    with torch.no_grad():
        sample.coach.after_backward()
        found |= {
            f"{name}.grad": p.grad.clone()
            for name, p in _parameters(sample).items()
            if p.grad is not None
        }
        sample.coach.after_step()
    return found | _numbers(sample)


def _pass_through(layer: BinaryLayer) -> Tensor:
    """The effective weights of a layer, after the gradient of a waving sum of them."""
    effective = _effective(layer.W(layer.weight))
    wave = torch.arange(effective.numel(), dtype=effective.dtype).sin().reshape(effective.shape)
    if effective.requires_grad:
        (effective * wave).sum().backward()
    return effective.detach()


def stays_one_graph(estimator: Estimator) -> tuple[str, str]:
    """Forward and loss are one graph, which is compiled once however far the schedule is."""
    from torch._dynamo.testing import CompileCounter  # which takes its time

    sample = make_sample(estimator)
    counter = CompileCounter()
    sample.coach.train()
    observer = Observer(sample.net, sample.coach, sample.teacher.eval())

    def find_loss(images: Tensor, labels: Tensor) -> Tensor:
        return sample.coach.loss(sample.net(images), labels, observer.take(images))

    torch.compiler.reset()
    trace_derived_slopes()
    step: Callable[[Tensor, Tensor], Tensor] = torch.compile(
        find_loss, backend=counter, dynamic=False, fullgraph=True
    )
    images, labels = next(iter(load_digits().batches("test", BATCH)))
    for epoch in range(3):
        sample.clock.set(epoch / 3)
        with torch.no_grad():
            sample.coach.begin_epoch(epoch, 0.1)
            sample.coach.before_step()
        step(images, labels).backward()
        with torch.no_grad():
            sample.coach.after_backward()
            sample.coach.after_step()
        sample.net.zero_grad()
    torch.compiler.reset()
    if counter.frame_count != 1:
        return f"{counter.frame_count} graphs; a number that changes must be a tensor", ""
    return "", "traced once, at 3 moments"


def compiles(estimator: Estimator) -> tuple[str, str]:
    """Three compiled steps in float64 are three eager ones, to 1e-12."""
    if not any(map(shutil.which, ("c++", "g++", "clang++"))):
        return "", "not tried: there is no C++ compiler here"
    eager, other = (make_sample(estimator, epochs=1, double=True) for _ in range(2))
    eager.train()
    other.train(compiled=True)
    if _draws(estimator):
        return "", "trains; not compared, for it draws at random"
    expected, worst = _numbers(eager), 0.0
    for name, value in _numbers(other).items():
        off = _distance(value, expected[name])
        if not off <= EXACT:
            return f"{name} is off by {off:.1g} after {STEPS} steps", ""
        worst = max(worst, off)
    return "", f"{STEPS} steps in float64, largest difference {worst:.1e}"


def _draws(estimator: Estimator) -> bool:
    """Do two trainings differ that differ in the global generator alone?"""
    ends: list[dict[str, Tensor]] = []
    for seed in (1, 2):
        sample = make_sample(estimator, epochs=1)
        torch.manual_seed(seed)
        sample.train()
        ends.append(_numbers(sample))
    return any(not torch.equal(ends[0][name], ends[1][name]) for name in ends[0])


def _distance(one: Tensor, other: Tensor) -> float:
    """The largest difference, relative to the largest number or to 1; 0 of nothing."""
    if not one.numel():
        return 0.0
    one, other = one.double(), other.double()
    return (one - other).abs().max().item() / max(other.abs().max().item(), 1.0)
