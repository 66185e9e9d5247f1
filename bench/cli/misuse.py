"""What is wrong with a command line, in words that all errors have."""

import os
import re

from bench.base.text import suggest

ENV = re.compile(r" \(env var: '([^']+)'\)")


def explain_misuse(said: str, command: str) -> str:
    """What typer says of a line, in one line that ends as other errors do."""
    text = " ".join(said.replace("Value error, ", "").split()).rstrip(".")
    if (named := ENV.search(text)) and not os.environ.get(named[1]):
        text = text.replace(named[0], "")  # it stands on the line
    if found := re.search(r"[`']?([\w./-]+)[`']? is not one of (.+)", text):
        near = suggest(found[1], re.findall(r"'([^']+)'", found[2]))
        text += "" if near.startswith("; known") else near
    return f"{text[:1].lower()}{text[1:]}; `{command} -h` tells what there is"
