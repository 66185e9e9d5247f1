"""What tables say of a configured estimator: its formula, its schedule, and its verdicts."""

from bench.nn.contract import Estimator, Surrogate
from bench.planning.axes import PluginConfig, Roles
from bench.properties import verdicts
from bench.properties.check import read_printed
from bench.spec.cell import Role
from bench.spec.plan import Properties, RoleInfo


def describe_roles(roles: Roles) -> dict[Role, RoleInfo]:
    """Say of each role's estimator what tables print; the verdicts on one f are reached once."""
    return {role: _describe(config, role) for role, config in roles.items()}


def _describe(config: PluginConfig, role: Role) -> RoleInfo:
    """Say of one estimator what tables print."""
    plugin: Estimator = config.plugin
    printed, trained = _judge(plugin, role)
    return RoleInfo(
        plugin=config.name,
        formula=plugin.formula,
        kind=plugin.kind,
        schedule=getattr(plugin, "schedule", ""),
        printed=printed,
        trained=trained,
        has_f=isinstance(plugin, Surrogate),
        aux=plugin.aux.strip("- "),
        compared=isinstance(plugin, Surrogate) and read_printed(plugin) is not None,
    )


def _judge(plugin: Estimator, role: Role) -> tuple[Properties | None, Properties | None]:
    """Judge the printed f and the one that trains, if there is an f to call."""
    if not isinstance(plugin, Surrogate):
        return None, None
    try:
        return verdicts.judge_printed(plugin), verdicts.judge_trained(plugin, role)
    except Exception:  # a stranger's f: `bench check` shows what it raises, its cells fail alone
        return None, None
