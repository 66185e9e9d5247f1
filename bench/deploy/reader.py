# pyright: basic
"""
Read a network of packed bits, and run it: numpy and Python's own library, nothing else.

    from reader import Model
    model = Model("bits.safetensors")
    model.classes[model.predict(images)[0]]          images (N, C, H, W) uint8

    python reader.py bits.safetensors images.npy     prints a class for each image

The file is safetensors: eight bytes that say how long the header is, a header of JSON, arrays. Its
header has the steps of the network: [operation, number of its result, arguments], where {"v": n} is
the result of step n, 0 the images, and {"c": name} an array. An array of few values is packed: bit
i of every code in plane i, and `table[row, code]` the value. Signs are 1 bit.

This is a reference to compare with, in plain arithmetic; it is not fast. Sums are in float64 and
results in float32; sums of signs are whole numbers, and exact.
"""

import json
import math
import sys
from pathlib import Path

import numpy as np

FORMAT = "signbench bits 1"
DTYPES = {
    "F64": np.float64, "F32": np.float32, "F16": np.float16, "I64": np.int64, "I32": np.int32,
    "I16": np.int16, "I8": np.int8, "U8": np.uint8, "BOOL": np.bool_,
}  # fmt: skip


class Model:
    """
    A network of packed bits.

    Attributes:
        about: what the file says of itself: classes, preprocessing, where it comes from.
        classes: names of the classes, or their numbers.

    Raises:
        ValueError: the file is none of these, or damaged.
    """

    def __init__(self, path):
        try:
            self._read(path, Path(path).read_bytes())
        except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError) as error:
            message = f"{path} is damaged: {type(error).__name__}: {error}"
            raise ValueError(message) from None

    def _read(self, path, data):
        size = int.from_bytes(data[:8], "little")
        if size > len(data) - 8:
            raise ValueError(f"{path} is no safetensors file, or is cut off")
        header = json.loads(data[8 : 8 + size])
        texts = header.pop("__metadata__", {})
        if texts.get("format") != FORMAT:
            raise ValueError(f"{path} is not of the format `{FORMAT}`")
        program = json.loads(texts["program"])
        self.about = json.loads(texts["about"])
        self.classes = self.about["classes"]
        self.steps = program["steps"]
        self.at_once = program["at once"] or 256
        raw = {name: _array(data[8 + size :], **entry) for name, entry in header.items()}
        self.arrays = {name: raw[name] for name in raw if "." not in name}
        for name, code in program["codes"].items():
            planes, table = raw[f"{name}.codes"], raw[f"{name}.table"]
            self.arrays[name] = unpack(planes, table, code["shape"])
        self.last = {}  # step at which each result is used for the last time
        for place, (_, _, args) in enumerate(self.steps):
            self.last.update(dict.fromkeys(_numbers(args), place))

    def logits(self, images):
        """Logits (N, classes) float32 of images (N, C, H, W) uint8 as they are stored."""
        images = np.asarray(images)
        shape = tuple(self.about["preprocessing"]["shape"])
        if images.dtype != np.uint8 or images.shape[1:] != shape:
            raise ValueError(f"images are uint8 (N, {', '.join(map(str, shape))})")
        parts = [images[i : i + self.at_once] for i in range(0, len(images), self.at_once)]
        return np.concatenate([self._run(part) for part in parts])

    def predict(self, images):
        """The class (N,) of each image, by number."""
        return self.logits(images).argmax(1)

    def _run(self, images):
        values = {0: images}
        for place, (name, number, args) in enumerate(self.steps):
            values[number] = OPERATIONS[name](*(self._value(a, values) for a in args))
            for used in set(_numbers(args)):
                if self.last[used] == place:
                    del values[used]
        return values[number]

    def _value(self, arg, values):
        if isinstance(arg, list):
            return [self._value(a, values) for a in arg]
        if isinstance(arg, dict):
            if "v" in arg:
                return values[arg["v"]]
            if "c" in arg:
                return self.arrays[arg["c"]]
            return np.dtype(arg["dtype"]) if "dtype" in arg else float(arg["float"])
        return arg


