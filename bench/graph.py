"""
Compiled graphs: forward, loss and backward of one step, in few passes over memory.

`torch.compile` sees neither that a training step waits for memory more than for arithmetic, nor
what binary convolutions are. It is told

    late      what the backward pass alone needs is computed there, from what is kept anyway
    bytes     signs that are kept are kept in their byte, not made again from real numbers
    once      what follows from knobs alone is computed before the loops over images, not in them
    layout    images stay channels last between convolutions of signs, too

None of it changes what is computed, but for the last bits of a tanh and of a variance.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor, fx

FORWARD = ("is_forward", "must_be_in_forward")


def graph(call: Callable[..., Tensor], device: torch.device) -> Callable[..., Tensor]:
    """`call` compiled, forward and backward, for one shape; on a GPU replayed: launches cost."""
    from torch._inductor.custom_graph_pass import CustomGraphPass, get_hash_for_files

    class Pass(CustomGraphPass):
        """A rule for every node of a graph."""

        def __init__(self, rule: Callable[[fx.Graph], None]) -> None:
            self.rule = rule

        def __call__(self, graph: fx.Graph) -> None:
            self.rule(graph)

        def uuid(self) -> Any:
            return get_hash_for_files((__file__,), self.rule.__name__)

    torch.compiler.reset()  # it compiles a function 8 times at most, and is silent of a ninth
    config: Any = torch._dynamo.config  # pyright: ignore
    if hasattr(config, "trace_autograd_ops"):  # of slopes that autograd derives
        config.trace_autograd_ops = True
    _lay_out()
    options: dict[str, Any] = {
        "joint_custom_post_pass": Pass(partition),
        "post_grad_custom_post_pass": Pass(compute_once),
        "cpp.use_two_step_variance_threshold": 2**62,  # Welford's way divides at each number
        "cpp.use_decompose_tanh": True,  # by exp: to 2e-7 of 1, and slopes are made of 1 - tanh²
        "triton.cudagraphs": device.type == "cuda",
    }
    known = torch._inductor.list_options()  # pyright: ignore  # of this version of torch
    options = {name: value for name, value in options.items() if name in known}
    return torch.compile(call, dynamic=False, options=options)


def partition(graph: fx.Graph) -> None:
    """Of a joint graph: what the backward pass alone uses is its own; bytes are kept."""
    from torch.utils.checkpoint import CheckpointPolicy

    nodes = [node for node in graph.nodes if node.op == "call_function"]
    forward = {node for node in nodes if node.meta.get("partitioner_tag") in FORWARD}
    if not forward:  # nobody said which they are
        return
    for node in reversed(nodes):
        if node in forward:
            if _is(node, lambda x: x.dtype == torch.int8):
                node.meta["recompute"] = CheckpointPolicy.MUST_SAVE
        elif forward.isdisjoint(node.users):
            node.meta["partitioner_tag"] = "must_be_in_backward"
        else:
            forward.add(node)


def compute_once(graph: fx.Graph) -> None:
    """Of a forward or backward graph: numbers made of numbers get a place of their own."""
    for node in graph.nodes:
        if (
            node.op == "call_function"
            and _is(node, _number)
            and node.all_input_nodes
            and all(_is(x, _number) for x in node.all_input_nodes)
            and not all(_is(x, _number) for x in node.users)
        ):
            node.meta["inductor_realize_to_strides"] = True


def _number(x: Tensor) -> bool:
    return x.ndim == 0 and x.is_floating_point()


def _is(node: fx.Node, what: Callable[[Tensor], bool]) -> bool:
    value = node.meta.get("val")
    return isinstance(value, Tensor) and what(value)


@cache
def _lay_out() -> None:
    """
    Tell the compiler which nodes are channels last: those that are when they are not compiled.

    It asks convolutions that it knows, and lays out what is between others as it likes; each
    kernel then transposes what it reads. Other graphs of the process keep its own rule.
    """
    from torch._inductor import config
    from torch._inductor.graph import GraphLowering

    theirs = GraphLowering.find_nodes_prefer_channels_last

    def channels_last(self: Any) -> Any:
        found: Any = theirs(self)
        if getattr(config.joint_custom_post_pass, "rule", None) is partition:
            flat = torch.channels_last
            found.update(
                node
                for node in self.module.graph.nodes
                if _is(node, lambda x: x.ndim == 4 and x.is_contiguous(memory_format=flat))
            )
        return found

    GraphLowering.find_nodes_prefer_channels_last = channels_last
