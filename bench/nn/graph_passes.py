"""
What the graph of a compiled step is told: rules that change its nodes before kernels are made.

A graph here is torch.fx's: of forward, loss and backward together (joint), or of one of the two.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, fx

from bench.nn import elementary

FORWARD = ("is_forward", "must_be_in_forward")
OWN_PLACE = "inductor_realize_to_strides"  # of a node that is not computed anew for each user
SHORT: dict[Any, Callable[[Tensor], Tensor]] = {
    torch.ops.aten.tanh.default: elementary.tanh,
    torch.ops.aten.sin.default: elementary.sin,
    torch.ops.aten.cos.default: elementary.cos,
}


def partition(graph: fx.Graph) -> None:
    """Of a joint graph: what the backward pass alone uses is its own; bytes are kept."""
    from torch.utils.checkpoint import CheckpointPolicy

    nodes = [node for node in graph.nodes if node.op == "call_function"]
    forward = {node for node in nodes if node.meta.get("partitioner_tag") in FORWARD}
    if not forward:  # nobody said which they are
        return
    for node in reversed(nodes):
        if node in forward:
            if value_is(node, lambda x: x.dtype == torch.int8):
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
            and value_is(node, _number)
            and node.all_input_nodes
            and all(value_is(x, _number) for x in node.all_input_nodes)
            and not all(value_is(x, _number) for x in node.users)
        ):
            node.meta[OWN_PLACE] = True


def abridge(graph: fx.Graph) -> None:
    """Of a forward or backward graph: what a CPU computes in fewer passes, or instructions."""
    for node in list(graph.nodes):
        if ours := _shorter(node):
            found = _replace(graph, node, ours)
            if node.target in SHORT:
                found.meta[OWN_PLACE] = True


def _shorter(node: fx.Node) -> Callable[..., Any] | None:
    """What makes of a node's tensors the same, but for roundings, sooner."""
    aten, images = torch.ops.aten, [0, 2, 3]
    if node.target is aten.var_mean.correction:
        plain = node.kwargs == {"correction": 0, "keepdim": True}
        return moments if plain and node.args[1:] == (images,) else None
    if node.target is aten.div.Tensor and value_is(node.args[0], _narrow):
        return _times_reciprocal if value_is(node.args[1], _knob) else None
    if node.target in SHORT and value_is(node.args[0], _narrow):
        return partial(_in_float32, SHORT[node.target])
    return None


def _replace(graph: fx.Graph, node: fx.Node, ours: Callable[..., Any]) -> Any:
    """Have `ours` of a node's tensors in its place, and return what stands there."""
    from torch._inductor.decomposition import select_decomp_table
    from torch.fx.experimental.proxy_tensor import make_fx

    tensors = node.all_input_nodes
    traced = make_fx(ours, select_decomp_table())(*(x.meta["val"] for x in tensors)).graph
    with graph.inserting_before(node):
        places = dict(zip(traced.find_nodes(op="placeholder"), tensors, strict=True))
        found: Any = graph.graph_copy(traced, places)
    if isinstance(found, tuple):
        for use in list(node.users):
            item: Any = use.args[1]
            use.replace_all_uses_with(found[item])  # pyright: ignore[reportUnknownArgumentType]
            graph.erase_node(use)
    else:
        node.replace_all_uses_with(found)
    graph.erase_node(node)
    return found  # pyright: ignore[reportUnknownVariableType]


def _in_float32(ours: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    return ours(x.float()).to(x.dtype)


def _times_reciprocal(x: Tensor, knob: Tensor) -> Tensor:
    """x/knob, of one division in float64 for all of x."""
    return x * (1 / knob)


def moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """
    Variance and mean of images (N, C, H, W), each (1, C, 1, 1).

    Both are of differences from the first image's mean. Where that is d standard deviations off,
    the variance is rounded to 1 + d² times what the format rounds to.
    """
    first = x[:1].mean((2, 3), keepdim=True)
    apart = x - first
    mean = apart.mean((0, 2, 3), keepdim=True)
    var = apart.square().mean((0, 2, 3), keepdim=True) - mean.square()
    return var.clamp(min=0), first + mean


def _number(x: Tensor) -> bool:
    return x.ndim == 0 and x.is_floating_point()


def _knob(x: Tensor) -> bool:
    return x.ndim == 0 and x.dtype == torch.float64


def _narrow(x: Tensor) -> bool:
    return x.ndim > 0 and x.dtype in elementary.NARROW


def value_is(node: object, what: Callable[[Tensor], bool]) -> bool:
    """Is what a node computes a tensor of which `what` is true?"""
    value = node.meta.get("val") if isinstance(node, fx.Node) else None
    return isinstance(value, Tensor) and what(value)