def unpack(planes, table, shape):
    """Values of packed codes, in `shape`."""
    n = math.prod(shape)
    if n > 8 * planes.shape[-1]:
        raise ValueError(f"{shape} are more codes than there are")
    codes = np.zeros(n, np.int64)
    for bit, plane in enumerate(planes):
        codes += np.unpackbits(plane, count=n).astype(np.int64) << bit
    codes = codes.reshape(shape[0], -1)
    rows = np.zeros((shape[0], 1), np.int64) if len(table) == 1 else np.arange(shape[0])[:, None]
    return table[rows, codes].reshape(shape)


def _array(data, dtype, shape, data_offsets):
    start, end = data_offsets
    return np.frombuffer(data[start:end], DTYPES[dtype]).reshape(shape)


def _numbers(args):
    for arg in args:
        if isinstance(arg, list):
            yield from _numbers(arg)
        elif isinstance(arg, dict) and "v" in arg:
            yield arg["v"]


def _f32(x):
    return np.asarray(x, np.float32)


def _windows(x, kernel, stride, padding, dilation, fill):
    """What each place of the output sees: (N, C, H', W', kh, kw)."""
    (kh, kw), (sh, sw), (ph, pw), (dh, dw) = map(_pair, (kernel, stride, padding, dilation))
    x = np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)), constant_values=fill)
    size = (dh * (kh - 1) + 1, dw * (kw - 1) + 1)
    seen = np.lib.stride_tricks.sliding_window_view(x, size, (2, 3))
    return seen[:, :, ::sh, ::sw, ::dh, ::dw]


def _pair(value):
    value = [value] if isinstance(value, int) else list(value)
    return value * 2 if len(value) == 1 else value


