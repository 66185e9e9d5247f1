"""
A suite's entries, built: names and parameters become plugins, or problems with their place.

A backbone's entry may carry `train` and `data` of its own, which go before the suite's: they
differ between tables of one suite, never within one. What an estimator's entry says of them is
`bench.planning.own_settings`.

The only place where a suite's names meet the registry.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias

from pydantic import ValidationError

from bench.base.plain_data import KeyPath, as_list, as_mapping
from bench.base.validation import problems
from bench.base.yaml_document import Document, Problem
from bench.data.source import named
from bench.errors import PluginError, UsageError
from bench.planning.matrix import crossed_options, crossed_values, expand_entry, with_crossed
from bench.registry import BACKBONES, DATA, ESTIMATORS, Registry, add_folders
from bench.results import source_digest
from bench.spec.cell import Recipe, Role
from bench.spec.preset import without_dependent

# of an estimator's entry; so no estimator may have such fields
NO_PARAMETERS = frozenset({"teacher", "preset", "train", "structure"})


@dataclass(frozen=True)
class PluginConfig:
    """A plugin with its parameters, the name it is found by, and the digest of its file."""

    name: str
    plugin: Any
    digest: str = ""

    def with_values(self, values: dict[str, Any]) -> "PluginConfig":
        """Set those of the values that are parameters of the plugin, and validate it again."""
        return replace(self, plugin=_with_values(self.plugin, values))


@dataclass(frozen=True)
class BackboneConfig:
    """A backbone with its parameters, and how and on what its rows train."""

    name: str
    plugin: Any
    recipe: Recipe
    data: PluginConfig
    digest: str = ""
    options: dict[str, Any] = field(default_factory=dict[str, Any])  # crossed ones of binarization

    def with_values(self, values: dict[str, Any]) -> "BackboneConfig":
        """Set those of the values that are parameters of the plugin, and validate it again."""
        return replace(self, plugin=_with_values(self.plugin, values))


Roles: TypeAlias = dict[Role, PluginConfig]
RoleEntries: TypeAlias = dict[Role, tuple[dict[str, Any], KeyPath]]  # parameters, where they stand
BOTH: tuple[Role, ...] = ("W", "A")


@dataclass(frozen=True)
class Axes:
    """A suite's axes with their plugins built, by label."""

    estimators: dict[str, Roles]
    own_schedule: set[str]  # labels of estimators that name their schedule
    backbones: dict[str, BackboneConfig]
    backbone_labels: set[str]  # of those without a recipe or data, too
    teachers: dict[str, BackboneConfig]  # that are no axis
    teacher_labels: set[str]
    taught_by: dict[str, str]  # labels of estimators that name their teacher → its label
    # backbones that an estimator's rows have otherwise than the suite, by both labels
    own: dict[tuple[str, str], BackboneConfig] = field(
        default_factory=dict[tuple[str, str], BackboneConfig]
    )

    # what is wrong with such a recipe, on some backbones only: told if these rows are run
    unfit: dict[tuple[str, str], list[Problem]] = field(
        default_factory=dict[tuple[str, str], list[Problem]]
    )

    def network(self, estimator: str, backbone: str) -> BackboneConfig:
        """Return a backbone as the rows of an estimator have it."""
        return self.own.get((estimator, backbone), self.backbones[backbone])


def build(document: Document) -> tuple[Axes, list[Problem]]:
    """Build every plugin that a suite names, from its own folders too, and say which cannot be."""
    misnamed = _add_folders(document)
    estimators, own_schedule, taught_by, wrong_estimators = _estimators(document)
    shared, wrong_shared = _training(document, {}, (), _Training())
    backbones, labels, wrong_backbones = _networks(document, "backbones", shared)
    teachers, teacher_labels, wrong_teachers = _networks(document, "teachers", shared)
    axes = Axes(
        estimators, own_schedule, backbones, labels, teachers, teacher_labels, taught_by
    )  # fmt: skip
    unbuilt = [*misnamed, *wrong_estimators, *wrong_shared, *wrong_backbones, *wrong_teachers]
    return axes, unbuilt


def _with_values(plugin: Any, values: dict[str, Any]) -> Any:
    """Copy a plugin with those of the values that are its parameters, validated again."""
    own = {k: v for k, v in values.items() if k in plugin.__class__.model_fields}
    return plugin.__class__.model_validate(plugin.model_dump() | own)


