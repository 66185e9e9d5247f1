"""
What a cell was made by: digests of its plugins and of the numeric core, read and never imported.

A digest is of the parsed source: comments, docstrings and layout are no part of it, and it is the
same under every Python from 3.11 on. A record whose digests differ from those of the files as they
are was made by other code; `changes` names the files. A shipped plugin is its own file, and those
of the plugins that it names in `uses`. A stranger's is that and what it imports that is no library;
one of another distribution the whole package that it is in, and the distribution's version. What
numbers owe to torch, other libraries and the number of threads stands in a record's provenance.

Of the numeric core it does not matter where a file lies, what it is called and how it imports the
rest of the harness. A change of it that leaves the golden curves equal to the bit is declared equal
in `numeric_core.json`: `carried` is what cells say that they were made by, `code` the digests of
the files as they were when those curves were last seen. `make declare` compares and writes it.
"""

import ast
import hashlib
import json
import warnings
from collections.abc import Callable, Iterable, Iterator
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from bench.base.answer_cache import Question, remembered
from bench.base.file_states import file_digest
from bench.base.python_files import parse_code
from bench.errors import UsageError
from bench.registry import BACKBONES, DATA, ESTIMATORS, Registry
from bench.spec.cell import CORE, Binarization, Cell, DataRef, Ref

NUMERIC = ("nn", "data", "train")  # packages between a batch of images and a record's numbers
BELOW = ("base", "errors", "registry", "results", "spec")  # what the core may import besides
SCHEDULE = "spec/schedule.py"  # a knob's path
ASIDE = (  # of those packages; what numbers owe to them stands in the cell, or is nothing
    "nn/macs.py",  # counts
    # what is loaded is in the data's fingerprint
    *(f"data/{name}.py" for name in (
        "album", "class_folders", "described", "download", "file_formats", "image_table",
        "npz_file", "own_images", "picture_folder", "presence", "reading", "source", "sources",
    )),
    "train/checkpoint_files.py",
    "train/checkpoint_folders.py",
    "train/checkpoint.py",  # what continues is, bit for bit, what would have been
    "train/compile_policy.py",  # which of them a cell gets stands in its record
    "train/determinism.py",  # these observe
    "train/devices.py",  # which device it is stands in the record
    "train/evaluation.py",
    "train/gpu_energy.py",
    "train/resource_meter.py",
    "train/sharing.py",  # refuses
    "train/stand_in.py",  # trains nothing
    "train/verify.py",
)  # fmt: skip
HOME = Path(__file__).parent.parent  # of the package
DECLARED = HOME / "results" / "numeric_core.json"
OLD = "made before sources were part of a cell's identity"
SILENT = {"ctx", "kind", "type_comment", "type_ignores"}  # fields that say nothing


