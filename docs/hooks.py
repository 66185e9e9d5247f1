"""What mkdocs calls: pages and figures made from the code join the pages by hand."""

import io
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from rich.console import Console

import bench
from bench.leaderboard import saved
from bench.leaderboard.tables import terminal
from bench.report.figures.style import encode
from docs import commands, gallery, notebook, table3, tables

RESULTS = Path(__file__).parent.parent / "results"
WIDTH = 106


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Every estimator has a place in the navigation; of small tensors one thread is fastest."""
    torch.set_num_threads(1)
    places = ["estimators/index.md", *(f"estimators/{name}.md" for name in gallery.shipped())]
    assert config.nav
    config.nav[-1] = {"Estimators": places}
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what is generated."""
    made = {
        "commands.md": commands.page(),
        "python.md": notebook.page(),
        "table3.md": table3.page(),
        "leaderboard.svg": leaderboard(),
        "budget-mini-recipe.svg": figure("budget-mini", "recipe"),
        "budget-accuracy.svg": figure("budget", "accuracy", "epochs=10"),
        "budget-recipe.svg": figure("budget", "recipe", "epochs=3,10"),
    }
    for path, text in (made | dict(gallery.pages())).items():
        files.append(File.generated(config, path, content=text))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Put tables in the places that pages have for them: `{{ Suite }}`."""
    if "{{ " not in markdown:
        return markdown
    known = tables.tables()
    return re.sub(r"^{{ (\w+) }}$", lambda found: known[found[1]], markdown, flags=re.MULTILINE)


def leaderboard() -> str:
    """The first section of the results that ship, without notes, as a terminal shows it."""
    _, board, _ = saved.board(RESULTS / "cifar10-partial", "cifar10-partial", stale=True)
    board = replace(board, sections=board.sections[:1], notes=[])
    console = Console(width=WIDTH, record=True, file=io.StringIO(), color_system="truecolor")
    console.print(terminal.table(board, WIDTH))
    image = console.export_svg(title="bench leaderboard cifar10-partial")
    return re.sub(r"@font-face {.*?}\n?", "", image, flags=re.DOTALL)  # which would be fetched


def figure(suite: str, kind: str, rows: str = "") -> str:
    """One figure of a suite in `results/budget`, as `bench plot` draws it."""
    (drawn,) = bench.plot(suite, kind=kind, results=RESULTS / "budget", filter=rows).values()
    return encode(drawn, "svg").decode()
