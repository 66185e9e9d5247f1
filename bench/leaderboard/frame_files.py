"""Tables of numbers as files for other programs: CSV, and Parquet where pyarrow is there."""

import io
from typing import TYPE_CHECKING, Any

from bench.base.text import no_formula
from bench.errors import EnvironmentProblem

if TYPE_CHECKING:  # whoever calls has it imported
    import pandas as pd


def write_csv(frame: "pd.DataFrame") -> str:
    """Write a table as CSV, no text of which is a formula to a spreadsheet."""
    texts = frame.select_dtypes(exclude="number")
    safe = frame.assign(**{name: texts[name].map(_no_formula) for name in texts.columns})
    return safe.rename(columns=no_formula).to_csv(index=False)


def _no_formula(value: Any) -> Any:
    return no_formula(value) if isinstance(value, str) else value


def write_parquet(frame: "pd.DataFrame") -> bytes:
    """
    Write a table as Parquet.

    Raises:
        EnvironmentProblem: pyarrow is not installed.
    """
    held = io.BytesIO()
    try:
        frame.to_parquet(held, engine="pyarrow", index=False)
    except ImportError as error:
        message = "parquet: pyarrow is not installed; `pip install 'signbench[parquet]'`"
        raise EnvironmentProblem(message) from error
    return held.getvalue()
