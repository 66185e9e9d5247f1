"""A board as a terminal table, Markdown, CSV or JSON. Fractions turn into percent here only."""

import json
import math
from dataclasses import asdict, astuple
from typing import Any, Literal, TypeAlias

import pandas as pd
from rich import box
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from bench.leaderboard import Board, Line, Section
from bench.plain import count, plain
from bench.stats import Estimate

Format: TypeAlias = Literal["rich", "md", "csv", "json"]
RESULT = (
    *("#", "estimator", "acc, %", "n", "lost", "best, %", "top-5, %", "Δ, points", "p"),
    *("untuned, %", "chosen", "published, %"),
)
ESTIMATOR = ("estimator", "formula", "type", "rational", "flexible", "e", "s", "images/s")
LAYOUTS = {  # terminal columns needed → the tables that stand under each other
    200: ((*RESULT[:2], *ESTIMATOR[1:5], *RESULT[2:9], *ESTIMATOR[5:], *RESULT[9:]),),
    90: (RESULT, ESTIMATOR),
    0: (RESULT[:5], (RESULT[1], *RESULT[5:]), ESTIMATOR[:5], (ESTIMATOR[0], *ESTIMATOR[5:])),
}
COLUMNS = LAYOUTS[200][0]
EMPTIABLE = {"Δ, points", "p", "published, %", "e", "s", "formula", "rational", "flexible"}
LEAST = {"chosen": 20}  # columns, so that no word is cut
TUNED = {"untuned, %", "chosen"}  # columns of tuned sections only
NUMERIC = set(COLUMNS) - {"estimator", "formula", "type", "rational", "flexible", "chosen"}


def markdown(board: Board) -> str:
    """One wide table per section, and the notes."""
    parts = [f"# {_md(board.suite)}", ""]
    for section in board.sections:
        tiers = {line.place.tier for line in section.lines if line.place}
        columns = _columns(section, ("tier", *COLUMNS) if len(tiers) > 1 else COLUMNS)
        parts += [
            f"**{_md(_title(section))}**",
            "",
            *([_md(section.recipe), ""] * (section.recipe != "")),
        ]
        parts += ["| " + " | ".join(_md(c) for c in columns) + " |"]
        parts += ["|" + "|".join("--:" if c in NUMERIC else "---" for c in columns) + "|"]
        for line in section.lines:
            words = {column: _md(word) for column, word in _words(line).items()}
            if line in best(section):
                words |= {c: f"**{words[c]}**" for c in ("estimator", "acc, %")}
            parts.append("| " + " | ".join(words[c] for c in columns) + " |")
        parts += ["", *(f"- {_md(text)}" for text in _verdicts(section))]
        parts += [""] * any(_verdicts(section))
    parts += [_md(text) + "\n" for text in _overall(board)]
    parts += [_counts(board), ""]
    return plain("\n".join([*parts, *(f"- {_md(note)}" for note in _notes(board))]) + "\n")


def csv(board: Board) -> str:
    """One record per line, plain numbers, accuracies as fractions."""
    frame = pd.DataFrame([_flat(line) for line in _lines(board)]).astype({"rank": "Int64"})
    return plain(frame.to_csv(index=False))


def as_json(board: Board) -> str:
    """Everything, for machines."""
    return plain(json.dumps(asdict(board), ensure_ascii=False, indent=1, default=_dumped) + "\n")


def _dumped(value: Any) -> Any:
    """A claim as JSON holds it."""
    return value.model_dump(mode="json", exclude_defaults=True)


