"""Templates to pages: nothing is fetched, no script runs but the page's own, text is escaped."""

import base64
import hashlib
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from bench import __version__
from bench.base.text import printable

HERE = "bench.report.page"


def render(template: str, values: Mapping[str, Any], package: str = HERE) -> str:
    """
    Write a page.

    Args:
        template: its file in `parts`.
        values: what it tells.
        package: whose `parts` have it; those of the page of a suite are there, too.
    """
    parts = files(HERE) / "parts"
    script = Markup((parts / "script.js").read_text(encoding="utf-8"))
    shared = {
        "script": script,
        "style": Markup((parts / "style.css").read_text(encoding="utf-8")),
        "policy": _policy(script),
        "version": __version__,
    }
    return printable(_environment(package).get_template(template).render({**values, **shared}))


@lru_cache
def _environment(package: str) -> Environment:
    pages = Environment(
        loader=ChoiceLoader(
            [PackageLoader(name, "parts") for name in dict.fromkeys((package, HERE))]
        ),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    pages.filters["ticked"] = _ticked
    return pages


def _ticked(text: str) -> Markup:
    """Text with `code` set as such."""
    parts = str(text).split("`")
    if len(parts) % 2 == 0:
        return escape(text)
    code = Markup("<code>{}</code>")
    return Markup("").join(code.format(x) if i % 2 else escape(x) for i, x in enumerate(parts))


def _policy(script: str) -> str:
    """Nothing is fetched, and no script runs but the page's own."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    rules = {
        "default-src": "'none'",
        "script-src": f"'sha256-{digest}'",
        "style-src": "'unsafe-inline'",
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in rules.items())
