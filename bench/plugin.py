"""
The contract: all that a file under `estimators/` or `backbones/` may import from the harness.

An estimator is written down as its paper writes it: f, the function whose derivative takes
the place of d sign/dz. Everything else (training, checks, plots, indicators) calls that one
definition. A method says what weights and inputs become, and what its coach does beside them.
"""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from bench.nn.backbone import Backbone, Native, Network
from bench.nn.clock import Clock
from bench.nn.coach import Coach, Distilled, Group, Rule, Seen, Stage, Tap, Teaching
from bench.nn.contract import (
    Estimator,
    Knob,
    Method,
    Plugin,
    Surrogate,
    SurrogateBinarizer,
    estimator,
)
from bench.nn.elementary import power
from bench.nn.layers import BinaryConv2d, BinaryLayer, BinaryLinear, Layers, binary_layers
from bench.nn.parts import (
    Alpha,
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
from bench.nn.resnet import Init, Order, RealBlock, ResNet, Shortcut, Stem, activation, initialize
from bench.nn.sign import piecewise, sign, upto
from bench.spec.cell import Recipe, Role
from bench.spec.schedule import ScheduleName

__all__ = [
    "Alpha",
    "Annotated",
    "Any",
    "Backbone",
    "BinaryConv2d",
    "BinaryLayer",
    "BinaryLinear",
    "ClassVar",
    "Clock",
    "Coach",
    "Distilled",
    "Estimator",
    "Field",
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
    "Surrogate",
    "SurrogateBinarizer",
    "Tap",
    "Teaching",
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
    "open_clipped_sign",
    "over_filter",
    "piecewise",
    "power",
    "scaled_signs",
    "sign",
    "sign_with",
    "standardized",
    "ste_sign",
    "straight_through",
    "upto",
    "without_factor",
]
