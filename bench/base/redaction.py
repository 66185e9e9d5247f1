"""
Secrets in command lines and addresses, taken out before they are kept or shown.

What a record keeps of a run travels with it: to archives, pages and repositories.
"""

import re
from collections.abc import Iterable

HIDDEN = "***"
_WORDS = (
    r"(?:token|secret|passw(?:or)?d|passphrase|\bpwd|credentials?|signature|authorization"
    r"|(?:api|access|private|account)[-_]?key)"
)
_NAMED = re.compile(rf"((?:[\w.-]*{_WORDS}|(?<=[?&])sig)\s*[=:]\s*)[^\s&;,'\"]+", re.IGNORECASE)
_OPTION = re.compile(rf"--?[\w-]*{_WORDS}", re.IGNORECASE)
_USER = re.compile(r"(\b[a-z][a-z0-9+.-]*://)[^/\s@]+@", re.IGNORECASE)
_BEARER = re.compile(r"\b(bearer\s+)[\w.~+/-]{8,}", re.IGNORECASE)
_KNOWN = re.compile(
    r"\b(?:gh[pousr]_|github_pat_|glpat-|hf_|sk-|xox[abp]-|AKIA|eyJ)[\w-]{12,}(?:\.[\w-]+)*"
)


def without_secrets(text: str) -> str:
    """The text with `***` for users and passwords of addresses, values of tokens, and tokens."""
    text = _BEARER.sub(rf"\1{HIDDEN}", _USER.sub(rf"\1{HIDDEN}@", text))
    return _KNOWN.sub(HIDDEN, _NAMED.sub(rf"\1{HIDDEN}", text))


def words_without_secrets(words: Iterable[str]) -> list[str]:
    """The words of a command line likewise; the one after `--token` is a token, too."""
    shown: list[str] = []
    follows = False
    for word in words:
        shown.append(HIDDEN if follows else without_secrets(word))
        follows = bool(_OPTION.fullmatch(word))
    return shown
