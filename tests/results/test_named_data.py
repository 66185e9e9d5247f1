"""A record names no data of the reader's, but below the data folder or in a suite that they ran."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from bench.errors import DataError
from bench.planning import planner
from bench.results import cell_folders, named_data, plan_owner
from bench.results.named_data import refuse_elsewhere
from bench.spec.cell import Cell


@pytest.fixture
def cell(tiny: Path) -> Cell:
    return planner.plan(tiny).cells[0]


def naming(cell: Cell, path: str) -> Cell:
    """The cell, of images that lie there."""
    data = cell.data.model_copy(update={"name": "folder", "params": {"path": path}})
    return cell.model_copy(update={"data": data})


@pytest.mark.parametrize("path", ["/etc", "../secret", "~/photos", "/", "a/../../b"])
def test_a_path_elsewhere_is_refused(cell: Cell, tmp_path: Path, path: str) -> None:
    """Absolute, upwards or of the home folder: nothing is opened for a stranger's record."""
    with pytest.raises(DataError, match="outside of the data folder"):
        refuse_elsewhere(naming(cell, path), tmp_path, tmp_path / "data")


def test_data_below_the_folder_or_of_an_own_suite_is_read(
    cell: Cell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By whatever path it is written; and other data sets name none."""
    data, far = tmp_path / "data", naming(cell, "/etc")
    for path in ("photos", f"{data}/photos", "a/../photos"):
        refuse_elsewhere(naming(cell, path), tmp_path, data)
    refuse_elsewhere(cell, tmp_path, data)
    refuse_elsewhere(far, tmp_path, Path("/"))

    monkeypatch.setattr(cell_folders, "read_plans", lambda _: [SimpleNamespace(possible=[far])])
    monkeypatch.setattr(plan_owner, "is_own", lambda _: True)
    named_data.refuse_elsewhere(far, tmp_path, data)
