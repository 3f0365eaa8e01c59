"""docs/metrics.md: its oracles and thresholds are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

from partbench.leaderboard.metric_cards import rules
from partbench.leaderboard.metric_cards.tables import OPPOSES, REPEATS
from partbench.running.planted.oracles import DOSES, ORACLES

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "metrics.md").read_text()
TEXT = " ".join(PAGE.split())


def test_the_table_of_oracles_names_those_of_the_code() -> None:
    found = {}
    for line in PAGE.splitlines():
        if match := re.match(r"\| `(\w+)` \| .* \| ([^|]*) \|$", line):
            found[match[1]] = tuple(re.findall(r"`(\w+)`", match[2]))
    assert found == {oracle.name: oracle.metrics for oracle in ORACLES}


def test_thresholds_are_those_of_the_rules() -> None:
    assert (rules.LEAST_TAU, rules.SURE_TAU) == (0.5, 1 / 3)
    assert "is below .5, or the low end of its interval is below 1/3; or tau between two seeds is below .5" in TEXT
    assert (rules.LEAST_SEPARATED, rules.LEAST_NOTICED) == (0.5, 0.5)
    assert "fewer than half of the pairs of explainers are separated" in TEXT
    assert "in at most half of the cases" in TEXT
    assert (REPEATS, OPPOSES) == (0.9, -0.5)
    assert "it repeats (tau .9 or more) or opposes (tau -.5 or less)" in TEXT
    assert DOSES == (0, 0.25, 0.5, 0.75, 1)
    assert "for d = 0, .25, .5, .75 and 1" in TEXT


def test_the_verdicts_are_explained() -> None:
    for verdict in (rules.RANKS, rules.SCREENS, rules.NOT_HERE):
        assert f"| **{verdict}** |" in PAGE
