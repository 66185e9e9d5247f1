"""
Options that are not on the command line: from the environment, or from the user's `config.yaml`.

Every option of a command has a variable, `BENCH_RUN_JOBS` for `bench run --jobs`. In the file
an option stands under its command, or at the top for every command that has it; a command's own
goes before. The command line goes before the environment, and that before the file.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import typer
from typer.main import get_command

from bench.base.files import is_file
from bench.base.plain_data import KeyPath, as_list, as_mapping
from bench.base.text import suggest
from bench.base.user_folders import config_folder
from bench.base.yaml_document import Document, Problem, read
from bench.errors import SuiteError, UsageError

Command: TypeAlias = Any  # of typer's own copy of click, or of click, as typer's version has it
Words: TypeAlias = tuple[str, ...]  # of a command, `bench` left out

FILE, VARIABLE = "config.yaml", "BENCH_CONFIG"
HELP = ["-h", "--help"]
TYPERS_OWN = {"install_completion", "show_completion"}
OTHERS = {  # variables that are no option's
    VARIABLE: "file of settings",
    "BENCH_CACHE": "folder of what can be made again",
    "BENCH_DATA": "folder of data sets",
    "BENCH_MACHINES": "file of profiles",
}
OWN = ("BENCH_JOB", "BENCH_ENGINE", "BENCH_CIFAR")  # beginnings of what jobs and mirrors set


@dataclass(frozen=True)
class Setting:
    """An option that is said, and not on a command line."""

    option: str  # as in `run --jobs`; every command's: `--results`
    value: str
    place: str  # the variable, or file:line:column


@dataclass(frozen=True)
class Unknown:
    """A variable that no option has."""

    name: str
    hint: str  # what may have been meant


def list_commands(group: Command, words: Words = ()) -> Iterator[tuple[Words, Command]]:
    """Every command that is shown, by its words."""
    for name, command in group.commands.items():
        if command.hidden:  # what jobs call is said by their batch alone
            continue
        if hasattr(command, "commands"):
            yield from list_commands(command, (*words, name))
        else:
            yield (*words, name), command


def _walk(command: Command) -> Iterator[Command]:
    """A command and all below it."""
    yield command
    for inner in getattr(command, "commands", {}).values():
        yield from _walk(inner)


def list_options(command: Command) -> dict[str, Any]:
    """A command's options, by their long names without dashes."""
    params = (param for param in command.params if param.param_type_name == "option")
    return {_long(param): param for param in params if not param.is_eager}


def make_program(app: typer.Typer) -> Command:
    """
    The command of an app, in which every option that has no variable has its own.

    In help, switches show no type; what typer adds for completion is `bench completion` here.
    """
    group: Command = get_command(app)
    for command in _walk(group):
        names = {"help_option_names": command.context_settings.get("help_option_names", HELP)}
        context = command.context_class(command, **names)
        for param in command.get_params(context):
            if getattr(param, "is_flag", False):
                param.metavar = ""
            if param.name in TYPERS_OWN:
                param.hidden = True
    for words, command in list_commands(group):
        for name, option in list_options(command).items():
            if not option.envvar:
                option.envvar, option.show_envvar = _variable((*words, name)), False
    return group


def find_file() -> Path | None:
    """
    The file of settings; None: there is none.

    Raises:
        UsageError: BENCH_CONFIG names a file that is not there.
    """
    if named := os.environ.get(VARIABLE):
        if not is_file(Path(named)):
            message = f"{VARIABLE}: no file `{named}`"
            raise UsageError(message)
        return Path(named)
    path = home_file()
    return path if path and is_file(path) else None


def home_file() -> Path | None:
    """Where this user's file would be; None: the user has no home."""
    try:
        return config_folder() / FILE
    except RuntimeError:
        return None


def read_defaults(group: Command) -> dict[str, Any]:
    """
    What the file says, as a context's `default_map` takes it; nothing where there is no file.

    Raises:
        UsageError: BENCH_CONFIG names none.
        SuiteError: a line for each thing that is wrong in the file.
    """
    path = find_file()
    return _Defaults(group, read(path)).found() if path else {}


def list_settings(group: Command) -> list[Setting]:
    """What is said in environment and file; raises as `read_defaults`."""
    read_defaults(group)
    said = [*_from_environment(group)]
    if path := find_file():
        document = read(path)
        for keys, value in _leaves(document.data, ()):
            option = " ".join([*keys[:-1], f"--{keys[-1]}"])
            said.append(Setting(option, _shown(value), document.where(keys)))
    return said


def list_unknown(group: Command) -> list[Unknown]:
    """Variables that begin with BENCH_ and say nothing."""
    known = {name for _, names in _variables(group) for name in names} | OTHERS.keys()
    strange = (name for name in sorted(os.environ) if name.startswith("BENCH_"))
    unknown = (name for name in strange if name not in known and not name.startswith(OWN))
    return [
        Unknown(name, suggest(name, sorted(known)).partition("; known: ")[0]) for name in unknown
    ]


