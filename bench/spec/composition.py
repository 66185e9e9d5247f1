"""
What a suite says in full: its file, the suites it extends, the overrides and presets in one.

The places of all that is taken are kept, so that an error names the line that says it.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from bench.base.yaml_document import Document
from bench.spec.crossed import begin_crossed
from bench.spec.extends import extend
from bench.spec.overrides import override
from bench.spec.preset import apply_presets
from bench.spec.short_forms import listed_labels, spell_out
from bench.spec.suite_file import read_chain


def compose(path: Path, overrides: Iterable[str] = ()) -> Document:
    """
    Read a suite, by path or by name, and complete it; each line is a step that makes a document.

    Raises:
        SuiteError: no such file, not YAML, not a mapping, or an override that cannot be.
    """
    *extending, lowest = read_chain(path)
    document = spell_out(lowest)
    for written in reversed(extending):
        document = extend(document, spell_out(written), listed_labels(written))
    for text in overrides:
        document = override(document, text)
    return apply_presets(begin_crossed(document))


def digest(document: Document) -> str:
    """Hash what the file and the overrides say, comments left aside."""
    return hashlib.sha256(repr(document.data).encode()).hexdigest()[:16]
