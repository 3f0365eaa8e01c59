from __future__ import annotations

import csv
import io
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from planted_cells import cell, rows
from planted_results import TASKS, on_all_tasks, planted, row

from partbench.errors import InputError
from partbench.leaderboard import build
from partbench.leaderboard.build import pages, publish, stale_pages, write_pages
from partbench.leaderboard.sources import Sources
from partbench.leaderboard.standings import standings
from partbench.results.schema import Cell
from partbench.results.store import load_evidence, write_cell


def many() -> list[dict[str, Any]]:
    rows = [*on_all_tasks("srae", 0.2), *on_all_tasks("nn", 0.5), *on_all_tasks("still", 0.4, control="floor")]
    rows += on_all_tasks("srae", 0.9, metric="masked_accuracy@gamma=0.01", higher_is_better=True)
    return [*rows, *(row("nn", c, None, metric="accuracy", status="skipped", reason="no logits | <b>") for c in TASKS)]


def sources(rows: list[dict[str, Any]]) -> Sources:
    return Sources(*planted(rows))


VERDICTS = {("locality", "fauna"): "screens only"}


def test_pages_depend_on_the_rows_and_not_on_their_order() -> None:
    table, images = planted(many())
    shuffled = Sources(table.sample(frac=1, random_state=0), images.sample(frac=1, random_state=1))
    assert pages(Sources(table, images), VERDICTS) == pages(shuffled, VERDICTS)


def test_pages_are_stale_when_results_or_pages_change(tmp_path: Path) -> None:
    made = sources(many())
    every = ["claims.csv", "claims.md", "fauna.csv", "fauna.md", "fauna/multi.each.md"]
    assert stale_pages(tmp_path, made, {}) == every
    assert sorted(str(path.relative_to(tmp_path)) for path in write_pages(tmp_path, made, {})) == every
    assert stale_pages(tmp_path, made, {}) == []
    assert stale_pages(tmp_path, made, VERDICTS) == ["claims.csv", "fauna.md", "fauna/multi.each.md"]
    assert stale_pages(tmp_path, sources([*many(), *on_all_tasks("sae", 0.3)]), {}) == every
    wider = made.evidence.assign(value=made.evidence["value"] + np.resize([-1.0, 1.0], len(made.evidence)))
    assert stale_pages(tmp_path, Sources(made.results, wider), {}) == [name for name in every if name != "fauna.md"]


def test_pages_without_results_are_stale_until_pages_are_written_again(tmp_path: Path) -> None:
    made, (page, gone, other) = sources(many()), (tmp_path / name for name in ("fauna.md", "gone.md", "README.md"))
    write_pages(tmp_path, made, {})
    (tmp_path / "fauna.csv").write_text("edited by hand")
    other.write_text("not generated")
    gone.write_bytes(page.read_bytes())
    (tmp_path / "fauna" / "gone.md").write_bytes(page.read_bytes())
    assert stale_pages(tmp_path, made, {}) == ["fauna.csv", "fauna/gone.md", "gone.md"]
    write_pages(tmp_path, made, {}, ["fauna"])
    assert stale_pages(tmp_path, made, {}) == ["gone.md"]  # it is of another dataset
    write_pages(tmp_path, made, {})
    assert stale_pages(tmp_path, made, {}) == []
    assert other.exists()


def test_pages_made_from_files_are_those_made_from_their_rows(tmp_path: Path) -> None:
    table, images = planted(many())
    images["value"] = images["value"].astype(np.float32)
    rows = pd.DataFrame(many()).assign(run_id="r", partbench_version="0.1.0")
    of_images = rows.merge(images[["cell", "metric", "unit", "value"]], on=["cell", "metric"], suffixes=("_all", ""))
    rows = pd.concat([rows, of_images[rows.columns].assign(unit_kind="image")]).drop(columns="cell")
    for (explainer, task, seed), group in rows.groupby(["explainer", "task", "seed"]):
        category = str(task).partition(":")[2]
        made = Cell(
            str(explainer), "partbench", "1", {}, str(task), "1", "fauna", category, "small_vgg", "f", int(seed)
        )
        write_cell(tmp_path, group, made)
    assert len(load_evidence(tmp_path)) == len(images) > 1000
    read, made = pages(Sources.of(tmp_path), {}), pages(Sources(table, images), {})
    claims = [pd.read_csv(io.StringIO(some.pop("claims.csv"))).drop(columns="cells") for some in (read, made)]
    assert read == made
    pd.testing.assert_frame_equal(*claims)  # cells are files here, and keys of cells there


