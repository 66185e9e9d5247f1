"""The reader of packed bits: numpy alone, and it computes what torch does."""

import ast
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from bench.deploy import packing, reader

X = torch.randn(2, 4, 7, 6, generator=torch.Generator().manual_seed(0))
W = torch.randn(6, 2, 3, 3, generator=torch.Generator().manual_seed(1))
C = torch.rand(4, generator=torch.Generator().manual_seed(2)) + 0.5

SAME: dict[str, tuple[Any, Any]] = {
    "groups, stride, dilation": (
        F.conv2d(X, W, None, [2, 1], [1, 2], [1, 2], 2),
        ("conv2d", X, W, None, [2, 1], [1, 2], [1, 2], 2),
    ),
    "bias": (
        F.linear(X, C[:3, None].expand(3, 6), C[:3]),
        ("linear", X, C[:3, None].expand(3, 6), C[:3]),
    ),
    "norm": (
        F.batch_norm(X, C, C + 1, C - 1, C / 2),
        ("_native_batch_norm_legit_no_training", X, C - 1, C / 2, C, C + 1, 0.1, 1e-5),
    ),
    "max pool": (
        F.max_pool2d(X, 3, 2, 1),
        ("max_pool2d", X, [3, 3], [2, 2], [1, 1], [1, 1], False),
    ),
    "mean of what is there": (
        F.avg_pool2d(X, 2, 2, ceil_mode=True, count_include_pad=False),
        ("avg_pool2d", X, [2, 2], [2, 2], [0, 0], True, False, None),
    ),
    "mean with padding": (
        F.avg_pool2d(X, 3, 2, 1, ceil_mode=True),
        ("avg_pool2d", X, [3, 3], [2, 2], [1, 1], True, True, None),
    ),
    "adaptive": (F.adaptive_avg_pool2d(X, (3, 2)), ("adaptive_avg_pool2d", X, [3, 2])),
    "gelu": (F.gelu(X), ("gelu", X, "none")),
    "layer norm": (F.layer_norm(X, [6]), ("layer_norm", X, [6], None, None, 1e-5, True)),
    "prelu": (F.prelu(X, C), ("prelu", X, C)),
    "attention": (
        F.scaled_dot_product_attention(X, X, X),
        ("scaled_dot_product_attention", X, X, X, None, 0.0, False),
    ),
    "pad": (F.pad(X, (1, 2, 0, 1, 3, 0), value=-1), ("pad", X, [1, 2, 0, 1, 3, 0], "constant", -1)),
    "deviation": (X.std((1, 2, 3), keepdim=True), ("std", X, [1, 2, 3], 1, True)),
    "slice": (X[:, :, ::2], ("slice", X, 2, 0, 2**63 - 1, 2)),
    "sum": (X + C.view(-1, 1, 1) * 2, ("add", X, C.view(-1, 1, 1), 2)),
}


@pytest.mark.parametrize("name", SAME)
def test_an_operation_is_torchs(name: str) -> None:
    """Each operation gives float32 numbers that differ from torch's by rounding alone."""
    wanted, (operation, *args) = SAME[name]
    found = reader.OPERATIONS[operation](
        *(a.numpy() if isinstance(a, torch.Tensor) else a for a in args)
    )

    assert found.dtype == np.float32
    np.testing.assert_allclose(found, wanted.numpy(), rtol=2e-6, atol=2e-6)


def test_it_imports_numpy_alone() -> None:
    """The file that is copied out imports Python's own library and numpy, nothing of bench."""
    tree = ast.parse(Path(reader.__file__).read_text(encoding="utf-8"))
    plain = (n for n in ast.walk(tree) if isinstance(n, ast.Import))
    names = {alias.name for n in plain for alias in n.names}
    others = {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}

    assert names | others == {"json", "math", "sys", "numpy", "pathlib"}


@pytest.mark.parametrize(
    ("rows", "bits"),
    [
        ([[-1, 1, 1], [1, -1, 1]], 1),  # signs
        ([[-1, 0, 1], [1, -1, 1]], 2),  # three levels
        ([[-0.5, 0.5, 0.5], [2, -2, 2]], 1),  # signs times a scale for each filter
        ([[-3, -1, 1, 3], [3, 3, 3, 3]], 2),
    ],
)
def test_weights_of_few_values_are_bits(rows: list[list[float]], bits: int) -> None:
    """Codes and table give the weights back, and there are no more bits than values need."""
    array = np.tile(np.array(rows, np.float32), (1, 100))
    found = packing.encode(array)

    assert found is not None
    planes, table = found
    assert planes.shape == (bits, array.size // 8)
    np.testing.assert_array_equal(reader.unpack(planes, table, array.shape), array)


def test_real_weights_stay_float() -> None:
    """What has as many values as weights is not packed."""
    assert packing.encode(W.numpy()) is None


def test_no_more_codes_are_made_than_there_are() -> None:
    """A shape that a header only claims takes no memory."""
    with pytest.raises(ValueError, match="more codes than there are"):
        reader.unpack(np.zeros((1, 8), np.uint8), np.zeros((1, 2)), [10**6, 10**6])


@pytest.mark.parametrize("content", [b"", b"nothing of the kind", b"\x02\0\0\0\0\0\0\0{}"])
def test_another_file_is_refused(content: bytes, tmp_path: Path) -> None:
    """A file that is cut off or of another format is a ValueError that names it."""
    path = tmp_path / "x"
    path.write_bytes(content)

    with pytest.raises(ValueError, match=str(path)):
        reader.Model(path)
