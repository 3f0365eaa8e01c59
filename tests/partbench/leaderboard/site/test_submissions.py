"""What the site shows of rows that others submitted."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from planted_cells import cell, rows

from partbench.leaderboard.site.build import SiteMaterial, site_pages
from partbench.leaderboard.site.data import site_data
from partbench.leaderboard.sources import Sources
from partbench.names import FIRST_PARTY
from partbench.results.provenance import now, sha256
from partbench.results.store import write_cell
from partbench.results.submission_history import SELF_REPORTED, VERIFIED, WITHDRAWN, SubmissionEvent, record


def add(results: Path, explainer: str, *statuses: str, owner: str = FIRST_PARTY) -> str:
    made = cell(explainer=explainer, distribution=owner)
    found = [row | {"unit_kind": "all" if row["unit"] == "all" else "image"} for row in rows([0.25, 0.75])]
    path = write_cell(results, found, made)
    file, digest = path.relative_to(results).as_posix(), sha256(path)
    record(results, [SubmissionEvent(made.key, file, digest, one, "Ann", now(), "", "<b>why") for one in statuses])
    return made.key


@pytest.fixture
def results(tmp_path: Path) -> Path:
    folder = tmp_path / "results"
    for name in ("ours", "srae"):
        add(folder, name)
    return folder


def pages(results: Path) -> dict[str, str]:
    return site_pages(site_data(Sources.of(results)), SiteMaterial())


def test_self_reported_rows_are_in_a_section_of_their_own_and_change_nothing_else(results: Path) -> None:
    before = pages(results)
    add(results, "srae", SELF_REPORTED, owner="their.py")
    after = pages(results)
    home, section = after["index.html"].split("<section id=self-reported>")
    assert "srae [their.py]" not in re.sub("<wbr>", "", home)
    assert "srae [their.py]</a> ◇" in re.sub("<wbr>", "", section)
    assert "0.500" in section
    assert home == before["index.html"].split("</main>")[0].rstrip() + "\n"
    for name in ("compare.html", "scatter.html", "metrics.html", "explainers/srae.html", "explainers/ours.html"):
        assert after[name] == before[name], name
    (page,) = set(after) - set(before)
    assert "This explainer is on no board" in after[page]
    assert after["explainers.html"].count("Self-reported or withdrawn") == 1


def test_the_history_of_withdrawn_and_verified_cells_is_on_the_page_of_the_explainer(results: Path) -> None:
    gone, good = add(results, "gone", VERIFIED, WITHDRAWN), add(results, "good", SELF_REPORTED, VERIFIED)
    made = pages(results)
    for name, key, last in (("gone", gone, "withdrawn"), ("good", good, "verified")):
        history = made[f"explainers/{name}.html"].partition("<h2 id=history>")[2]
        lines = [line for line in history.splitlines() if key in line]
        assert [f"<td>{last}<td>" in line for line in lines] == [False, True]
        assert "&lt;b&gt;why" in lines[0]
    assert "id=scores" in made["explainers/good.html"]
    assert "id=scores" not in made["explainers/gone.html"]
    assert "gone" not in made["index.html"]