def _add_folders(document: Document) -> list[Problem]:
    """Let the registries find plugins in the suite's folders; name those that are not there."""
    unbuilt: list[Problem] = []
    folders: Any = document.data.get("plugins", [])
    for folder in as_list(folders) or [folders]:
        if not isinstance(folder, str):
            continue  # the suite's own check names it
        path = Path(document.source).parent / folder
        if _is_folder(path):
            add_folders([path])
        else:
            unbuilt.append(Problem(("plugins",), f"no folder `{folder}` beside the suite"))
    return unbuilt


def _is_folder(path: Path) -> bool:
    """Is it a folder? Not if its name is one that no folder can have."""
    try:
        return path.is_dir()
    except OSError:
        return False


def _estimators(
    document: Document,
) -> tuple[dict[str, Roles], set[str], dict[str, str], list[Problem]]:
    """Build the estimators: by label, who names a schedule, who a teacher, what is wrong."""
    estimators: dict[str, Roles] = {}
    own_schedule: set[str] = set()
    taught_by: dict[str, str] = {}
    unbuilt: list[Problem] = []
    for name, entry in _entries(document, "estimators"):
        path = ("estimators", name)
        combinations, wrong = expand_entry(entry, path)
        unbuilt += wrong
        for suffix, given in combinations:
            parameters = {k: v for k, v in given.items() if k not in NO_PARAMETERS}
            label, entries = name + suffix, _role_entries(name, parameters, path)
            roles, wrong = _estimator(label, entries, path)
            unbuilt += wrong
            if roles is not None:
                estimators[label] = roles
            if any("schedule" in own for own, _ in entries.values()):
                own_schedule.add(label)
            if "teacher" in given:
                taught_by[label] = str(given["teacher"])
    return estimators, own_schedule, taught_by, unbuilt


@dataclass(frozen=True)
class _Training:
    """How and on what a network trains, as far as it is known."""

    recipe: Recipe | None = None
    data: PluginConfig | None = None


def _training(
    document: Document, entry: dict[str, Any], path: KeyPath, shared: _Training
) -> tuple[_Training, list[Problem]]:
    """Say how and on what the network of an entry trains, or without `path` all of the suite."""
    recipe, data = shared.recipe, shared.data
    unbuilt: list[Problem] = []
    if "train" in entry or not path:
        recipe, unbuilt = _recipe(document, entry.get("train", {}), (*path, "train"))
    given = entry if path else document.data
    if "data" in given:
        data, wrong = _data_set(given["data"], (*path, "data"))
        unbuilt = [*unbuilt, *wrong]
    return _Training(recipe, data), unbuilt


def _networks(
    document: Document, axis: str, shared: _Training
) -> tuple[dict[str, BackboneConfig], set[str], list[Problem]]:
    """Build the backbones or teachers: by label, all labels that there are, what is wrong."""
    backbones: dict[str, BackboneConfig] = {}
    labels: set[str] = set()
    unbuilt: list[Problem] = []
    crossed, wrong = crossed_values(document if axis == "backbones" else None)
    unbuilt += wrong
    for name, entry in _entries(document, axis):
        path = (axis, name)
        training, wrong = _training(document, entry, path, shared)
        unbuilt += wrong
        own = {k: v for k, v in entry.items() if k not in {"train", "data"}}
        combinations, wrong = expand_entry(own, path)
        unbuilt += wrong
        plugins: dict[str, PluginConfig | None] = {}
        for suffix, parameters in combinations:
            plugins[suffix], wrong = _plugin(BACKBONES, {"plugin": name} | parameters, path)
            unbuilt += wrong
        for words, point in crossed:
            recipe, misfits = with_crossed(training.recipe, point)
            options, unfit = crossed_options(document, point)
            unbuilt += [problem for problem in (*misfits, *unfit) if problem not in unbuilt]
            for suffix, plugin in plugins.items():
                label = name + f"{suffix}{words}".replace(")(", ",")
                labels.add(label)
                if plugin and recipe and training.data:
                    backbones[label] = BackboneConfig(
                        plugin.name, plugin.plugin, recipe, training.data, plugin.digest, options
                    )
    return backbones, labels, unbuilt


