"""What lies there is what was measured, or it is said."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from samples import ORIGIN, snapshot

from bench.base.files import write_file
from bench.cli import streams
from bench.execution import cell_run
from bench.execution.job import Job
from bench.planning import planner
from bench.registry import ESTIMATORS, REGISTRIES
from bench.results import cell_folders, source_digest, store
from bench.spec.cell_status import CellStatus
from bench.train import checkpoint

Ask = Callable[..., tuple[int, str, str]]


@pytest.fixture
def root(measured: Path, tmp_path: Path) -> Path:
    """A copy that may be damaged."""
    return Path(shutil.copytree(measured, tmp_path / "results"))


def test_what_was_measured_is_verified(measured: Path, ask: Ask) -> None:
    """Record, weights and accuracy of every cell, a line each, then a summary."""
    code, out, err = ask("verify", "--results", measured)
    lines = out.splitlines()

    assert (code, err) == (0, "")
    assert len(lines) == 3
    for line in lines[:2]:
        assert "record" in line
        assert "last weights" in line
        assert (
            f"last {100 * (cell_folders.find_record(measured, line[8:14]).last_acc or 0):.2f} %"
            in line
        )
    assert lines[2].startswith("2 cells: 2 as recorded")
    assert "accuracy" not in ask("verify", "--no-accuracy", "tiny", "--results", measured)[1]


def swapped(root: Path) -> str:
    (ste,) = (root / "cells").glob("ste-*")
    (reste,) = (root / "cells").glob("reste-*")
    shutil.copy(reste / "last.safetensors", ste / "last.safetensors")
    return "last.safetensors is not what was recorded: digest"


def cut(root: Path) -> str:
    (path,) = (root / "cells").glob("ste-*/best.safetensors")
    path.write_bytes(path.read_bytes()[:100])
    return "best.safetensors cannot be read"


def edited(root: Path) -> str:
    record = cell_folders.find_record(root, "ste-")
    curve = [*record.curves["test_acc"][:-1], 0.99]
    store.save_record(
        root, record.model_copy(update={"curves": record.curves | {"test_acc": curve}})
    )
    return "accuracy of the last weights is"


def damaged(root: Path) -> str:
    (path,) = (root / "cells").glob("ste-*/record.json")
    path.write_text("{", encoding="utf-8")
    return "its record is damaged"


def moved(root: Path) -> str:
    (home,) = (root / "cells").glob("ste-*")
    home.rename(home.with_name(home.name.replace("-s0__", "-s1__")))
    return "its record is that of `ste-resnet20"


def damaged_checkpoint(root: Path) -> str:
    (path,) = checkpointed(root).glob("checkpoints/*/state.pt")
    path.write_bytes(path.read_bytes()[:-1])
    return "checkpoint 000002-00000001: state.pt is damaged"


def checkpointed(root: Path) -> Path:
    """The folder of a cell that has no record, and a checkpoint."""
    (home,) = (root / "cells").glob("ste-*")
    for path in home.iterdir():
        path.unlink()
    checkpoint.write(home, home.name[-12:], snapshot(), [ORIGIN])
    return home


@pytest.mark.parametrize("harm", [swapped, cut, edited, damaged, moved, damaged_checkpoint])
def test_what_was_changed_is_found(root: Path, ask: Ask, harm: Callable[[Path], str]) -> None:
    """Each harm is named in the cell's line, the others are sound, exit code 3."""
    message = harm(root)
    code, out, _ = ask("verify", "--results", root)

    assert code == 3
    (line,) = [line for line in out.splitlines() if line.startswith("DIFFERS")]
    assert "ste-resnet20" in line
    assert message in line
    assert "2 cells: 1 as recorded" in out
    assert out.strip().endswith("1 DIFFER")


def test_what_cannot_be_checked_is_said(root: Path, ask: Ask, tmp_path: Path) -> None:
    """Weights that were not kept, unfinished cells, and failures are no difference."""
    (ste,) = (root / "cells").glob("ste-*")
    (ste / "last.safetensors").unlink()
    record = cell_folders.find_record(root, "reste-")
    failed = record.model_copy(
        update={"status": CellStatus.FAILED, "reason": "OSError: x", "curves": {}}
    )
    store.save_record(root, failed)
    (root / "cells" / "x__0123456789ab").mkdir()
    code, out, _ = ask("verify", "--results", root)

    assert code == 0
    assert "last weights (not kept)" in out
    assert "nothing was measured: failed, OSError: x" in out
    assert "not     x__0123456789ab: not checked: no record" in out
    assert "3 cells: 2 as recorded where it could be checked, 1 could not be checked" in out


def test_the_checkpoints_of_a_cell_are_checked(root: Path, ask: Ask) -> None:
    """A cell that has yet to end is sound as far as it came."""
    home = checkpointed(root)
    code, out, _ = ask("verify", "--results", root, "--no-accuracy")

    assert code == 0
    assert f"partly  {home.name}: checkpoint 000002-00000001; not checked: no record" in out