def rich_table(board: Board, width: int) -> Group:
    """For a terminal of `width` columns: one table, or several under each other."""
    groups = next(groups for needed, groups in LAYOUTS.items() if width >= needed)
    parts: list[Any] = []
    for section in board.sections:
        titles = (f"{board.suite}: {_title(section)}", "", "", "")
        for title, group in zip(titles, groups, strict=False):
            told = {"acc, %", "published, %"} & set(group)  # all that is known of an absent row
            lines = [line for line in section.lines if told or not line.absent]
            if lines:
                parts.append(_table(title, _columns(section, group), lines, best(section)))
        if section.recipe:
            parts.append(Text(f"· {section.recipe}", style="dim"))
        parts += [Text(f"· {text}") for text in _verdicts(section)]
    parts += [Text(text) for text in _overall(board)]
    parts.append(Text(_counts(board), style="bold"))
    parts += [Text(f"· {note}", style="dim") for note in _notes(board)]
    return Group(*parts)


def render(board: Board, form: Format, console: Console) -> None:
    """Print the board; all but `rich` goes out as it is, for pipes."""
    if form == "rich":
        console.print(rich_table(board, console.width))
    else:
        text = {"md": markdown, "csv": csv, "json": as_json}[form](board)
        console.file.write(text)


def best(section: Section) -> list[Line]:
    """The line that is surely better than all others, if there is one."""
    ranked = [line for line in section.lines if line.place]
    return [line for line in ranked[:1] if line.place and line.place.last == 1 < len(ranked)]


def _overall(board: Board) -> list[str]:
    """The estimators over several sections, in a sentence."""
    if board.across is None:
        return []
    a = board.across
    ranks = ", ".join(f"{row} {rank:.2f}" for row, rank in a.ranks.items())
    p = "" if math.isnan(a.p) else f"; Friedman p = {_chance(a.p)}"
    return [
        f"average ranks over {', '.join(a.blocks)}: {ranks}{p}; ranks less than {a.critical:.2f} "
        "apart (Nemenyi, 5 %) cannot be told apart"
    ]


def _chance(p: float) -> str:
    return "<.001" if p < 0.001 else f"{p:.3f}".removeprefix("0")


def _title(section: Section) -> str:
    tuned = ", tuned" if section.tuned else ""
    return f"{section.backbone}, W/A {section.wa}{tuned}"


def _columns(section: Section, columns: tuple[str, ...]) -> tuple[str, ...]:
    """Of these columns the ones that say something of the section."""
    words = [_words(line) for line in section.lines]
    hidden = set[str]() if section.tuned else set(TUNED)
    hidden |= {"top-5, %"} if 0 < section.classes <= 10 else set()
    hidden |= {c for c in EMPTIABLE if all(w[c] == "-" for w in words)}
    return tuple(column for column in columns if column not in hidden)


def _verdicts(section: Section) -> list[str]:
    """Each measured row against what was published for it; rows of one verdict together."""
    rows: dict[str, list[str]] = {}
    for line in section.lines:
        if line.claim and line.verdict:
            number = f"{line.title} {line.claim.acc:.2f} ({line.claim.metric})"
            rows.setdefault(line.verdict, []).append(number)
    return [f"against published {', '.join(names)}: {text}" for text, names in rows.items()]


def _counts(board: Board) -> str:
    stale = f", {board.stale} stale" if board.stale else ""
    return f"{board.recorded} of {count(board.total, 'cell')} recorded{stale}."


def _table(title: str, columns: tuple[str, ...], lines: list[Line], winner: list[Line]) -> Table:
    table = Table(title=Text(title) if title else None, box=box.SIMPLE_HEAD, title_justify="left")
    for column in columns:
        right = column in NUMERIC
        table.add_column(
            column,
            justify="right" if right else "left",
            no_wrap=right,
            overflow="fold",
            min_width=LEAST.get(column),
        )
    tier = 1
    for line in lines:
        words = _words(line)
        style = "bold" if line in winner else "dim" if line.rank is None else ""
        if line.place and line.place.tier > tier:
            table.add_section()
            tier = line.place.tier
        table.add_row(*(Text(words[c]) for c in columns), style=style)
    return table


