from __future__ import annotations

from pathlib import Path

from planted_cells import cell, rows

from partbench.leaderboard.everything import SiteWanted, stale_files, write_everything
from partbench.leaderboard.site.facts import Fact, Facts
from partbench.results.store import write_cell


def facts() -> Facts:
    return Facts({"explainers": {"srae": Fact(what="It explains.")}})


def nobody_asks() -> Facts:
    raise AssertionError("plugins were asked without a site")


def test_what_was_written_is_not_stale_and_what_was_changed_is_named(tmp_path: Path) -> None:
    results, folder = tmp_path / "results", tmp_path / "leaderboards"
    write_cell(results, rows([0.1, 0.2, 0.3]), cell())
    written = write_everything(results, SiteWanted(facts))
    assert folder / "fauna.md" in written
    assert written[-1] == folder / "site" / "index.html"
    assert stale_files(results, facts) == ([], [])
    assert stale_files(results, Facts).site == ["explainers.html", "explainers/srae.html"]
    (folder / "fauna.csv").write_text("changed")
    assert stale_files(results, facts) == (["fauna.csv"], [])


def test_plugins_are_asked_for_a_site_only(tmp_path: Path) -> None:
    write_cell(tmp_path / "results", rows([0.1, 0.2, 0.3]), cell())
    write_everything(tmp_path / "results")
    assert stale_files(tmp_path / "results", nobody_asks) == ([], [])
    assert not (tmp_path / "leaderboards" / "site").exists()