@lru_cache(maxsize=4096)
def digest(source: bytes, home: Path | None = None) -> str:
    """
    Sixteen hex digits of what Python code says; what does not parse is taken as it stands.

    Args:
        source: the code.
        home: the folder of a package; how the code imports that is then no part of what it says.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a stranger's backslashes
            tree = ast.parse(source)
            tree = _without_own_imports(tree, home) if home else tree
            said = _said(tree).encode("utf-8", "surrogatepass")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        said = source
    return hashlib.sha256(said).hexdigest()[:16]


def _without_own_imports(tree: ast.Module, home: Path) -> ast.Module:
    """
    The code without its imports of the package at `home`.

    What they bind is called `bench.name` wherever it is used, under whatever alias or module, so
    it is no name of the file's own. Of two modules' equal names each keeps its module's.
    """
    nodes = [x for x in ast.walk(tree) if isinstance(x, ast.ImportFrom) and _is_below(x, home)]
    modules: dict[str, str] = {}
    names: dict[str, tuple[str, str]] = {}
    for node in nodes:
        for alias in node.names:
            bound, place = alias.asname or alias.name, f"{node.module}.{alias.name}"
            path = home.parent.joinpath(*place.split("."))
            if path.is_dir() or path.with_suffix(".py").is_file():
                modules[bound] = place
            else:
                names[bound] = str(node.module), alias.name
    return _Placeless(home, modules, names).visit(tree)


def _is_below(node: ast.ImportFrom, home: Path) -> bool:
    """Is it an import of the core, or of what the core may import?"""
    words = (node.module or "").split(".")
    packages = (*NUMERIC, *BELOW)
    return words[0] == home.name and (words[1:2] == [] or words[1] in packages)


class _Placeless(ast.NodeTransformer):
    """Calls by their names alone what is imported; imports, and blocks for types alone, go."""

    def __init__(
        self, home: Path, modules: dict[str, str], names: dict[str, tuple[str, str]]
    ) -> None:
        self.home, self.modules, self.names = home, modules, names
        self.homes: dict[str, set[str]] = {}  # of every name, the modules that it is used of
        for module, name in names.values():
            self.homes.setdefault(name, set()).add(module)

    def visit_Module(self, node: ast.Module) -> ast.AST:
        for child in ast.walk(node):
            match child:
                case ast.Attribute(value=ast.Name(id=bound), attr=name) if bound in self.modules:
                    self.homes.setdefault(name, set()).add(self.modules[bound])
                case _:
                    pass
        return self.generic_visit(node)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST | None:
        return None if _is_below(node, self.home) else node

    def visit_If(self, node: ast.If) -> ast.AST | list[ast.AST]:
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return [self.visit(child) for child in node.orelse]
        return self.generic_visit(node)

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        if isinstance(node.value, ast.Name) and node.value.id in self.modules:
            return self._imported(self.modules[node.value.id], node.attr, node.ctx)
        return self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if node.id in self.names:
            return self._imported(*self.names[node.id], node.ctx)
        return node

    def _imported(self, module: str, name: str, ctx: ast.expr_context) -> ast.AST:
        alone = len(self.homes[name]) == 1
        return ast.Name(f"bench.{name}" if alone else f"{module}.{name}", ctx)


def _said(node: Any) -> str:
    """A node's type and fields in an order of our own, for `ast.dump` differs between Pythons."""
    words: list[str] = []
    _say(node, words.append)
    return "".join(words)


def _say(node: Any, write: Callable[[str], object]) -> None:
    if not isinstance(node, ast.AST):
        write(ascii(node))
        return
    write(f"{type(node).__name__}(")
    for name in _speaking(type(node)):
        value = getattr(node, name, None)
        if value is None or _is_empty(value):
            continue
        write(f"{name}=")
        for item in value if isinstance(value, list) else [value]:  # pyright: ignore[reportUnknownVariableType]
            if isinstance(node, ast.JoinedStr) and isinstance(item, ast.Constant):
                write(str(item.value).encode("utf-8", "surrogatepass").hex())  # however it is cut
            elif not _is_idle(item) and not (isinstance(node, ast.ClassDef) and _is_word(item)):
                _say(item, write)
                write(",")
    write(")")


@cache
def _speaking(kind: type[ast.AST]) -> list[str]:
    """The fields of a kind of node that say something, sorted."""
    return sorted({*kind._fields} - SILENT)


def _is_empty(value: Any) -> bool:
    return value == [] or (isinstance(value, ast.JoinedStr) and not value.values)


def _is_idle(node: Any) -> bool:
    """A statement that does nothing: a docstring, a string in its place, `pass`, `...`."""
    bare = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return bare or isinstance(node, ast.Pass)


def _is_word(node: Any) -> bool:
    """`shares = False`, a plugin's word on who may train it, which changes no number."""
    return isinstance(node, ast.Assign) and ast.unparse(node) in {"shares = False", "shares = True"}