def test_no_results_make_no_pages() -> None:
    assert pages(sources([]), {}) == {}
    assert standings(*planted([])).empty


def test_a_folder_that_cannot_be_written_is_the_users_mistake(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write"):
        write_pages(tmp_path / "file", sources(many()), {})


def test_leaderboards_need_no_torch() -> None:
    code = "import sys, partbench.leaderboard.build; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_pages_are_made_again_if_results_change_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_cell(tmp_path / "results", rows([1.0]), cell())
    made = []

    def with_another_cell(folder: Path, made_of: Sources, *others: Any) -> list[Path]:
        if not made:  # another run finishes a cell while the first pages are made
            write_cell(tmp_path / "results", rows([2.0]), cell(explainer="late"))
        made.append(len(made_of.results))
        return write_pages(folder, made_of, *others)

    monkeypatch.setattr(build, "write_pages", with_another_cell)
    publish(tmp_path / "results", tmp_path / "leaderboards")
    assert made == [1, 2]
    assert stale_pages(tmp_path / "leaderboards", Sources.of(tmp_path / "results"), {}) == []


def test_no_older_page_takes_the_place_of_a_newer_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow process reads results before a cell is added; the process that added it must publish last."""
    write_cell(tmp_path / "results", rows([1.0]), cell())
    reading, added = threading.Event(), threading.Event()

    def slow(*what: Any) -> list[Path]:
        if threading.current_thread() is not threading.main_thread():
            reading.set()
            added.wait(10)
        return write_pages(*what)

    monkeypatch.setattr(build, "write_pages", slow)
    monkeypatch.setattr(build, "_ATTEMPTS", 1)
    places = tmp_path / "results", tmp_path / "leaderboards"
    other = threading.Thread(target=publish, args=places)
    other.start()
    assert reading.wait(10)
    write_cell(tmp_path / "results", rows([2.0]), cell(explainer="late"))
    threading.Timer(0.2, added.set).start()
    publish(*places)
    other.join()
    assert "late" in (tmp_path / "leaderboards" / "fauna.md").read_text()


OURS = r"\.\./docs/claims\.md|\.\./results/|(\.\./)?([\w.~=+@-]+/)?[\w.~=+@-]+\.(md|csv)\)"  # links of pages
HOSTILE = [
    "=cmd|' /C calc'!A0",
    "+1",
    "-1",
    "@SUM(A1)",
    "a\u202ee\x1b[2J",
    "<img src=x>",
    "[l](http://u)",
    "# h",
    "\t=1",
]


@pytest.mark.parametrize("column", ["explainer", "variant", "category", "performer", "metric", "reason", "dataset"])
def test_texts_of_results_stay_texts_in_pages(column: str) -> None:
    hostile = [
        row(f"other{number}", category, 0.3) | {column: text, "reason": text, "cell": f"{category} {number}!"}
        for number, text in enumerate(HOSTILE)
        for category in TASKS
    ]
    for name, page in pages(sources([*many(), *hostile]), {}).items():
        assert not set("\x1b\u202e\t\r") & set(page)
        assert name.count("/") <= 1
        assert ".." not in Path(name).parts
        if name.endswith(".csv"):
            cells = [one for line in csv.reader(io.StringIO(page)) for one in line]
            texts = [one for one in cells if not one.lstrip("-").replace(".", "").replace("e-", "").isdigit()]
            assert not any(one.startswith(("=", "+", "-", "@")) for one in texts)
        else:
            assert "<img" not in page
            assert not re.search(rf"(?<!\\)\]\((?!{OURS})", page)
            assert "http://" not in page
            assert [line for line in page.splitlines() if line.startswith("# h")] == []
