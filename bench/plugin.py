"""
The contract: all that a file under `estimators/`, `backbones/` or `data/` may import from the
harness.

An estimator is written down as its paper writes it: f, the function whose derivative takes
the place of d sign/dz. Everything else (training, checks, plots, indicators) calls that one
definition. A method says what weights and inputs become, and what its coach does beside them.
"""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from bench.data.dataset import Tensors, Transform
from bench.data.source import DataSource
from bench.nn.backbone import Backbone, Native, Network, omitted_if
from bench.nn.blocks import BN_LAST, Order, Shortcut, activation
from bench.nn.clock import Clock
from bench.nn.coach import Coach, Distilled, Group, Rule, Seen, Stage, Tap, Teaching
from bench.nn.contract import (
    Estimator,
    Knob,
    Method,
    Surrogate,
    SurrogateBinarizer,
    estimator,
)
from bench.nn.elementary import power
from bench.nn.layers import (
    BinaryConv2d,
    BinaryLayer,
    BinaryLinear,
    Layers,
    binary_layers,
    own_modules,
    takes_real_input,
)
from bench.nn.parts import (
    Alpha,
    DividedSigns,
    ScaleGrad,
    Signs,
    approx_sign,
    clipped_sign,
    expected_scale,
    filter_deviation,
    filter_mean,
    filter_scale,
    image_deviation,
    image_mean,
    layer_scale,
    least_squares,
    of_channels,
    open_clipped_sign,
    over_filter,
    scaled_signs,
    sign_with,
    standardized,
    ste_sign,
    straight_through,
    without_factor,
)
from bench.nn.resnet import (
    BlockKind,
    FirstLast,
    Init,
    RealBlock,
    ResNet,
    Stem,
    StemAct,
    initialize,
)
from bench.nn.sign import piecewise, sign, upto
from bench.spec.cell import Recipe, Role
from bench.spec.plugin import Plugin
from bench.spec.schedule import ScheduleName

__all__ = [
    "BN_LAST",
    "Alpha",
    "Annotated",
    "Any",
    "Backbone",
    "BinaryConv2d",
    "BinaryLayer",
    "BinaryLinear",
    "BlockKind",
    "ClassVar",
    "Clock",
    "Coach",
    "DataSource",
    "Distilled",
    "DividedSigns",
    "Estimator",
    "Field",
    "FirstLast",
    "Group",
    "Init",
    "Knob",
    "Layers",
    "Literal",
    "Method",
    "Native",
    "Network",
    "Order",
    "Plugin",
    "RealBlock",
    "Recipe",
    "ResNet",
    "Role",
    "Rule",
    "ScaleGrad",
    "ScheduleName",
    "Seen",
    "Shortcut",
    "Signs",
    "Stage",
    "Stem",
    "StemAct",
    "Surrogate",
    "SurrogateBinarizer",
    "Tap",
    "Teaching",
    "Tensors",
    "Transform",
    "activation",
    "approx_sign",
    "binary_layers",
    "clipped_sign",
    "estimator",
    "expected_scale",
    "filter_deviation",
    "filter_mean",
    "filter_scale",
    "image_deviation",
    "image_mean",
    "initialize",
    "layer_scale",
    "least_squares",
    "of_channels",
    "omitted_if",
    "open_clipped_sign",
    "over_filter",
    "own_modules",
    "piecewise",
    "power",
    "scaled_signs",
    "sign",
    "sign_with",
    "standardized",
    "ste_sign",
    "straight_through",
    "takes_real_input",
    "upto",
    "without_factor",
]