def core_files() -> list[Path]:
    """Every file of the numeric core, sorted; a file new in its packages is one of them."""
    files = [path for package in NUMERIC for path in (HOME / package).rglob("*.py")]
    aside = {HOME / name for name in ASIDE}
    numeric = [path for path in files if path not in aside and path.name != "__init__.py"]
    return sorted([*numeric, HOME / SCHEDULE])


def core_code() -> dict[str, str]:
    """The digest of every file of the numeric core, as it is now."""
    files = ((path.relative_to(HOME.parent).as_posix(), path.read_bytes()) for path in core_files())
    return dict(_core_digests(HOME, tuple(files)))


@lru_cache(maxsize=8)
def _core_digests(home: Path, files: tuple[tuple[str, bytes], ...]) -> dict[str, str]:
    """The digests of these files; kept by their bytes, for parsing them takes half a second."""
    sums = (f"{name} {hashlib.sha256(content).hexdigest()}" for name, content in files)
    question = Question(("core", str(home)), tuple(sums))
    made = remembered(question, lambda: json.dumps({n: digest(c, home) for n, c in files}))
    return json.loads(made)


def numerics() -> dict[str, str]:
    """What a cell says that the core is: `carried`, and each file that is not declared, or gone."""
    declared: dict[str, dict[str, str]] = json.loads(DECLARED.read_bytes())
    code, now = declared["code"], core_code()
    known, there = set(code.values()), set(now.values())
    other = {path: digest_now for path, digest_now in now.items() if digest_now not in known}
    gone = {path: "gone" for path, was in code.items() if was not in there}
    return declared["carried"] | gone | other


def revisions(options: Binarization) -> dict[str, str]:
    """
    What a cell says, beside `numerics`, of options whose numbers changed since records were made.

    The files that compute them are declared, for the numbers of all other cells are as they were.
    """
    return {} if options.scale_act == "off" else {"mean |x| of scale_act": "of an image"}


def source(registry: Registry[Any], name: str) -> str:
    """
    The digest of a plugin's code as it is now; empty where there is no file to read, or it is the
    harness's own.

    That is its file, and of a stranger's plugin what `Registry.files_beside` names and the
    distribution that it is of; with that of every plugin that it `uses`, and that those do.
    """
    found: dict[str, str] = {}
    waiting = [name]
    while waiting:
        one = waiting.pop()
        if one not in found:
            code = _read(registry.file(one))
            found[one] = _code_digest(registry, one, code) if code is not None else ""
            waiting += used(code or b"")
    if len(found) == 1 or not found[name]:
        return found[name]
    others = sorted(found.items() - {(name, found[name])})
    return digest(repr((found[name], others)).encode())


def _code_digest(registry: Registry[Any], name: str, code: bytes) -> str:
    """The digest of a plugin's own code; of a file that stands alone that of the file."""
    beside = registry.files_beside(name)
    distribution = registry.distribution(name)
    if not beside and not distribution:
        return digest(code)
    others = [(each, _file_digest(path)) for each, path in sorted(beside.items())]
    return digest(repr((digest(code), distribution, others)).encode())


def _file_digest(path: Path) -> str:
    """The digest of a file of Python, or of any other file's bytes."""
    if path.suffix != ".py":
        return file_digest(path)
    code = _read(path)
    return "" if code is None else digest(code)


def _read(file: Path | None) -> bytes | None:
    try:
        return file.read_bytes() if file else None
    except OSError:
        return None


@lru_cache(maxsize=256)
def used(code: bytes) -> tuple[str, ...]:
    """The plugins that a plugin's class says in `uses` that it builds, read and not imported."""
    tree = parse_code(code) if b"uses" in code else None
    if tree is None:
        return ()
    lines = [line for c in tree.body if isinstance(c, ast.ClassDef) for line in c.body]
    return tuple(name for line in lines for name in _texts(line))


