"""`bench leaderboard` and what runs before it: which cells pages show, and what damaged ones do to them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from planted_cells import cell, rows

import partbench
from partbench.cli.main import main
from partbench.results.store import load_results, write_cell

PLUGIN = """
from dataclasses import dataclass
from typing import ClassVar

import partbench
from neighbour import VALUE
from partbench import Explainer, Explanation, Images


@dataclass
class Mine(Explainer):
    name: ClassVar[str] = "mine"

    def explain(self, images: Images) -> Explanation:
        return Explanation(scores=images.pixels.mean((2, 3)))

    def report(self) -> dict[str, float]:
        return {"neighbours_value": VALUE}

    def fit(self, task):
        pass


@partbench.hookimpl
def register_explainers(register):
    register(Mine)
"""


def leaderboard(folder: Path, *words: str) -> Result:
    return CliRunner().invoke(main, ["leaderboard", "--results", str(folder / "results"), *words])


def test_the_page_shows_the_code_that_was_run_last_be_it_older(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(PLUGIN)
    shown = []
    for value in (1, 2, 1, 2):
        # of another size each time: Python tells by size and whole seconds whether its compiled copy is stale
        (tmp_path / "neighbour.py").write_text(f"VALUE = {value}.25\n" + "\n" * len(shown))
        partbench.run(tmp_path / "mine.py", "fauna/multi:bird", results=tmp_path / "results")
        assert leaderboard(tmp_path).exit_code == 0
        page = (tmp_path / "leaderboards" / "fauna" / "multi.each.md").read_text()
        shown.append([known for known in ("1.250", "2.250") if known in page])
        assert leaderboard(tmp_path, "--check").exit_code == 0
    assert shown == [["1.250"], ["2.250"], ["1.250"], ["2.250"]]
    assert load_results(tmp_path / "results")["cell"].nunique() == 2


def test_a_damaged_cell_is_left_out_with_a_warning_of_one_line(tmp_path: Path) -> None:
    path = write_cell(tmp_path / "results", rows([1.0]), cell())
    write_cell(tmp_path / "results", rows([2.0]), cell(explainer="whole"))
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 16
    path.write_bytes(data)
    found = leaderboard(tmp_path)
    assert found.exit_code == 0
    [line] = found.stderr.splitlines()
    assert line.startswith(f"bench: warning: ignored '{path}': its bytes are not those that were written")
    assert line.endswith("; run its cell again, which makes the file anew, or remove it")
    page = (tmp_path / "leaderboards" / "fauna.md").read_text()
    assert "whole" in page
    assert "srae" not in page


@pytest.mark.parametrize("content", [b"", b"PAR1" * 5, b"hello"])
def test_showing_a_damaged_cell_costs_one_line(tmp_path: Path, content: bytes) -> None:
    path = write_cell(tmp_path / "results", rows([1.0]), cell())
    path.write_bytes(content)
    found = CliRunner().invoke(main, ["show", str(path), "--results", str(tmp_path / "results")])
    assert found.exit_code == 2
    assert len(found.stderr.splitlines()) == 1
    assert found.stderr.startswith(f"bench: cannot read '{path}'")
    assert "run its cell again, which makes the file anew" in found.stderr


@pytest.fixture
def scored(tmp_path: Path) -> Path:
    write_cell(tmp_path / "results", rows([0.5, 0.25]), cell())
    return tmp_path


def test_a_site_is_written_and_checked_with_the_pages(scored: Path) -> None:
    done = leaderboard(scored, "--site")
    site = scored / "leaderboards" / "site"
    assert done.exit_code == 0
    assert done.output.splitlines()[-1] == str(site / "index.html")
    page = (site / "explainers" / "srae.html").read_text()
    assert "Sparse reconstruction autoencoder" in page
    assert "@article{srae," in page
    assert not re.search("0x[0-9a-f]{6}|function", page)
    assert leaderboard(scored, "--check").exit_code == 0
    (site / "index.html").write_text("changed")
    stale = leaderboard(scored, "--check")
    assert stale.exit_code == 1
    assert "stale in site/: index.html; run `bench leaderboard --site`" in stale.output


def test_a_site_is_written_where_plugins_cannot_be_listed(scored: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/bin/false")
    done = leaderboard(scored, "--site")
    assert done.exit_code == 0
    assert "plugins cannot be listed" in done.output
    assert "not installed here" in (scored / "leaderboards" / "site" / "explainers" / "srae.html").read_text()


def test_photographs_are_about_a_site(scored: Path) -> None:
    found = leaderboard(scored, "--with-photographs")
    assert found.exit_code == 2
    assert "add --site" in found.output
