"""The page of Python: the notebook as Markdown, then what each function of `import bench` takes."""

import inspect
import json
from pathlib import Path
from typing import Any

import bench

NOTEBOOK = Path(__file__).parent / "pages" / "python.ipynb"
MANY = 8  # parameters, which stand on lines of their own


def page() -> str:
    """The Markdown of the whole page."""
    cells: list[dict[str, Any]] = json.loads(NOTEBOOK.read_bytes())["cells"]
    parts = [_cell(cell["cell_type"], "".join(cell["source"])) for cell in cells]
    return "\n\n".join([*parts, "## Functions", *map(_function, bench.__all__)]) + "\n"


def _cell(kind: str, source: str) -> str:
    return source if kind == "markdown" else f"```python\n{source}\n```"


def _function(name: str) -> str:
    """One function: how it is called, and what its docstring says."""
    function = getattr(bench, name)
    parameters = [
        str(parameter.replace(annotation=inspect.Parameter.empty))
        for parameter in inspect.signature(function).parameters.values()
    ]
    joint, end = (", ", "") if len(parameters) < MANY else (",\n    ", ",\n")
    called = f"bench.{name}({end[1:] + '    ' * bool(end)}{joint.join(parameters)}{end})"
    about = inspect.getdoc(function) or ""
    return f"### {name}\n\n```python\n{called}\n```\n\n```text\n{about}\n```"
