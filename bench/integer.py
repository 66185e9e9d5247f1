"""
Convolutions of signs, exact in whatever arithmetic is cheap.

Numbers -1, 0 and 1 give whole sums of at most fan-in, which float32 holds exactly whatever the
order of summation. So do smaller formats with wide sums, and the forward pass uses them without
changing a bit:

    CPU    int8 with int32 sums, where the processor multiplies such (VNNI, AMX)
    GPU    float16 with float32 sums where fan-in ≤ 2048, up to which float16 holds every integer;
           float32 beyond, which cuDNN multiplies as TensorFloat-32 and sums in float32

The backward pass multiplies signs by real gradients, in float32. What it needs of both operands
is kept in one byte each.
"""

from functools import cache
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


MULTIPLIES_BYTES = _multiplies_bytes()


def conv2d(a: Tensor, w: Tensor, stride: int, padding: int) -> Tensor:
    """
    Convolve a (N, C_in, H, W) with w (C_out, C_in, k, k), both of -1, 0 and 1 alone.

    Equal to `F.conv2d` bit for bit, and differentiated likewise.
    """
    if a.dtype != torch.float32 or w.dtype != torch.float32:
        return F.conv2d(a, w, None, stride, padding)
    product: Tensor = _Product.apply(a, w, stride, padding)  # pyright: ignore[reportAssignmentType]
    return product


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, a: Tensor, w: Tensor, stride: int, padding: int) -> Tensor:
        signs, weights = a.to(torch.int8), w.to(torch.int8)
        ctx.save_for_backward(signs, weights)
        ctx.place = stride, padding
        if a.is_cuda:
            return on_gpu(a, w, stride, padding)
        macs = a.numel() // stride**2 * w.numel() // w.shape[1]
        if MULTIPLIES_BYTES and macs >= WORTH:
            return in_int8(signs, weights, stride, padding)
        return F.conv2d(a, w, None, stride, padding)

    @staticmethod
    def backward(ctx: Any, *dy: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        signs, weights = ctx.saved_tensors
        stride, padding = ctx.place
        da, dw, _ = torch.ops.aten.convolution_backward(
            *(dy[0], signs.float(), weights.float(), None),
            *([stride, stride], [padding, padding], [1, 1], False, [0, 0], 1),
            [*ctx.needs_input_grad[:2], False],
        )
        return da, dw, None, None


def on_gpu(a: Tensor, w: Tensor, stride: int, padding: int) -> Tensor:
    """The product in the smallest format that holds it; also right, if slow, on a CPU."""
    if w[0].numel() <= EXACT_HALF:
        return F.conv2d(a.half(), w.half(), None, stride, padding).float()
    return F.conv2d(a, w, None, stride, padding)


@torch.library.custom_op("signbench::conv2d_int8", mutates_args=())
def in_int8(signs: Tensor, weights: Tensor, stride: int, padding: int) -> Tensor:
    """The product of int8 tensors as float32, channels last, by oneDNN."""
    one, nil = _per_channel(len(weights))
    image = signs.add(1).view(torch.uint8)  # oneDNN's are not negative; it knows 1 as its zero
    place = [stride, stride], [padding, padding], [1, 1]
    packed = torch.ops.onednn.qconv_prepack(weights, one, 1.0, 1, *place, 1, list(image.shape))
    return torch.ops.onednn.qconv2d_pointwise(
        *(image, 1.0, 1, packed, one, nil, None, *place, 1),
        *(1.0, 0, torch.float32, "none", [], ""),
    )


@in_int8.register_fake
def _(signs: Tensor, weights: Tensor, stride: int, padding: int) -> Tensor:
    n, _, h, w = signs.shape
    side = [(x + 2 * padding - weights.shape[2]) // stride + 1 for x in (h, w)]
    y = signs.new_empty(n, len(weights), *side, dtype=torch.float32)
    return y.contiguous(memory_format=torch.channels_last)


@cache
def _per_channel(channels: int) -> tuple[Tensor, Tensor]:
    """Scales 1 and zeros 0 of so many channels."""
    return torch.ones(channels), torch.zeros(channels, dtype=torch.int64)