def _entries(document: Document, axis: str) -> list[tuple[str, dict[str, Any]]]:
    """List the entries of one axis that have the shape of one; the suite's check names the rest."""
    entries = as_mapping(document.data.get(axis)) or {}
    shaped = ((str(name), as_mapping(entry)) for name, entry in entries.items())
    return [(name, entry) for name, entry in shaped if entry is not None]


def _role_entries(name: str, parameters: dict[str, Any], path: KeyPath) -> RoleEntries:
    """Take the parameters of one label apart: one plugin for both roles, or `{W: ..., A: ...}`."""
    if not parameters.keys() & set(BOTH):
        return dict.fromkeys(BOTH, ({"plugin": name} | parameters, path))
    shared = {k: v for k, v in parameters.items() if k not in BOTH}
    entries: RoleEntries = {}
    for role in BOTH:
        own = as_mapping(parameters.get(role))
        if own:
            entries[role] = shared | own, (*path, role)
        else:
            entries[role] = shared | {"plugin": parameters.get(role)}, path
    return entries


def _estimator(
    label: str, entries: RoleEntries, path: KeyPath
) -> tuple[Roles | None, list[Problem]]:
    """Build the plugins of one label."""
    if label == "none":
        return None, [Problem(path, "means full precision here; choose another label")]
    roles: Roles = {}
    unbuilt: list[Problem] = []
    for role, (parameters, place) in entries.items():
        plugin, wrong = _plugin(ESTIMATORS, parameters, place)
        unbuilt += wrong
        if plugin:
            roles[role] = plugin
    return (roles if len(roles) == len(entries) else None), unbuilt


def _plugin(
    registry: Registry[Any], parameters: dict[str, Any], path: KeyPath
) -> tuple[PluginConfig | None, list[Problem]]:
    """Build one plugin, or say what is wrong with it."""
    name: Any = parameters.get("plugin")
    if not isinstance(name, str):
        message = "needs both W and A, each a plugin's name or a mapping with `plugin:`"
        return None, [Problem(path, message)]
    own = {str(k): v for k, v in parameters.items() if k != "plugin"}
    try:
        plugin = registry.load(name)(**own)
        plugin.ref(name)  # as cells will name it
        return PluginConfig(name, plugin, source_digest.source(registry, name)), []
    except PluginError as error:
        return None, [Problem(path, str(error))]
    except ValidationError as error:
        return None, problems(error, path, registry.load(name))
    except Exception as error:  # whatever a stranger's class raises
        return None, [Problem(path, f"`{name}` raises {type(error).__name__}: {error}")]


def _recipe(document: Document, own: Any, path: KeyPath) -> tuple[Recipe | None, list[Problem]]:
    """
    Make the suite's recipe with what stands at `path` over it.

    What is wrong with the suite's own recipe is told by its model.
    """
    shared, over = as_mapping(document.data.get("train")), as_mapping(own)
    if over is None:
        return None, [Problem(path, "must be a mapping, as the suite's train is")]
    if shared is None:
        return None, []
    try:
        return Recipe.model_validate(without_dependent(shared, over) | over), []
    except ValidationError as error:
        if path == ("train",):
            return None, []
        return None, [p for p in problems(error, path, Recipe) if _is_own(p, path, over)]


def _is_own(problem: Problem, path: KeyPath, own: dict[str, Any]) -> bool:
    """Is this said of what stands at `path` itself, and not of the suite's recipe below it?"""
    return len(problem.path) == len(path) or problem.path[len(path)] in own


def _data_set(value: Any, path: KeyPath) -> tuple[PluginConfig | None, list[Problem]]:
    """Make the one data set that stands at `path`."""
    found = as_mapping(value) or {}
    entries = [(str(k), e) for k, entry in found.items() if (e := as_mapping(entry)) is not None]
    if len(entries) != 1:
        return None, [Problem(path, f"names {len(entries) or 'no'} data sets, needs one")]
    name, parameters = entries[0]
    try:
        source = named(name)(**{str(k): v for k, v in parameters.items()})
        return PluginConfig(name, source, source_digest.source(DATA, name)), []
    except (PluginError, UsageError) as error:
        return None, [Problem((*path, name), str(error))]
    except ValidationError as error:
        return None, problems(error, (*path, name), named(name))
    except Exception as error:  # whatever a stranger's class raises
        return None, [Problem((*path, name), f"`{name}` raises {type(error).__name__}: {error}")]