def _words(line: Line) -> dict[str, str]:
    """A line as people read it."""
    lost = sum(line.lost.values())
    return {
        "tier": str(line.place.tier) if line.place else "-",
        "#": _ranks(line),
        "estimator": line.title,
        "formula": line.formula or "-",
        "type": line.kind or "-",
        "rational": line.rational or "-",
        "flexible": line.flexible or "-",
        "acc, %": line.absent or ("stale" if line.unused and not line.n else _percent(line.acc)),
        "n": str(line.n) + (f" of {len(line.cells)}" if line.n + lost < len(line.cells) else ""),
        "lost": str(lost),
        "best, %": _percent(line.best),
        "top-5, %": _percent(line.top5),
        "Δ, points": _percent(line.difference, sign="+"),
        "p": "-" if line.p is None or math.isnan(line.p) else _chance(line.p),
        "untuned, %": _percent(line.untuned),
        "chosen": line.chosen,
        "e": "-" if line.e is None else f"{line.e:.4g}",
        "s": "-" if line.s is None else f"{line.s:.2e}",
        "images/s": "-" if line.images_per_s is None else f"{line.images_per_s:,.0f}",
        "published, %": _published(line),
    }


def _ranks(line: Line) -> str:
    if line.place is None:
        return "-"
    first, last, _ = astuple(line.place)
    return str(first) if first == last else f"{first}–{last}"


def _published(line: Line) -> str:
    if line.claim is None:
        return "-"
    top5 = "" if line.claim.top5 is None else f" / {line.claim.top5:.2f}"
    return f"{line.claim.acc:.2f}{top5}"


def _percent(value: Estimate | None, sign: str = "") -> str:
    if value is None:
        return "-"
    spread = "" if value.half_width is None else f" ± {100 * value.half_width:.2f}"
    return f"{100 * value.mean:{sign}.2f}{spread}"


def _notes(board: Board) -> list[str]:
    lost = [
        f"lost: {line.label}, {n} of {count(line.n + sum(line.lost.values()), 'seed')}, {reason}"
        for line in _lines(board)
        for reason, n in line.lost.items()
    ]
    stale = [
        f"stale: {line.name} on {line.backbone}, {line.wa}, {n} of "
        f"{count(len(line.cells), 'seed')}, {reason}"
        for line in _lines(board)
        for reason, n in line.stale.items()
    ]
    others = [
        f"* {line.name} on {line.backbone}, {line.wa}: {'; '.join(line.confounds)}"
        for line in _lines(board)
        if line.confounds
    ]
    return [*board.notes, *others, *lost, *stale]


def _lines(board: Board) -> list[Line]:
    return [line for section in board.sections for line in section.lines]


def _flat(line: Line) -> dict[str, Any]:
    row = asdict(line)
    for name in ("acc", "best", "top5", "difference", "untuned"):
        value: Estimate | None = getattr(line, name)
        row[name] = value.mean if value else None
        row[f"{name}_half_width"] = value.half_width if value else None
    for name in ("claim", "place"):
        del row[name]
    row |= asdict(line.place) if line.place else dict.fromkeys(("first", "last", "tier"))
    row["accs"] = " ".join(f"{seed}={acc!r}" for seed, acc in line.accs.items())
    row["confounds"] = "; ".join(line.confounds)
    row["published"] = line.claim.acc if line.claim else None
    row["published_top5"] = line.claim.top5 if line.claim else None
    row["lost"] = sum(line.lost.values())
    row["lost_reasons"] = "; ".join(line.lost)
    row["stale"] = sum(line.stale.values())
    row["unused"] = sum(line.unused.values())
    row["stale_reasons"] = "; ".join([*line.stale, *line.unused])
    row["cells"] = " ".join(line.cells)
    return row


def _md(text: str) -> str:
    """Text that cannot break a Markdown table or smuggle markup into it."""
    for mark in "\\|`*_<>[]#&~$":
        text = text.replace(mark, "\\" + mark)
    return " ".join(text.split())
