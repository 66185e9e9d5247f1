"""
What torch's compiler is told where no option says it: six of its functions, answered otherwise.

They are private and may go or change with any version of torch. One that is gone is left out, which
`compiler.speedups` tells and a test takes for a failure. Other graphs of the process are compiled
as they would be.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial, wraps
from inspect import getattr_static
from pkgutil import resolve_name
from typing import Any

import torch

from bench.nn.graph_passes import partition, value_is

AHEAD = 1024  # bytes; half and twice of it are as good


@dataclass(frozen=True)
class Hook:
    """
    One function of the compiler that ours answers for.

    Args:
        owner: module and class.
        name: of the function there.
        purpose: what for, in words.
        answer: called with their function, then with what that is called with.
        uses: other names of the compiler that the answer needs.
    """

    owner: str
    name: str
    purpose: str
    answer: Callable[..., Any]
    uses: tuple[str, ...] = ()

    def missing(self) -> str:
        """Return the first name that this torch has not, or nothing."""
        return next(filter(is_missing, (f"{self.owner}.{self.name}", *self.uses)), "")


def is_missing(name: str) -> bool:
    """Is there nothing of that name, `module:attribute.attribute`, in this torch?"""
    try:
        resolve_name(name)
    except (ImportError, AttributeError):
        return True
    return False


@cache
def install_hooks() -> None:
    """Have ours asked in the place of each function that there is."""
    for hook in HOOKS:
        if hook.missing():
            continue
        owner = resolve_name(hook.owner)
        static = isinstance(getattr_static(owner, hook.name), staticmethod)
        either = _for_ours(getattr(owner, hook.name), hook.answer)
        setattr(owner, hook.name, staticmethod(either) if static else either)


def _for_ours(theirs: Callable[..., Any], answer: Callable[..., Any]) -> Callable[..., Any]:
    """`answer(theirs, ...)` for graphs of `compiler.compile_step`, `theirs(...)` for others."""

    @wraps(theirs)  # the compiler asks some for their names
    def either(*args: Any, **more: Any) -> Any:
        return answer(theirs, *args, **more) if _is_ours() else theirs(*args, **more)

    return either


def _is_ours() -> bool:
    """Is the graph that is being compiled one of `compiler.compile_step`?"""
    from torch._inductor import config

    return getattr(getattr(config, "joint_custom_post_pass", None), "rule", None) is partition


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
        if value_is(node, lambda x: x.ndim == 4 and x.is_contiguous(memory_format=flat))
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


def _without_unused(theirs: Callable[..., None], module: Any, shapes: Any, mode: Any) -> None:
    """
    A joint graph whose inputs are tensors: nobody asked for the number in one.

    A symbol stands for the number in each 0-d float64 input, a knob, in case it is asked for.
    Theirs sees that a symbol has no use when the backward pass is derived, and has all of that
    done once more, without it. It is told beforehand, and derives the same graph once.
    """
    from torch._dynamo.symbolic_convert import TensorifyState
    from torch.utils._sympy.symbol import SymT, symbol_is_type

    state: Any = TensorifyState
    values = [node.meta.get("val") for node in module.graph.nodes]
    unused: set[str] = set()
    if not any(isinstance(value, NUMBERS) for value in values):
        symbols = shapes.backed_var_to_val
        unused = {str(symbol) for symbol in symbols if symbol_is_type(symbol, SymT.FLOAT)}
    unused -= state.force_specializations
    state.force_specializations |= unused
    try:
        theirs(module, shapes, mode)
    finally:
        state.force_specializations -= unused  # names of this graph's symbols, and of others'


NUMBERS = (int, float, torch.SymInt, torch.SymFloat, torch.SymBool)
CPP = "torch._inductor.codegen.cpp"
KERNEL = "torch._inductor.virtualized:V"
HOOKS = (
    Hook(
        "torch._functorch._aot_autograd.graph_compile",
        "tensorify_python_scalars",
        "a step is traced once, and not once more for knobs that no graph reads as numbers",
        _without_unused,
        (
            "torch._dynamo.symbolic_convert:TensorifyState.force_specializations",
            "torch.utils._sympy.symbol:SymT.FLOAT",
            "torch.utils._sympy.symbol:symbol_is_type",
        ),
    ),
    Hook(
        "torch._inductor.graph:GraphLowering",
        "find_nodes_prefer_channels_last",
        "images stay channels last between convolutions of signs, too",
        _channels_last,
    ),
    Hook(
        f"{CPP}:CppVecKernel",
        "_get_vec_load_line",
        "a loop on a CPU asks for what it will read soon, while it computes",
        _load,
        (f"{CPP}:cexpr_index",),
    ),
    Hook(
        f"{CPP}:CppVecOverrides",
        "to_dtype_bitcast",
        "a loop on a CPU reads bits as they lie in its registers",
        _cast,
        (KERNEL, f"{CPP}:DTYPE_TO_CPP", f"{CPP}:CppVecKernel._get_num_vectors"),
    ),
    Hook(
        f"{CPP}:CppVecOverrides",
        "maximum",
        "a loop on a CPU takes the larger of two numbers without a mask",
        partial(_extreme, "clamp_min"),
        (KERNEL,),
    ),
    Hook(
        f"{CPP}:CppVecOverrides",
        "minimum",
        "a loop on a CPU takes the smaller of two numbers without a mask",
        partial(_extreme, "clamp_max"),
        (KERNEL,),
    ),
)