@pytest.mark.parametrize(("options", "code"), [([], 0), (["--no-accuracy"], 0), (["--strict"], 3)])
def test_what_other_code_measured_is_not_judged_by_this(
    root: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch, options: list[str], code: int
) -> None:
    """Where a file changed since, accuracy is not measured again, and the file is named."""
    edited(root)
    now = source_digest.numerics() | {"bench/trainer.py": "0"}
    monkeypatch.setattr(source_digest, "numerics", lambda: now)
    ended, out, _ = ask("verify", "--results", root, *options)

    assert ended == code
    assert "not checked: code (bench/trainer.py changed since)" in out
    assert ("the last weights cannot be measured" in out) == bool(code)


def test_without_the_data_digests_are_checked(root: Path, ask: Ask, tmp_path: Path) -> None:
    """Data that is not there is said, of each cell, and what is wrong is found all the same."""
    for record in [cell_folders.find_record(root, name) for name in ("ste-", "reste-")]:
        home = store.cell_path(root, record.cell)
        other = record.cell.data.model_copy(update={"name": "cifar10", "params": {}})
        moved = record.cell.model_copy(update={"data": other})
        home.rename(root / "cells" / moved.slug)
        store.save_record(root, record.model_copy(update={"cell": moved}))
    swapped(root)
    code, out, _ = ask("verify", "--results", root, "--data", tmp_path)

    assert code == 3
    assert "last.safetensors is not what was recorded" in out
    assert "accuracy of the last weights: " in out
    assert "data prepare cifar10" in out


MINE = """\"\"\"Mine.\"\"\"

from bench.plugin import Surrogate


class Mine(Surrogate):
    def value(self, z, _, /):
        return z * 0.5
"""


@pytest.fixture
def own(tiny: Path, tmp_path: Path) -> Path:
    """A results folder of a suite that has a plugin of its own; nobody knows its folder now."""
    file = tmp_path / "plugins" / "mine.py"
    write_file(file, MINE)
    text = tiny.read_text(encoding="utf-8").replace("[ste, reste]", "[mine]")
    tiny.write_text(text.replace("baseline: ste", "plugins: [./plugins]"), encoding="utf-8")
    plan, root = planner.plan(tiny), tmp_path / "results"
    store.save_plan(root, plan)
    job = Job(plan.cells[0], root, "cpu", 1, 1, False, tmp_path, (), (), 60.0)
    cell_run.run(job)
    forget()
    return root


def forget() -> None:
    for registry in REGISTRIES:
        registry.folders.clear()


def test_plugins_of_a_suite_are_found_again(own: Path, ask: Ask) -> None:
    """A suite's own plugins are where its kept plan says, for `bench verify` and `bench eval`."""
    code, out, _ = ask("verify", "--results", own)
    assert (code, "1 as recorded" in out) == (0, True), out
    forget()
    assert ask("verify", "mine-", "--results", own)[1] == out
    forget()
    assert ask("eval", "mine-", "--results", own)[0] == 0


def test_nothing_in_results_is_run(own: Path, ask: Ask) -> None:
    """
    A plan that says its plugins lie among results, which may be anybody's, is not heard.

    The surrogate is gone then, and what it computes forward is sign.
    """
    evil = own / "cells" / "x__0123456789ab" / "checkpoints" / "1"
    write_file(evil / "mine.py", MINE.replace('"""Mine."""', "raise SystemExit('evil')"))
    plan = store.find_plan(own, "tiny")
    store.save_plan(own, plan.model_copy(update={"plugins": [str(evil)]}))
    code, out, _ = ask("verify", "mine-", "--results", own)

    assert (code, "1 as recorded" in out) == (0, True), out
    assert "mine" not in ESTIMATORS.origins()


def test_one_reason_everywhere(
    own: Path, tiny: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever says that a plugin of a suite changed names its file."""
    monkeypatch.setattr(streams.out, "width", streams.UNBOUND)
    file = own.parent / "plugins" / "mine.py"
    file.write_text(MINE.replace("0.5", "0.25"), encoding="utf-8")
    store.save_plan(own, planner.plan(tiny))
    for words in (("leaderboard", "tiny"), ("trace", "tiny"), ("gc",), ("verify",)):
        forget()
        assert f"{file} changed" in ask(*words, "--results", own)[1], words


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("nothing",), "is called `nothing`"),
        (("--results", "/nowhere"), "`/nowhere` is no results folder"),
    ],
)
def test_what_is_not_there(measured: Path, ask: Ask, args: tuple[str, ...], message: str) -> None:
    """One line, exit code 2."""
    code, _, err = ask("verify", "--results", measured, *args)

    assert code == 2
    assert message in err