def conv2d(x, w, bias, stride, padding, dilation, groups):
    seen = _windows(x, w.shape[2:], stride, padding, dilation, 0)
    n, _, height, width = seen.shape[:4]
    seen = seen.transpose(0, 2, 3, 1, 4, 5).reshape(n * height * width, groups, -1)
    w = w.reshape(groups, len(w) // groups, -1)
    y = np.concatenate([_product(seen[:, g], w[g]) for g in range(groups)], 1)
    y = y if bias is None else y + bias
    return _f32(y).reshape(n, height, width, -1).transpose(0, 3, 1, 2)


def linear(x, w, bias):
    y = _product(x.reshape(-1, x.shape[-1]), w).reshape(*x.shape[:-1], len(w))
    return _f32(y if bias is None else y + bias)


def _product(x, w):
    """x (n, k) times w (m, k), summed in float64."""
    return x.astype(np.float64) @ w.astype(np.float64).T


def batch_norm(x, weight, bias, mean, var, _momentum, eps):
    scale = _f32(1 / np.sqrt(_f32(var + np.float32(eps))))
    scale = scale if weight is None else scale * weight
    shift = -mean * scale if bias is None else bias - mean * scale
    scale, shift = (v.reshape(-1, *(1,) * (x.ndim - 2)) for v in (scale, shift))
    return _f32(x.astype(np.float64) * scale + shift)


def layer_norm(x, shape, weight, bias, eps, *_):
    axes = tuple(range(-len(shape), 0))
    x = x.astype(np.float64)
    centred = x - x.mean(axes, keepdims=True)
    y = centred / np.sqrt((centred**2).mean(axes, keepdims=True) + eps)
    y = y if weight is None else y * weight
    return _f32(y if bias is None else y + bias)


def threshold(v, low, high, direction):
    low, high, direction = (t.reshape(-1, *(1,) * (v.ndim - 2)) for t in (low, high, direction))
    return direction * (_f32(v >= low) + _f32(v >= high) - 1)


def max_pool2d(x, kernel, stride, padding, dilation, ceil_mode):
    stride = stride or kernel
    x = _with_room(x, kernel, stride, padding, ceil_mode, -np.inf)
    return _windows(x, kernel, stride, padding, dilation, -np.inf).max((4, 5))


def avg_pool2d(x, kernel, stride, padding, ceil_mode, count_include_pad, divisor):
    stride = stride or kernel
    around = [(0, 0), (0, 0), *((p, p) for p in _pair(padding))]
    ones = np.pad(np.ones((1, 1, *x.shape[2:])), around, constant_values=int(count_include_pad))
    ones = _with_room(ones, kernel, stride, 0, ceil_mode, 0)
    x = _with_room(x.astype(np.float64), kernel, stride, padding, ceil_mode, 0)
    sums = _windows(x, kernel, stride, padding, 1, 0).sum((4, 5))
    return _f32(sums / (divisor or _windows(ones, kernel, stride, 0, 1, 0).sum((4, 5))))


def _with_room(x, kernel, stride, padding, ceil_mode, fill):
    """x with rows and columns behind it, where a last window hangs over the end."""
    more = []
    for side, k, s, p in zip(x.shape[2:], *map(_pair, (kernel, stride, padding)), strict=True):
        left = (side + 2 * p - k) % s
        begins = side + 2 * p - k - left + s  # the window that hangs over
        more.append(s - left if ceil_mode and left and begins < side + p else 0)
    return np.pad(x, [(0, 0), (0, 0), *((0, m) for m in more)], constant_values=fill)


def adaptive_avg_pool2d(x, size):
    rows, columns = (
        [(i * side // n, -(-(i + 1) * side // n)) for i in range(n)]
        for side, n in zip(x.shape[2:], _pair(size), strict=True)
    )
    x = x.astype(np.float64)
    cells = [[x[:, :, a:b, c:d].mean((2, 3)) for c, d in columns] for a, b in rows]
    return _f32(np.array(cells).transpose(2, 3, 0, 1))


def mean(x, axes=None, keepdim=False, dtype=None):
    axes = tuple(axes) if axes else None
    return _f32(x.astype(np.float64).mean(axes, keepdims=keepdim))


def total(x, axes=None, keepdim=False, dtype=None):
    axes = tuple(axes) if axes else None
    return _f32(x.astype(np.float64).sum(axes, keepdims=keepdim))


def variance(x, axes, correction, keepdim):
    axes = tuple(axes) if axes else None
    return _f32(x.astype(np.float64).var(axes, ddof=1 if correction is None else correction,
                                         keepdims=keepdim))  # fmt: skip


def softmax(x, axis, *_):
    e = np.exp(x.astype(np.float64) - x.max(axis, keepdims=True))
    return _f32(e / e.sum(axis, keepdims=True))


def attention(q, k, v, _mask, _dropout, _causal, scale=None, *_):
    q, k, v = (x.astype(np.float64) for x in (q, k, v))
    scale = 1 / math.sqrt(q.shape[-1]) if scale is None else scale
    return _f32(softmax(q @ k.swapaxes(-1, -2) * scale, -1) @ v)


def gelu(x, approximate):
    x = x.astype(np.float64)
    if approximate == "tanh":
        return _f32(x / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))))
    erf = np.asarray(np.frompyfunc(math.erf, 1, 1)(x / math.sqrt(2)), np.float64)
    return _f32(x / 2 * (1 + erf))


def prelu(x, slope):
    slope = slope.reshape(-1, *(1,) * (x.ndim - 2)) if slope.size > 1 else slope
    return np.where(x > 0, x, slope * x)


def pad(x, widths, mode="constant", value=None):
    pairs = [*zip(widths[::2], widths[1::2], strict=True)][::-1]
    if any(w < 0 for pair in pairs for w in pair) or mode != "constant":
        message = f"padding {mode} by {widths} is not known"
        raise ValueError(message)
    return np.pad(x, [(0, 0)] * (x.ndim - len(pairs)) + pairs, constant_values=value or 0)


def slice_(x, axis=0, start=None, end=None, step=1):
    place = [slice(None)] * x.ndim
    place[axis] = slice(start, end, step)
    return x[tuple(place)]


def flatten(x, start, end):
    end = end % x.ndim
    return x.reshape(*x.shape[:start], -1, *x.shape[end + 1 :])


def unflatten(x, axis, sizes):
    axis = axis % x.ndim
    return x.reshape(*x.shape[:axis], *sizes, *x.shape[axis + 1 :])


def clamp(x, low=None, high=None):
    return x if low is None and high is None else _f32(np.clip(x, low, high))


def expand(x, sizes, *_):
    sizes = [old if new == -1 else new for new, old in
             zip(sizes[::-1], [*x.shape[::-1]] + [1] * len(sizes), strict=False)][::-1]  # fmt: skip
    return np.broadcast_to(x, sizes)


