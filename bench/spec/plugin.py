"""What every plugin is, of whatever kind: a frozen value that a suite may set the fields of."""

import json
from abc import ABC
from typing import ClassVar

from pydantic import ConfigDict

from bench.base.validation import Settable
from bench.spec.cell import Ref


class Plugin(Settable, ABC):
    """A frozen value whose fields are the parameters that a suite may set."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")
    version: ClassVar[int] = 1  # raise it when the numbers change: old records no longer match

    def __hash__(self) -> int:  # also where a parameter is a list
        return hash((type(self), self.model_dump_json()))

    def ref(self, name: str, source: str = "") -> Ref:
        """This plugin as a cell names it: every parameter spelled out, its file's digest."""
        params = json.loads(self.model_dump_json())
        return Ref(name=name, version=self.version, params=params, source=source)
