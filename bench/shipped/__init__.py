"""
What ships with the harness, under one name wherever it lies: `bench.shipped.estimators.ste`.

Estimators, backbones and suites are folders at the root of a checkout, and folders of this package
where it is installed, so that a project's own `estimators` or `suites` hides none of them.
"""

from pathlib import Path

_HERE = Path(__file__).resolve().parent
HOME = _HERE if (_HERE / "estimators").is_dir() else _HERE.parents[1]
__path__ = [str(HOME)]
