"""A browser, and a site of planted results that it opens from the disk."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from planted_results import cell, planted

from partbench.leaderboard.site.build import SiteMaterial, write_site
from partbench.leaderboard.site.claim_pages import Claim, ClaimLine
from partbench.leaderboard.site.data import SiteData, site_data
from partbench.leaderboard.site.facts import facts_of
from partbench.leaderboard.site.metric_pages import CardTables
from partbench.leaderboard.sources import Sources

HOSTILE = "</script><script>window.hurt=1</script><img src=x onerror='window.hurt=1'><!--{{7*7}}"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def results() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows and evidence of images: five explainers, two metrics, three tasks with three seeds each."""
    rows = []
    for name, mean in {"srae": 0.2, "nn": 0.3, HOSTILE: 0.25, "floor_map": 0.9, "=1+1": 0.4}.items():
        usual = {"low": mean - 0.01, "high": mean + 0.01, "network": ""}
        usual |= {"control": "floor" if name == "floor_map" else ""}
        for task, seed in itertools.product(range(3), range(3)):
            rows += cell(name, task, seed, {"locality": mean, "location_instability": mean}, **usual)
    table, images = planted(rows)
    return table.assign(fit_seconds=2.5, explain_seconds=0.4, peak_memory_mb=900.0), images


@pytest.fixture(scope="session")
def evidence(results: tuple[pd.DataFrame, pd.DataFrame]) -> SiteData:
    return site_data(Sources(*results))


@pytest.fixture(scope="session")
def material() -> SiteMaterial:
    option = {"name": "beta", "default": "<b>3</b>", "type": "float"}
    listing = {"explainers": [{"name": "srae", "what": f"What {HOSTILE}", "source": "A paper.", "options": [option]}]}
    verdict = {"dataset": "fauna", "verdict": "screens only", "reason": f"why {HOSTILE}"}
    card = CardTables([verdict], {"Cheats": [{"cheat": HOSTILE, "value": 0.5, "best": True, "": None}]})
    numbers = (0.1, 0.1, 0.12, 0.2, 0.15, 0.25)
    line = ClaimLine(
        "fauna/*", HOSTILE, *numbers, "holds", "stronger", "0 1", False, 20, [HOSTILE], ["fauna/a.parquet"]
    )
    claim = Claim("c/1", "srae", "table 1", f"lower {HOSTILE}", "cub", "ratio", [line])
    return SiteMaterial(facts_of(listing), {"locality": card}, [claim])


@pytest.fixture(scope="session")
def site(evidence: SiteData, material: SiteMaterial, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    write_site(folder, evidence, material)
    return folder


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        pytest.skip(f"none of {', '.join(BROWSERS)} is installed (Debian: apt-get install chromium)")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def visit(browser: Any) -> Iterator[Callable[..., Any]]:
    """Open a page of the disk; after the test, no script has failed and nothing was asked of the network."""
    contexts: dict[str, Any] = {}
    errors: list[str] = []
    requests: list[str] = []

    def go(path: Path, anchor: str = "", **options: Any) -> Any:
        key = repr(sorted(options.items()))
        if key not in contexts:
            contexts[key] = browser.new_context(**{"viewport": {"width": 1280, "height": 900}} | options)
        page = contexts[key].new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
        page.on("request", lambda request: requests.append(request.url))
        page.goto(path.as_uri() + anchor)
        return page

    yield go
    for context in contexts.values():
        context.close()
    assert not errors
    assert requests
    assert all(url.startswith("file://") for url in requests)
