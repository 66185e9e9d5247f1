"""
Compiled graphs: forward, loss and backward of one step, in few passes over memory.

`torch.compile` sees neither that a training step waits for memory more than for arithmetic, nor
what binary convolutions are. It is told

    late      what the backward pass alone needs is computed there, from what is kept anyway
    bytes     signs that are kept are kept in their byte, not made again from real numbers
    once      what follows from knobs alone is computed before the loops over images, not in them
    moments   the mean and the variance of images are sums of one pass over them
    layout    images stay channels last between convolutions of signs, too
    ahead     a loop on a CPU asks for what it will read soon, while it computes
    short     a loop on a CPU has few instructions: sums and products are fused, tanh, sine and
              cosine are polynomials, divisions by a knob products, bits are read as they lie

None of it changes what is computed, but for roundings.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx

from bench.nn import compiler_hooks, elementary, graph_passes, integer_conv
from bench.nn.graph_passes import abridge, compute_once, partition

OPTIONS = {  # of torch's compiler, and what for
    "joint_custom_post_pass": "backward computes its own; signs are kept in a byte",
    "post_grad_custom_post_pass": "what follows from knobs alone is computed once",
    "post_grad_custom_pre_pass": "moments in one pass, short functions, on a CPU",
    "cpp.use_two_step_variance_threshold": "a CPU's variances without a division at each number",
    "cpp.enable_floating_point_contract_flag": "a CPU's products and sums are fused",
    "triton.cudagraphs": "a GPU replays all kernels of a step at once",
}
AUTOGRAD = "torch._dynamo.config:trace_autograd_ops"  # slopes that autograd derives are compiled

KEPT = "torch._functorch.config:autograd_cache_allow_custom_autograd_functions"


@dataclass(frozen=True)
class Speedup:
    """Something that makes training faster here, or why it does not."""

    purpose: str
    missing: str = ""  # a name that this torch has not
    unfit: str = ""  # why this machine cannot

    @property
    def on(self) -> bool:
        return not (self.missing or self.unfit)


def speedups() -> list[Speedup]:
    """Return all that can make training faster than plain torch does; imports the compiler."""
    known = _known_options()
    found = [Speedup(what, "" if name in known else name) for name, what in OPTIONS.items()]
    found += [Speedup(hook.purpose, hook.missing()) for hook in compiler_hooks.HOOKS]
    others = {
        AUTOGRAD: "slopes that autograd derives are compiled",
        KEPT: "a process that finds its step on disk does not derive the backward pass again",
    }
    found += [
        Speedup(what, name if compiler_hooks.is_missing(name) else "")
        for name, what in others.items()
    ]
    return [
        *found,
        Speedup(
            "convolutions of signs in int8",
            unfit="" if integer_conv.MULTIPLIES_BYTES else "this processor has no int8 products",
        ),
        Speedup(
            "their sums in float16",
            unfit="" if integer_conv.WRITES_HALVES else "this processor has no float16 arithmetic",
        ),
    ]


def trace_derived_slopes() -> None:
    """Let slopes that autograd derives be compiled, where this torch can."""
    config: Any = torch._dynamo.config  # pyright: ignore
    if hasattr(config, "trace_autograd_ops"):
        config.trace_autograd_ops = True


def keep_derived_steps() -> None:
    """
    Let a step be kept with its backward pass, where this torch can.

    A gradient of ours is in the kept step's key as the graph that it was traced to.
    """
    config: Any = torch._functorch.config  # pyright: ignore
    if not compiler_hooks.is_missing(KEPT):
        config.autograd_cache_allow_custom_autograd_functions = True


def compile_step(
    call: Callable[..., Tensor], device: torch.device, *, alone: bool = True
) -> Callable[..., Tensor]:
    """
    `call` compiled, forward and backward, for one shape; on a GPU replayed: launches cost.

    Args:
        alone: does one process train? A step that has sums over processes in it is not replayed.
    """
    torch.compiler.reset()  # it compiles a function 8 times at most, and is silent of a ninth
    trace_derived_slopes()
    keep_derived_steps()
    compiler_hooks.install_hooks()
    known = _known_options()
    options = {name: value for name, value in _options(device, alone).items() if name in known}
    return torch.compile(call, dynamic=False, options=options)


def _options(device: torch.device, alone: bool) -> dict[str, Any]:
    from torch._inductor.custom_graph_pass import CustomGraphPass, get_hash_for_files

    class Pass(CustomGraphPass):
        """A rule for every node of a graph."""

        def __init__(self, rule: Callable[[fx.Graph], None]) -> None:
            self.rule = rule

        def __call__(self, graph: fx.Graph) -> None:
            self.rule(graph)

        def uuid(self) -> Any:
            files = (__file__, graph_passes.__file__, compiler_hooks.__file__, elementary.__file__)
            return get_hash_for_files(tuple(map(str, files)), self.rule.__name__)

    options: dict[str, Any] = {
        "joint_custom_post_pass": Pass(partition),
        "post_grad_custom_post_pass": Pass(compute_once),
        "cpp.use_two_step_variance_threshold": 2**62,  # Welford's way divides at each number
        "cpp.enable_floating_point_contract_flag": "fast",
        "triton.cudagraphs": device.type == "cuda" and alone,
    }
    if device.type == "cpu":  # Triton takes moments in one pass, and a GPU has such functions
        options["post_grad_custom_pre_pass"] = Pass(abridge)
    return options


def _known_options() -> list[str]:
    """The options that this version of torch's compiler has."""
    import torch._inductor

    return torch._inductor.list_options()  # pyright: ignore
