"""One start of the browser for all tests of pages."""

from collections.abc import Iterator
from typing import Any

import pytest
from browser import CHROMIUM, QUIET


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """The browser; tests that ask for it are skipped where there is none."""
    api = pytest.importorskip("playwright.sync_api", reason="no playwright")
    if CHROMIUM is None:
        pytest.skip("no chromium")
    with api.sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield found
        found.close()