def _like(function):
    """An operation of two numbers that keeps float32 where a Python number is among them."""

    def call(a, b, *rest):
        alpha = rest[0] if rest else 1
        result = function(a, b if alpha == 1 else b * np.float32(alpha))
        return _f32(result) if np.asarray(result).dtype == np.float64 else result

    return call


def cast(x, dtype, *_):
    return x if dtype is None else x.astype(dtype)


OPERATIONS = {
    "_adaptive_avg_pool2d": adaptive_avg_pool2d,
    "_native_batch_norm_legit_no_training": batch_norm,
    "_softmax": softmax,
    "_to_copy": cast,
    "abs": np.abs,
    "adaptive_avg_pool2d": adaptive_avg_pool2d,
    "add": _like(np.add),
    "avg_pool2d": avg_pool2d,
    "bmm": lambda a, b: _f32(a.astype(np.float64) @ b.astype(np.float64)),
    "cat": lambda parts, axis=0: np.concatenate(parts, axis),
    "clamp": clamp,
    "clamp_min": lambda x, low: clamp(x, low),
    "constant_pad_nd": lambda x, widths, value=0: pad(x, widths, "constant", value),
    "conv2d": conv2d,
    "div": _like(np.divide),
    "eq": np.equal,
    "exp": np.exp,
    "expand": expand,
    "flatten": flatten,
    "floordiv": lambda a, b: a // b,
    "ge": np.greater_equal,
    "gelu": gelu,
    "getitem": lambda parts, place: parts[place],
    "gt": np.greater,
    "hardtanh": clamp,
    "layer_norm": layer_norm,
    "le": np.less_equal,
    "leaky_relu": lambda x, slope=0.01: np.where(x > 0, x, x * np.float32(slope)),
    "linear": linear,
    "lt": np.less,
    "matmul": lambda a, b: _f32(a.astype(np.float64) @ b.astype(np.float64)),
    "max_pool2d": max_pool2d,
    "maximum": np.maximum,
    "mean": mean,
    "minimum": np.minimum,
    "mul": _like(np.multiply),
    "ne": np.not_equal,
    "neg": np.negative,
    "pad": pad,
    "permute": np.transpose,
    "pow": _like(np.power),
    "prelu": prelu,
    "reciprocal": lambda x: _f32(1 / x),
    "relu": lambda x: np.maximum(x, 0),
    "round": lambda x, *_: np.round(x),
    "rsqrt": lambda x: _f32(1 / np.sqrt(x.astype(np.float64))),
    "rsub": _like(lambda a, b: b - a),
    "scaled_dot_product_attention": attention,
    "select": lambda x, axis, index: np.take(x, index, axis),
    "sigmoid": lambda x: _f32(1 / (1 + np.exp(-x.astype(np.float64)))),
    "sign": np.sign,
    "sin": lambda x: _f32(np.sin(x.astype(np.float64))),
    "slice": slice_,
    "softmax": softmax,
    "sqrt": np.sqrt,
    "squeeze": lambda x, axis: np.squeeze(x, axis if isinstance(axis, int) else tuple(axis)),
    "std": lambda *args: np.sqrt(variance(*args)),
    "sub": _like(np.subtract),
    "sum": total,
    "sym_size": lambda x, axis: x.shape[axis],
    "tanh": lambda x: _f32(np.tanh(x.astype(np.float64))),
    "threshold": threshold,
    "to": cast,
    "transpose": lambda x, a, b: np.swapaxes(x, a, b),
    "unbind": lambda x, axis=0: [*np.moveaxis(x, axis, 0)],
    "unflatten": unflatten,
    "unsqueeze": np.expand_dims,
    "var": variance,
    "view": lambda x, sizes: x.reshape(sizes),
    "reshape": lambda x, sizes: x.reshape(sizes),
    "where": np.where,
}


if __name__ == "__main__":
    found = Model(sys.argv[1])
    names = [found.classes[number] for number in found.predict(np.load(sys.argv[2]))]
    shown = ("".join(c if c.isprintable() else "?" for c in name) for name in names)
    sys.stdout.write("".join(f"{name}\n" for name in shown))
