"""Where a stranger's code raised what it raised."""

import sys
from pathlib import Path
from types import TracebackType

OURS = {"bench", "torch", "numpy", "pydantic", "__main__", *sys.stdlib_module_names}


def find_place(error: BaseException) -> str:
    """Name file, line and function of the innermost code that is no library's nor ours, or ""."""
    place, step = "", error.__traceback__
    while step is not None:
        if _is_strangers(step):
            code = step.tb_frame.f_code
            place = f"{Path(code.co_filename).name}:{step.tb_lineno}, in {code.co_name}"
        step = step.tb_next
    return place


def _is_strangers(step: TracebackType) -> bool:
    module: object = step.tb_frame.f_globals.get("__name__", "")
    return isinstance(module, str) and module.partition(".")[0] not in OURS
