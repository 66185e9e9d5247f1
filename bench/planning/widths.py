"""What a W/A makes of an estimator: its roles, and its parameters of so many bits."""

from dataclasses import replace

from pydantic import ValidationError

from bench.base.text import count
from bench.base.validation import problems
from bench.nn.contract import Estimator
from bench.planning.axes import Roles
from bench.spec.cell import REAL_BITS, Role, bits_by_role

CALLED: dict[Role, str] = {"W": "weights", "A": "activations"}


def fit_widths(entries: Roles, wa: str) -> tuple[Roles, str]:
    """
    Make the estimators of one label fit a W/A; say why they cannot, or nothing.

    Returns the estimator of each role that is not real, with so many bits if it has a choice.
    """
    bits = bits_by_role(wa)
    roles: Roles = {}
    for role, asked in bits.items():
        config = entries[role]
        plugin: Estimator = config.plugin
        try:
            made = plugin.with_bits(bits)
            has = made.bits(role)
        except ValidationError as error:
            wrong = problems(error, (), type(plugin))[0]
            return {}, f"{config.name} at {wa}: {'.'.join(map(str, wrong.path))} {wrong.message}"
        except Exception as error:  # whatever a stranger's class raises
            return {}, f"{config.name} at {wa} raises {type(error).__name__}: {error}"
        if has != asked:
            return {}, f"{config.name} has {CALLED[role]} of {count(has, 'bit')}, not {asked}"
        roles[role] = replace(config, plugin=made)
    return roles, ""


def widths_of(roles: Roles) -> str:
    """Return the W/A of a network with these estimators; what has none is real."""
    plugins: dict[Role, Estimator] = {role: config.plugin for role, config in roles.items()}
    bits = {role: plugin.bits(role) for role, plugin in plugins.items()}
    return f"{bits.get('W', REAL_BITS)}/{bits.get('A', REAL_BITS)}"
