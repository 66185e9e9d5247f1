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

import re
from collections.abc import Callable
from functools import cache, partial, wraps
from inspect import getattr_static
from typing import Any

import torch
from torch import Tensor, fx

from bench.nn import elementary

FORWARD = ("is_forward", "must_be_in_forward")
AHEAD = 1024  # bytes; half and twice of it are as good
OWN_PLACE = "inductor_realize_to_strides"  # of a node that is not computed anew for each user
SHORT: dict[Any, Callable[[Tensor], Tensor]] = {
    torch.ops.aten.tanh.default: elementary.tanh,
    torch.ops.aten.sin.default: elementary.sin,
    torch.ops.aten.cos.default: elementary.cos,
}


def compile_step(call: Callable[..., Tensor], device: torch.device) -> Callable[..., Tensor]:
    """`call` compiled, forward and backward, for one shape; on a GPU replayed: launches cost."""
    from torch._inductor.custom_graph_pass import CustomGraphPass, get_hash_for_files

    class Pass(CustomGraphPass):
        """A rule for every node of a graph."""

        def __init__(self, rule: Callable[[fx.Graph], None]) -> None:
            self.rule = rule

        def __call__(self, graph: fx.Graph) -> None:
            self.rule(graph)

        def uuid(self) -> Any:
            files = (__file__, str(elementary.__file__))
            return get_hash_for_files(files, self.rule.__name__)

    torch.compiler.reset()  # it compiles a function 8 times at most, and is silent of a ninth
    config: Any = torch._dynamo.config  # pyright: ignore
    if hasattr(config, "trace_autograd_ops"):  # of slopes that autograd derives
        config.trace_autograd_ops = True
    _teach()
    options: dict[str, Any] = {
        "joint_custom_post_pass": Pass(partition),
        "post_grad_custom_post_pass": Pass(compute_once),
        "cpp.use_two_step_variance_threshold": 2**62,  # Welford's way divides at each number
        "cpp.enable_floating_point_contract_flag": "fast",
        "triton.cudagraphs": device.type == "cuda",
    }
    if device.type == "cpu":  # Triton takes moments in one pass, and a GPU has such functions
        options["post_grad_custom_pre_pass"] = Pass(abridge)
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
    if node.target is aten.div.Tensor and _is(node.args[0], _narrow):
        return _times_reciprocal if _is(node.args[1], _knob) else None
    if node.target in SHORT and _is(node.args[0], _narrow):
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


def _is(node: object, what: Callable[[Tensor], bool]) -> bool:
    value = node.meta.get("val") if isinstance(node, fx.Node) else None
    return isinstance(value, Tensor) and what(value)


def _ours() -> bool:
    """Is the graph that is being compiled one of this file's?"""
    from torch._inductor import config

    return getattr(getattr(config, "joint_custom_post_pass", None), "rule", None) is partition


@cache
def _teach() -> None:
    """Tell the compiler what no option says. Other graphs of the process keep its own rules."""
    from torch._inductor.codegen import cpp
    from torch._inductor.graph import GraphLowering

    answers: tuple[tuple[Any, str, Callable[..., Any]], ...] = (
        (GraphLowering, "find_nodes_prefer_channels_last", _channels_last),
        (getattr(cpp, "CppVecKernel", None), "_get_vec_load_line", _load),
        (getattr(cpp, "CppVecOverrides", None), "to_dtype_bitcast", _cast),
        (getattr(cpp, "CppVecOverrides", None), "maximum", partial(_extreme, "clamp_min")),
        (getattr(cpp, "CppVecOverrides", None), "minimum", partial(_extreme, "clamp_max")),
    )
    for owner, name, answer in answers:
        if hasattr(owner, name):  # in this version of torch
            static = isinstance(getattr_static(owner, name), staticmethod)
            either = _for_ours(getattr(owner, name), answer)
            setattr(owner, name, staticmethod(either) if static else either)


def _for_ours(theirs: Callable[..., Any], answer: Callable[..., Any]) -> Callable[..., Any]:
    """`answer(theirs, ...)` for graphs of this file, `theirs(...)` for others."""

    @wraps(theirs)  # the compiler asks some for their names
    def either(*args: Any, **more: Any) -> Any:
        return answer(theirs, *args, **more) if _ours() else theirs(*args, **more)

    return either


def _channels_last(theirs: Callable[..., Any], lowering: Any) -> Any:
    """
    The nodes that are channels last: those that are when they are not compiled.

    The compiler asks convolutions that it knows, and lays out what is between others as it likes;
    each kernel then transposes what it reads.
    """
    flat, found = torch.channels_last, theirs(lowering)
    found.update(
        node
        for node in lowering.module.graph.nodes
        if _is(node, lambda x: x.ndim == 4 and x.is_contiguous(memory_format=flat))
    )
    return found  # pyright: ignore[reportUnknownVariableType]


def _load(
    theirs: Callable[..., str],
    kernel: Any,
    var: str,
    index: Any,
    dtype: torch.dtype,
    *args: Any,
    **more: Any,
) -> str:
    """
    A vector's load, which names what the loop will read `AHEAD` bytes later.

    A processor looks some hundreds of instructions ahead. Where an exponential stands between two
    reads, it sees the next one too late, and waiting is added to computing.
    """
    from torch._inductor.codegen import cpp as codegen

    cpp: Any = codegen
    line = theirs(kernel, var, index, dtype, *args, **more)
    if index == 0 or not var.startswith(("in_ptr", "in_out_ptr")):
        return line
    later = f"{var} + {cpp.cexpr_index(index)} + {AHEAD // dtype.itemsize}"
    return f"(__builtin_prefetch({later}), {line})"


def _cast(theirs: Callable[..., str], x: Any, dtype: torch.dtype, src_dtype: torch.dtype) -> str:
    """A vector read as another type of that width: in its register, not number by number."""
    from torch._inductor.codegen import cpp as codegen
    from torch._inductor.virtualized import V

    cpp: Any = codegen
    vectors = V.kernel._get_num_vectors(src_dtype)
    if torch.bool in (dtype, src_dtype) or vectors > 2:
        return theirs(x, dtype, src_dtype)
    to = cpp.DTYPE_TO_CPP[dtype]
    if vectors == 1:
        return f"at::vec::cast<{to}>({x})"
    both = ", ".join(f"at::vec::cast<{to}>({x}[{i}])" for i in range(2))
    return f"at::vec::VectorizedN<{to},2>({both})"


def _extreme(bound: str, theirs: Callable[..., str], a: Any, b: Any) -> str:
    """
    The larger or the smaller of two vectors, or NaN.

    Where one is NaN, theirs makes numbers of a mask. With AVX-512 that holds up every other mask of
    a loop, which then takes three times as long.
    """
    if a.dtype != torch.float32:
        return theirs(a, b)
    first = f"at::vec::{bound}({a}, {b})"  # of two NaNs or one, a's
    return first if _constant(b) else f"({first} | at::vec::{bound}({b}, {a}))"


def _constant(vector: Any) -> bool:
    """Is it made of a number that is written in the code, and is not NaN?"""
    from torch._inductor.virtualized import V

    known: Any = getattr(V.kernel.cse, "_cache", {})
    made: dict[str, str] = {str(x): text for text, x in known.items()}
    scalar = re.fullmatch(r"at::vec::Vectorized\S+\((\w+)\)", made.get(str(vector), ""))
    return bool(scalar) and made.get(scalar[1], "").startswith("static_cast<float>(")
