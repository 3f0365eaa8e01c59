from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from planted_results import TASKS, frame, on_all_tasks, row

from partbench.errors import InputError
from partbench.leaderboard.build import pages, stale_pages, write_pages
from partbench.leaderboard.standings import standings
from partbench.results.schema import Cell
from partbench.results.store import load_results, write_cell


def many() -> list[dict[str, Any]]:
    rows = [*on_all_tasks("srae", 0.2), *on_all_tasks("nn", 0.5), *on_all_tasks("still", 0.4, control="floor")]
    rows += on_all_tasks("srae", 0.9, metric="masked_accuracy@gamma=0.01", higher_is_better=True)
    return [*rows, *(row("nn", c, None, metric="accuracy", status="skipped", reason="no logits | <b>") for c in TASKS)]


def test_pages_depend_on_the_rows_and_not_on_their_order() -> None:
    table = frame(many())
    assert pages(table) == pages(table.sample(frac=1, random_state=0))


def test_pages_are_stale_when_results_or_pages_change(tmp_path: Path) -> None:
    table = frame(many())
    assert stale_pages(tmp_path, table) == ["fauna.csv", "fauna.md"]
    assert [path.name for path in write_pages(tmp_path, table)] == ["fauna.md", "fauna.csv"]
    assert stale_pages(tmp_path, table) == []
    changed = frame([*many(), *on_all_tasks("sae", 0.3)])
    assert stale_pages(tmp_path, changed) == ["fauna.csv", "fauna.md"]
    (tmp_path / "fauna.csv").write_text("edited by hand")
    (tmp_path / "README.md").write_text("not generated")
    (tmp_path / "gone.md").write_bytes((tmp_path / "fauna.md").read_bytes())
    assert stale_pages(tmp_path, table) == ["fauna.csv", "gone.md"]


def test_pages_made_from_files_are_those_made_from_their_rows(tmp_path: Path) -> None:
    rows = pd.DataFrame(many()).drop(columns="cell").assign(run_id="r", partbench_version="0.1.0")
    for (explainer, task, seed), group in rows.groupby(["explainer", "task", "seed"]):
        category = str(task).partition(":")[2]
        made = Cell(
            str(explainer), "partbench", "1", {}, str(task), "1", "fauna", category, "small_vgg", "f", int(seed)
        )
        write_cell(tmp_path, group, made)
    assert pages(load_results(tmp_path)) == pages(frame(many()))


def test_no_results_make_no_pages() -> None:
    assert pages(frame([])) == {}
    assert standings(frame([])).empty


def test_a_folder_that_cannot_be_written_is_the_users_mistake(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write"):
        write_pages(tmp_path / "file", frame(many()))


def test_leaderboards_need_no_torch() -> None:
    code = "import sys, partbench.leaderboard.build; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
