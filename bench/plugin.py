"""
The contract: all that a file under `estimators/` or `backbones/` may import from the harness.

An estimator is written down as its paper writes it: f, the function whose derivative takes
the place of d sign/dz. Everything else (training, checks, plots, indicators) calls that one
definition.
"""

from typing import Annotated, ClassVar

from pydantic import Field

from bench.nn.backbone import Backbone, Native, Network
from bench.nn.clock import Clock
from bench.nn.contract import Estimator, Knob, Plugin, Surrogate, SurrogateBinarizer
from bench.nn.elementary import power
from bench.nn.layers import Layers
from bench.nn.resnet import Init, Order, RealBlock, ResNet, Shortcut, Stem, activation, initialize
from bench.nn.sign import piecewise, sign, upto
from bench.spec.cell import Role
from bench.spec.schedule import ScheduleName

__all__ = [
    "Annotated",
    "Backbone",
    "ClassVar",
    "Clock",
    "Estimator",
    "Field",
    "Init",
    "Knob",
    "Layers",
    "Native",
    "Network",
    "Order",
    "Plugin",
    "RealBlock",
    "ResNet",
    "Role",
    "ScheduleName",
    "Shortcut",
    "Stem",
    "Surrogate",
    "SurrogateBinarizer",
    "activation",
    "initialize",
    "piecewise",
    "power",
    "sign",
    "upto",
]
