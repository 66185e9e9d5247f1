"""
Whether a plan in a results folder was kept by this user, or is a stranger's.

A plan names files outside of its folder: its suite, and folders of local plugins. Results may be
anybody's, so these names are followed only if this user has kept a plan that names the same. What
was kept is remembered in the user's data folder, a file without content for each suite; a user who
has no such folder names plugins with `--plugins`.
"""

import hashlib
import json
from contextlib import suppress
from pathlib import Path

from bench.base.files import real_path
from bench.base.user_folders import data_folder
from bench.spec.plan import Plan


def remember(plan: Plan) -> None:
    """Remember that this user keeps a plan with this suite and these plugins, where that can be."""
    with suppress(OSError, RuntimeError):  # a full disk, a user without a home
        path = _path(plan)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def is_own(plan: Plan) -> bool:
    """Did this user keep a plan with this suite and these plugins?"""
    try:
        return _path(plan).is_file()
    except (OSError, RuntimeError):
        return False


def _path(plan: Plan) -> Path:
    """
    Where it is remembered.

    Raises:
        RuntimeError: the user has no home.
    """
    paths = [str(real_path(Path(name))) for name in (plan.source, *plan.plugins)]
    named = json.dumps([plan.suite, *paths])
    return data_folder() / "plans" / hashlib.sha256(named.encode()).hexdigest()
