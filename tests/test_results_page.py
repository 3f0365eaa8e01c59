"""docs/results.md and README: what they say of reading results with other programs runs as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from planted_cells import cell, rows

from partbench.results.index import rebuild
from partbench.results.store import write_cell

REPOSITORY = Path(__file__).resolve().parents[1]
PAGE = (REPOSITORY / "docs" / "results.md").read_text()
README = (REPOSITORY / "README.md").read_text()


def blocks(text: str) -> list[str]:
    """The blocks of Python of a Markdown text."""
    return re.findall(r"^```python\n(.*?)^```$", text, re.S | re.M)


def one_with(text: str, words: str) -> str:
    (block,) = [block for block in blocks(text) if words in block]
    return block


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with results of two explainers, indexed."""
    for explainer, value in (("srae", 1.0), ("nn", 3.0)):
        values = [row | {"unit_kind": "image"} for row in rows([value, value + 0.5], metric="accuracy")]
        write_cell(tmp_path / "results", values, cell(explainer=explainer))
    rebuild(tmp_path / "results")
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("library", ["pandas", "polars", "duckdb"])
def test_each_library_reads_the_index_as_the_page_says(library: str, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip(library)
    exec(compile(one_with(PAGE, f"import {library}\n"), library, "exec"), {})
    printed = capsys.readouterr().out
    assert "srae" in printed
    assert "1.25" in printed
    assert "3.25" in printed


@pytest.mark.usefixtures("here")
def test_the_lines_of_the_readme_read_the_index() -> None:
    imports, _, *lines = one_with(README, "pandas.read_parquet").splitlines()
    assert imports == "import duckdb, pandas, polars"
    assert len(lines) == 3
    for line in lines:
        library = line.partition(".")[0]
        found = eval(line, {library: pytest.importorskip(library)})
        assert len(found) == 2


@pytest.mark.usefixtures("here")
def test_results_are_loaded_as_the_page_says() -> None:
    names: dict[str, object] = {}
    exec(one_with(PAGE, "import load_evidence"), names)
    assert [len(names[name]) for name in ("scores", "of_images", "values")] == [2, 4, 6]  # type: ignore[arg-type]