def _texts(line: ast.stmt) -> list[str]:
    """The texts that a line puts into `uses`, as a tuple or list."""
    match line:
        case (
            ast.AnnAssign(target=ast.Name(id="uses"), value=ast.Tuple(elts) | ast.List(elts))
            | ast.Assign(targets=[ast.Name(id="uses")], value=ast.Tuple(elts) | ast.List(elts))
        ):
            constants = [x.value for x in elts if isinstance(x, ast.Constant)]
            return [value for value in constants if isinstance(value, str)]
        case _:
            return []


def now(cell: Cell) -> Cell:
    """The cell as it would be planned now; a plugin that is not found keeps its digest."""
    refs = {
        role: ref.model_copy(update={"source": source(registry, ref.name) or ref.source})
        for role, registry, ref in list_refs(cell)
    }
    above = {
        role: parent.model_copy(update={"cell": now(parent.cell)})
        for role, parent in cell.parents.items()
    }
    made_by = numerics() | revisions(cell.binarization)
    return cell.model_copy(update=refs | above | {"core": CORE, "numerics": made_by})


def changes(old: Cell, new: Cell) -> list[str]:
    """
    Why `old` is not `new`, though both mean the same to a person, each reason once.

    What changed of the cells that they rest on is a reason, too.
    """
    reasons = _own_changes(old, new)
    for role, parent in new.parents.items():
        if role in old.parents:
            reasons += changes(old.parents[role].cell, parent.cell)
    return list(dict.fromkeys(reasons))


def _own_changes(old: Cell, new: Cell) -> list[str]:
    """Why one cell is not another, what they rest on left aside."""
    reasons = [f"numeric core {old.core} -> {new.core}"] * (old.core != new.core)
    if old.numerics:
        files = sorted(old.numerics.keys() | new.numerics.keys())
        reasons += [f"{f} changed" for f in files if old.numerics.get(f) != new.numerics.get(f)]
    elif new.numerics:
        reasons.append(OLD)
    refs = {role: ref for role, _, ref in list_refs(old)}
    for role, registry, ref in list_refs(new):
        before = refs.get(role, ref)
        if before.version != ref.version:
            reasons.append(f"version of {ref.name} {before.version} -> {ref.version}")
        elif before.source != ref.source and old.numerics:
            reasons.append(f"{_place(registry, ref.name)} changed")
    if old.data.fingerprint != new.data.fingerprint:
        prints = f"{old.data.fingerprint} -> {new.data.fingerprint}"
        reasons.append(f"the data changed (fingerprint {prints})")
    return reasons


def drift(cells: Iterable[Cell]) -> list[str]:
    """What changed since these cells were planned, each reason once; versions are not looked at."""
    made = {
        (tuple((r.name, r.source) for _, _, r in list_refs(c)), *c.numerics.items()): c
        for c in cells
    }
    return list(dict.fromkeys(why for cell in made.values() for why in changes(cell, now(cell))))


def confirm(cell: Cell) -> None:
    """
    Import the cell's plugins, and see that it is what it was planned to be.

    Raises:
        PluginError: a plugin is missing or broken.
        UsageError: a file that its id covers changed since.
    """
    for each in (*cell.ancestry(), cell):
        for _, registry, ref in list_refs(each):
            registry.load(ref.name)
    if reasons := changes(cell, now(cell)):
        message = f"{', '.join(reasons)} since {cell.slug} was planned; run the suite again"
        raise UsageError(message)


def list_refs(cell: Cell) -> Iterator[tuple[str, Registry[Any], Ref | DataRef]]:
    """The cell's plugins: its field, who finds it, its name."""
    if cell.weights:
        yield "weights", ESTIMATORS, cell.weights
    if cell.activations:
        yield "activations", ESTIMATORS, cell.activations
    yield "backbone", BACKBONES, cell.backbone
    yield "data", DATA, cell.data


def _place(registry: Registry[Any], name: str) -> str:
    origin = registry.origins().get(name)
    place = origin.place if origin else f"plugin {name}"
    return f"{place}, or what it imports," if registry.files_beside(name) else place
