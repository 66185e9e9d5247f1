"""`bench new results-repository`: a repository that takes results of others by pull request."""

from importlib.resources import files
from pathlib import Path

from bench import __version__
from bench.base.files import write_file
from bench.errors import UsageError

WORKFLOWS = ("check.yml", "comment.yml", "publish.yml")


def write_repository(folder: Path) -> list[Path]:
    """
    Write its files, below `folder`; returns their paths.

    Raises:
        UsageError: one of them is there; nothing was written.
        EnvironmentProblem: one cannot be written.
    """
    shipped = files("bench.cli") / "repository"
    contents = {f".github/workflows/{name}": shipped / name for name in WORKFLOWS}
    texts = {name: source.read_text(encoding="utf-8") for name, source in contents.items()}
    texts["README.md"] = (shipped / "README.md").read_text(encoding="utf-8")
    texts["requirements.txt"] = f"signbench=={__version__}\n"
    texts["submissions/.gitkeep"] = ""
    paths = {folder / name: text for name, text in texts.items()}
    if there := [path for path in paths if path.exists()]:
        message = f"`{there[0]}` is there already; name a new folder"
        raise UsageError(message)
    return [write_file(path, text) for path, text in paths.items()]
