"""`bench new estimator NAME`: a file that works as it stands, to be turned into the real one."""

import keyword
from pathlib import Path
from typing import Any

from bench.errors import UsageError
from bench.registry import ESTIMATORS, RESERVED, Registry

TEMPLATE = '''"""
{name}, one line that says what it is.

    forward    y = sign(z)
    value      f(z) = tanh(t z)
    backward   f'(z) = t (1 - tanh²(t z)), derived by autograd
    knob       t: 1 → t_end, linear

Reference: authors, venue, arXiv id, equation number.
"""

import math

import torch
from torch import Tensor

from bench.plugin import Annotated, Field, Knob, Role, ScheduleName, Surrogate


class {cls}(Surrogate):
    formula = "f(z) = tanh(tz)"
    kind = "tanh-like"

    t_end: Annotated[float, Field(gt=0)] = 5.0
    schedule: ScheduleName = "linear"

    def knob(self, role: Role = "W") -> Knob:
        return Knob("t", 1.0, self.t_end, limits=(0, math.inf))

    def value(self, z: Tensor, t: Tensor, /) -> Tensor:
        return torch.tanh(t * z)
'''


def write_plugin(
    name: str, folder: Path, template: str = TEMPLATE, registry: Registry[Any] = ESTIMATORS
) -> Path:
    """
    Write `folder/NAME.py`.

    Args:
        name: the file's and the plugin's.
        folder: made if it is not there.
        template: the file's text, with places for `name` and `cls`.
        registry: where the name must be free.

    Raises:
        UsageError: the name cannot be a module's, is taken, or the folder cannot be written.
    """
    if not name.isidentifier() or keyword.iskeyword(name) or name.startswith("_"):
        message = f"`{name}` cannot be a file name to import; use letters, digits and underscores"
        raise UsageError(message)
    if name in RESERVED or keyword.iskeyword(name.capitalize()):
        why = RESERVED.get(name, "would make a class of a keyword's name")
        message = f"`{name}` {why}; choose another"
        raise UsageError(message)
    origins = registry.origins()
    if name in origins:
        message = f"the name `{name}` is taken by {origins[name].place}; choose another"
        raise UsageError(message)
    path = folder / f"{name}.py"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        cls = "".join(w.capitalize() for w in name.split("_"))
        cls += "Estimator" * (cls in template)
        with path.open("x", encoding="utf-8") as file:
            file.write(template.format(name=name, cls=cls))
    except OSError as error:
        message = f"cannot write `{path}`: {error.strerror}"
        raise UsageError(message) from None
    return path
