"""
A network as a list of operations on an image batch, all that depends on no image computed.

Signs of weights, scales, least squares of weights: whatever a method makes of its parameters alone
is a constant here, computed by the operations of the network itself, so to the same bits. What is
left are calls of torch's own operations, in order.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram
from torch.fx import Node

from bench.errors import UsageError

Value: TypeAlias = Any  # a Call, a Tensor, or what JSON has, or a list of these

PASSED_ON = {  # operations that leave the numbers of an evaluation as they are
    "detach.default", "alias.default", "clone.default", "contiguous.default", "dropout.default",
    "lift_fresh_copy.default", "detach_.default",
}  # fmt: skip
FIRST = {  # of whose several results an evaluation uses the first
    "_native_batch_norm_legit_no_training.default", "max_pool2d_with_indices.default",
    "native_layer_norm.default",
}  # fmt: skip


@dataclass(eq=False)
class Call:
    """
    One operation.

    Args:
        name: as torch's schema has it, `conv2d.default`; `images` is the input.
        target: computes it from tensors and numbers.
        args: all its arguments in the schema's order, defaults spelled out.
    """

    name: str
    target: Any
    args: list[Value] = field(default_factory=list[Value])

    @property
    def inputs(self) -> list["Call"]:
        """The operations whose results it takes, each as often as it takes it."""
        return [each for each in flatten(self.args) if isinstance(each, Call)]


@dataclass
class Graph:
    """
    The operations that lead from `images` to `logits`.

    Args:
        at_once: so many images at a time, neither more nor fewer; None: any number.
    """

    images: Call
    logits: Call
    at_once: int | None = None

    @property
    def calls(self) -> list[Call]:
        """Every operation that the logits rest on, inputs before what takes them."""
        done: dict[Call, None] = {self.images: None}
        stack = [self.logits]
        while stack:
            call = stack[-1]
            waiting = [each for each in call.inputs if each not in done]
            if waiting:
                stack += reversed(waiting)
            else:
                done[stack.pop()] = None
        return [*done]

    def users(self) -> dict[Call, list[Call]]:
        """Who takes the result of each operation."""
        found: dict[Call, list[Call]] = {call: [] for call in self.calls}
        for call in found:
            for each in dict.fromkeys(call.inputs):
                found[each].append(call)
        return found

    def replace(self, old: Call, new: Call) -> None:
        """Let whoever takes the result of `old` take that of `new`."""
        for call in self.calls:
            call.args = substitute(call.args, {old: new})
        if self.logits is old:
            self.logits = new


class Calls(nn.Module):
    """A graph as a module, from images to logits."""

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self.graph = graph

    def forward(self, images: Tensor) -> Tensor:
        values: dict[Any, Value] = {self.graph.images: images}
        for call in self.graph.calls[1:]:
            values[call] = compute(call.target, substitute(call.args, values))
        return values[self.graph.logits]


def flatten(value: Value) -> Iterator[Value]:
    """Yield what lists of lists hold."""
    if isinstance(value, list | tuple):
        for each in value:  # pyright: ignore[reportUnknownVariableType]
            yield from flatten(each)
    else:
        yield value


def substitute(value: Value, by: dict[Any, Value]) -> Value:
    """The same value, lists included, with what `by` has replaced."""
    if isinstance(value, list | tuple):
        return [substitute(each, by) for each in value]  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, Call | Node):
        return by.get(value, value)
    return value


def trace(net: nn.Module, shape: tuple[int, ...]) -> Graph:
    """
    The graph of a network, for any number of images; for one at a time if it counts them itself.

    Args:
        shape: (C, H, W) of one image, uint8.

    Raises:
        UsageError: it cannot be traced.
    """
    try:
        return fold(export(net, shape))
    except UsageError:  # `len(x)` is a number of Python's, for one
        graph = fold(export(net, shape, at_once=1))
        graph.at_once = 1
        return graph


def export(net: nn.Module, shape: tuple[int, ...], at_once: int | None = None) -> ExportedProgram:
    """
    Trace a network; arguments as of `trace` and `Graph`.

    Raises:
        UsageError: it cannot be traced.
    """
    images = torch.zeros(at_once or 2, *shape, dtype=torch.uint8)
    many = None if at_once else ({0: torch.export.Dim("n", max=2**31)},)
    try:
        with torch.no_grad():
            traced = torch.export.export(net, (images,), dynamic_shapes=many, strict=False)
            return traced.run_decompositions({})
    except Exception as error:  # whatever a plugin's forward does that cannot be traced
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        message = f"this network cannot be traced by torch.export: {reason}"
        raise UsageError(message) from error


@torch.no_grad()
def fold(program: ExportedProgram) -> Graph:
    """
    Compute all that depends on no image, and list the rest.

    Raises:
        UsageError: an operation is none of torch's own.
    """
    known: dict[Node, Value] = dict(_parameters(program))
    (wanted,) = program.graph_signature.user_outputs
    images = Call("images", None)
    for node in program.graph_module.graph.nodes:
        if node.op == "placeholder" and node not in known:
            known[node] = images
        elif node.op == "call_function":
            known[node] = _call(node, known)
    logits = next(v for n, v in known.items() if n.name == wanted)
    return Graph(images, logits)


def _parameters(program: ExportedProgram) -> Iterator[tuple[Node, Tensor]]:
    signature = program.graph_signature
    places = {
        **signature.inputs_to_parameters,
        **signature.inputs_to_buffers,
        **signature.inputs_to_lifted_tensor_constants,
    }
    values: dict[str, Any] = {**program.constants, **program.state_dict}
    for node in program.graph_module.graph.nodes:
        if node.op == "placeholder" and node.name in places:
            yield node, values[places[node.name]].detach()


def _call(node: Node, known: dict[Node, Value]) -> Value:
    """The result of a node: a constant, or the call that will compute it."""
    args = substitute(_positional(node), known)
    name = name_of(node.target)
    if name in PASSED_ON and isinstance(args[0], Call):
        return args[0]
    if name == "getitem" and name_of(getattr(node.args[0], "target", "")) in FIRST:
        return args[0]
    if any(isinstance(each, Call) for each in flatten(args)):
        return Call(name, node.target, args)
    return compute(node.target, args)


def compute(target: Any, args: list[Value]) -> Value:
    """The result of an operation, whose arguments are as `Call.args` has them."""
    schema = getattr(target, "_schema", None)
    if schema is None:
        return target(*args)
    pairs = [*zip(schema.arguments, args, strict=True)]
    named = {argument.name: value for argument, value in pairs if argument.kwarg_only}
    found: Any = target(*(v for argument, v in pairs if not argument.kwarg_only), **named)
    return found[0] if name_of(target) in FIRST else found


def _positional(node: Node) -> list[Value]:
    schema = getattr(node.target, "_schema", None)
    if schema is None:
        return [*node.args]
    given = dict(node.kwargs)
    args: list[Value] = [*node.args]
    rest = schema.arguments[len(args) :]
    return [*args, *(given.get(argument.name, argument.default_value) for argument in rest)]


def name_of(target: Any) -> str:
    """`conv2d.default` for torch.ops.aten.conv2d.default, `mul` for operator.mul."""
    words = str(getattr(target, "__name__", target))
    return words.rpartition("::")[2]
