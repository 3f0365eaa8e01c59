from __future__ import annotations

import pandas as pd
import pytest
from planted_results import frame, on_all_tasks, row

from partbench.leaderboard.current import current
from partbench.leaderboard.origins import is_own, told_apart


def test_rows_of_partbench_are_own_and_all_others_are_not() -> None:
    rows = frame([row("a", "cat", 1.0), row("b", "cat", 1.0, distribution="b.py"), row("c", "cat", 1, distribution="")])
    assert is_own(rows).tolist() == [True, False, False]
    assert is_own(rows.astype({"distribution": "category"})).tolist() == [True, False, False]
    assert not is_own(rows.assign(distribution=None)).any()


@pytest.mark.parametrize("name", ["srae", "SRAE", "sr\u0430e", "srae\u200b"])
def test_an_explainer_that_looks_like_ours_takes_no_place_and_no_name_of_it(name: str) -> None:
    """The newest cell of an explainer counts: that of a namesake must not."""
    newer = pd.Timestamp("2026-01-01", tz="UTC")
    cheat = on_all_tasks(name, 0.0, distribution="cheat.py", created_at=newer)
    cheat = [one | {"cell": f"cheat {one['cell']}"} for one in cheat]
    found = current(frame([*on_all_tasks("srae", 0.5), *cheat]))
    assert set(found.loc[found["explainer"] == "srae", "value"]) == {0.5}
    [other] = set(found["explainer"]) - {"srae"}
    assert other.isascii()
    assert other in ("srae [cheat.py]", "SRAE [cheat.py]", r"sr\u0430e", r"srae\u200b")


def test_explainers_of_two_strangers_have_their_names_and_an_only_one_keeps_its_own() -> None:
    assert told_apart([("x", "a.py"), ("x", "b.py"), ("y", "a.py")]) == {
        ("x", "a.py"): "x [a.py]", ("x", "b.py"): "x [b.py]", ("y", "a.py"): "y",
    }  # fmt: skip