class _Defaults:
    """A file of settings, looked through once."""

    def __init__(self, group: Command, document: Document) -> None:
        self.group, self.document = group, document
        self.context = group.context_class(group, info_name="bench")
        self.commands = dict(list_commands(group))
        self.problems: list[Problem] = []
        self.groups = {words[:i] for words in self.commands for i in range(1, len(words))}

    def found(self) -> dict[str, Any]:
        """The defaults of every command, by its words and the names that its parameters have."""
        data = as_mapping(self.document.data if self.document.data is not None else {})
        if data is None:
            raise SuiteError(self.document.report([Problem((), "expected options and commands")]))
        shared = {key: v for key, v in data.items() if as_mapping(v) is None}
        self._refuse_unknown(data, ())
        defaults: dict[str, Any] = {}
        for words, command in {(): self.group, **self.commands}.items():
            known = list_options(command)
            own: Mapping[str, Any] = self._own(data, words) if words else {}
            for key in own.keys() - known.keys():
                text = f"`bench {' '.join(words)}` has no such option{suggest(key, known)}"
                self.problems.append(Problem((*words, key), text))
            taken: dict[Words, Any] = {(key,): v for key, v in shared.items() if key in known}
            taken |= {(*words, key): v for key, v in own.items() if key in known}
            place = defaults
            for word in words:
                place = place.setdefault(word, {})
            for path, value in taken.items():
                option = known[path[-1]]
                place[option.name] = self._value(path, option, value)
        if self.problems:
            raise SuiteError(self.document.report(self.problems))
        return defaults

    def _own(self, data: Mapping[str, Any], words: Words) -> Mapping[str, Any]:
        """What stands under a command."""
        inner: Any = data
        for word in words:
            inner = as_mapping((as_mapping(inner) or {}).get(word)) or {}
        return inner

    def _refuse_unknown(self, data: Mapping[str, Any], above: Words) -> None:
        every = [self.group, *self.commands.values()]
        options = {name for command in every for name in list_options(command)}
        for key, value in data.items():
            words, inner = (*above, key), as_mapping(value)
            if inner is None and (above or key not in options):
                known = {w[len(above)] for w in self.commands if w[: len(above)] == above}
                known |= set() if above else options
                self.problems.append(Problem(words, f"no such option{suggest(key, known)}"))
            elif inner is not None and words in self.groups:
                self._refuse_unknown(inner, words)
            elif inner is not None and words not in self.commands:
                known = {w[len(above)] for w in self.commands if w[: len(above)] == above}
                self.problems.append(Problem(words, f"no such command{suggest(key, known)}"))

    def _value(self, path: KeyPath, option: Any, value: Any) -> Any:
        """The value as the command line would give it, checked by the option's own type."""
        if value is None:
            return option.default
        words = [*map(_word, as_list(value))] if isinstance(value, list) else [_word(value)]
        if isinstance(value, list) and not option.multiple:
            self.problems.append(Problem(path, "expected one value, got a list"))
            return None
        given = words if option.multiple else words[0]
        try:
            option.process_value(self.context, given)
        except Exception as error:  # of typer's own copy of click, which has no public name
            said = getattr(error, "message", None)
            if said is None:
                raise
            self.problems.append(Problem(path, str(said).removeprefix("Value error, ")))
        return given


def _word(value: Any) -> Any:
    return value if isinstance(value, bool) else str(value)


def _long(param: Any) -> str:
    return next((opt[2:] for opt in param.opts if opt.startswith("--")), param.opts[0].lstrip("-"))


def _variable(words: Words) -> str:
    return "BENCH_" + "_".join(words).replace("-", "_").upper()


def _variables(group: Command) -> Iterator[tuple[str, list[str]]]:
    """Each option as a command line spells it, and its variables."""
    for words, command in [((), group), *list_commands(group)]:
        for name, option in list_options(command).items():
            named: str | list[str] = option.envvar or []
            yield " ".join([*words, f"--{name}"]), [named] if isinstance(named, str) else named


def _from_environment(group: Command) -> Iterator[Setting]:
    told: set[str] = set()
    for option, names in _variables(group):
        for name in names:
            if os.environ.get(name) and name not in told:
                told.add(name)
                shared = name == _variable((option.rpartition("--")[2],))
                yield Setting(option[option.index("--") :] if shared else option,
                              os.environ[name], name)  # fmt: skip
    for name in OTHERS:
        if os.environ.get(name) and name not in told:
            yield Setting(OTHERS[name], os.environ[name], name)


def _leaves(value: Any, path: Words) -> Iterator[tuple[Words, Any]]:
    inner = as_mapping(value)
    if inner is None:
        if path:
            yield path, value
        return
    for key, below in inner.items():
        yield from _leaves(below, (*path, key))


def _shown(value: Any) -> str:
    listed = as_list(value) or [value]
    return ", ".join(str(v).lower() if isinstance(v, bool) else str(v) for v in listed)
