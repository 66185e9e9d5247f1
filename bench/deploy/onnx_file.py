"""A network as an ONNX file, and what onnxruntime makes of it."""

import io
import json
import logging
import warnings
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.export import ExportedProgram

from bench.errors import EnvironmentProblem, UsageError

Run = Callable[[NDArray[Any]], NDArray[Any]]
NEEDED = ("onnx", "onnxscript", "onnxruntime")


def need_packages() -> None:
    """
    Nothing, where ONNX files can be written and run.

    Raises:
        EnvironmentProblem: a package is missing.
    """
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        message = (
            f"ONNX needs {', '.join(missing)}: pip install 'signbench[onnx]', "
            "or deploy with --only bits"
        )
        raise EnvironmentProblem(message)


def to_onnx(program: ExportedProgram, about: dict[str, Any]) -> bytes:
    """
    The bytes of an ONNX file: `images` (N, C, H, W) uint8 to `logits` (N, classes).

    Args:
        about: its metadata, as JSON has it.

    Raises:
        UsageError: an operation of the network is none of ONNX.
    """
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    silence = io.StringIO()
    try:
        with warnings.catch_warnings(), redirect_stdout(silence), redirect_stderr(silence):
            warnings.simplefilter("ignore")  # of the exporter's own code
            found = torch.onnx.export(
                program, dynamo=True, optimize=True, verbose=False,
                input_names=["images"], output_names=["logits"],
            )  # fmt: skip
    except Exception as error:  # whatever has no translation
        lines = [line for line in str(error).splitlines() if line.strip()]
        message = f"this network cannot be written as ONNX: {lines[-1][:200] if lines else error}"
        raise UsageError(message) from error
    assert found is not None
    proto = found.model_proto
    for part in (*proto.graph.node, *proto.graph.value_info, *proto.graph.initializer, proto.graph):
        part.ClearField("metadata_props")  # which name files of this machine
        part.ClearField("doc_string")
    for key, value in about.items():
        text = value if isinstance(value, str) else json.dumps(value)
        proto.metadata_props.add(key=key, value=text)
    return proto.SerializeToString()


def open_onnx(content: bytes, at_once: int | None = None) -> Run:
    """What onnxruntime computes of images, `at_once` at a time: logits, on the CPU."""
    import onnxruntime

    runtime: Any = onnxruntime
    options = runtime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    session = runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])

    def run(images: NDArray[Any]) -> NDArray[Any]:
        size = at_once or len(images)
        parts = [images[i : i + size] for i in range(0, len(images), size)]
        return np.concatenate([session.run(["logits"], {"images": part})[0] for part in parts])

    return run
