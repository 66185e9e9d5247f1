"""
Convolutions of signs, exact in whatever arithmetic is cheap.

Numbers -1, 0 and 1 give whole sums of at most fan-in, which float32 holds exactly whatever the
order of summation. So do smaller formats with wide sums, and the forward pass uses them without
changing a bit:

    CPU    int8 with int32 sums, where the processor multiplies such (VNNI, AMX); compiled, they
           are written and kept in float16 where fan-in ≤ 2048
    GPU    float16 with float32 sums where fan-in ≤ 2048, up to which float16 holds every integer;
           float32 beyond, which cuDNN multiplies as TensorFloat-32 and sums in float32

The backward pass multiplies real gradients by signs, or by signs and a scale, in float32 unless a
suite says otherwise (`binarization: {gradients: bfloat16}`). What it needs of both operands is kept
in one byte each.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

EXACT_HALF = 2048
WORTH = 4_000_000  # multiply-accumulates from which int8 earns its conversions back


def _multiplies_bytes() -> bool:
    """Does this processor, and this build of torch, multiply int8 faster than float32?"""
    known: Any = torch.cpu
    built = hasattr(torch.ops.onednn, "qconv2d_pointwise")
    return built and torch.backends.mkldnn.is_available() and bool(known._is_vnni_supported())


def _writes_halves() -> bool:
    """Does it write their sums in float16, too?"""
    known = torch.ops.mkldnn
    return hasattr(known, "_is_mkldnn_fp16_supported") and bool(known._is_mkldnn_fp16_supported())


MULTIPLIES_BYTES = _multiplies_bytes()
WRITES_HALVES = MULTIPLIES_BYTES and _writes_halves()


def conv2d(
    a: Tensor,
    w: Tensor,
    scale: Tensor | None,
    stride: int,
    padding: int,
    gradients: torch.dtype = torch.float32,
    *,
    dilation: int = 1,
    groups: int = 1,
) -> Tensor:
    """
    scale · (a * w), a (N, C_in, H, W) and w (C_out, C_in/groups, k, k) of -1, 0 and 1 alone.

    The sums are those of `F.conv2d` bit for bit. The scale, (1, 1, 1, 1) or (C_out, 1, 1, 1), takes
    no pass over images on the way back: with y = a * w and g = dL/d(scale · y),

        dL/da = convolve(g, scale · w)ᵀ,   dL/dw = scale · (a * g),   dL/dscale = <w, a * g>

    where the last is <y, g>, summed in another order. With `gradients` torch.bfloat16 g times the
    scale is rounded to that, what is multiplied by signs is rounded again, and dL/dscale is not.
    """
    if a.dtype != torch.float32 or w.dtype != torch.float32:
        return scaled(F.conv2d(a, w, None, stride, padding, dilation, groups), scale)
    apart = gradients != torch.float32  # a scale has no place in weights that are to be exact
    within = None if apart else scale
    product: Tensor = _Product.apply(a, w, within, (stride, padding, dilation, groups), gradients)  # pyright: ignore[reportAssignmentType]
    return scaled(product, scale) if apart else product


def scaled(y: Tensor, scale: Tensor | None) -> Tensor:
    """Images y (N, C, H, W) times a scale (1, 1, 1, 1) or (C, 1, 1, 1), if there is one."""
    return y if scale is None else y * scale.view(-1, 1, 1)


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        a: Tensor,
        w: Tensor,
        scale: Tensor | None,
        place: tuple[int, int, int, int],
        gradients: torch.dtype,
    ) -> Tensor:
        signs, weights = a.to(torch.int8), w.to(torch.int8)
        ctx.save_for_backward(signs, weights, scale)
        ctx.place, ctx.gradients = place, gradients
        stride, padding, dilation, groups = place
        dense = dilation == groups == 1  # what the int8 product is written for
        macs = a.numel() // place[0] ** 2 * w.numel() // w.shape[1]
        if a.is_cuda:
            y = on_gpu(a, w, *place)
        elif MULTIPLIES_BYTES and dense and macs >= WORTH:
            half = WRITES_HALVES and holds(w) and torch.compiler.is_compiling()
            dtype = torch.float16 if half else torch.float32
            y = in_int8(signs.add(1).view(torch.uint8), weights, stride, padding, dtype).float()
        else:
            y = F.conv2d(a, w, None, *place)
        return scaled(y, scale)

    @staticmethod
    def backward(ctx: Any, *dy: Tensor) -> tuple[Tensor | None, ...]:
        signs, weights, scale = ctx.saved_tensors
        w = weights.float()
        operands = (dy[0], signs, w if scale is None else w * scale)
        stride, padding, dilation, groups = ctx.place
        wanted = ctx.needs_input_grad
        found = torch.ops.aten.convolution_backward(
            *(*(x.to(ctx.gradients) for x in operands), None),
            *([stride, stride], [padding, padding], [dilation, dilation], False, [0, 0], groups),
            [wanted[0], wanted[1] or wanted[2], False],
        )
        da, dw = (None if x is None else x.float() for x in found[:2])
        if scale is None:
            return da, dw, None, None, None
        dscale = (w * dw).sum_to_size(scale.shape) if wanted[2] else None
        return da, dw * scale if wanted[1] else None, dscale, None, None


def holds(w: Tensor) -> bool:
    """Whether float16 holds every sum of signs times w: up to fan-in, and all between."""
    return w[0].numel() <= EXACT_HALF


def on_gpu(
    a: Tensor, w: Tensor, stride: int, padding: int, dilation: int = 1, groups: int = 1
) -> Tensor:
    """The product in the smallest format that holds it; also right, if slow, on a CPU."""
    if holds(w):
        return F.conv2d(a.half(), w.half(), None, stride, padding, dilation, groups).float()
    return F.conv2d(a, w, None, stride, padding, dilation, groups)


@torch.library.custom_op("signbench::conv2d_int8", mutates_args=())
def in_int8(
    image: Tensor, weights: Tensor, stride: int, padding: int, dtype: torch.dtype
) -> Tensor:
    """
    The product of image - 1 (uint8) and weights (int8) in `dtype`, channels last, by oneDNN.

    Its images are not negative, and it knows of a number that stands for zero.
    """
    one, nil = torch.ones(1), torch.zeros(1, dtype=torch.int64)
    place = [stride, stride], [padding, padding], [1, 1]
    packed = torch.ops.onednn.qconv_prepack(weights, one, 1.0, 1, *place, 1, list(image.shape))
    return torch.ops.onednn.qconv2d_pointwise(
        *(image, 1.0, 1, packed, one, nil, None, *place, 1),
        *(1.0, 0, dtype, "none", [], ""),
    )


@in_int8.register_fake
def _(image: Tensor, weights: Tensor, stride: int, padding: int, dtype: torch.dtype) -> Tensor:
    n, _, h, w = image.shape
    side = [(x + 2 * padding - weights.shape[2]) // stride + 1 for x in (h, w)]
    y = image.new_empty(n, len(weights), *side, dtype=dtype)
    return y.contiguous(memory_format=torch.channels_last)
