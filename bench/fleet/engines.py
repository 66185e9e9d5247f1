"""The engines that there are, by name; each is imported when it is asked for."""

from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

from bench.errors import EnvironmentProblem
from bench.fleet.engine import Engine
from bench.fleet.profile import Profile

ATTACHED = {"ray"}  # engines whose jobs end with the process that submitted them
CLASSES = {
    "slurm": ("bench.fleet.slurm.slurm_engine", "Slurm"),
    "ray": ("bench.fleet.ray.ray_engine", "Ray"),
}


def open_engine(profile: Profile, root: Path) -> Engine:
    """
    The engine of a profile, made with it and the results folder; it is asked for nothing yet.

    Raises:
        EnvironmentProblem: a package that it needs is not installed.
    """
    module, name = CLASSES[profile.engine]
    try:
        return getattr(import_module(module), name)(profile, root)
    except ImportError as error:
        message = f"--on {profile.name}: {error}; `pip install 'signbench[{profile.engine}]'`"
        raise EnvironmentProblem(message) from None


@dataclass
class Engines:
    """The engines that one command has opened, one for each profile."""

    root: Path
    _open: dict[str, Engine] = field(default_factory=dict[str, Engine])

    def open(self, profile: Profile) -> Engine:
        """The engine of a profile; raises as `open_engine`."""
        key = profile.model_dump_json()
        if key not in self._open:
            self._open[key] = open_engine(profile, self.root)
        return self._open[key]

    def close(self) -> None:
        """Let go of all of them."""
        for engine in self._open.values():
            engine.close()
