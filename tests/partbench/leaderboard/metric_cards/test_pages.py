"""Pages of cards: functions of results and planted runs alone, to the byte."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from cards_sources import METRIC, cheat, oracle, planted, random_weights, results, sources
from planted_cells import cell, rows
from planted_results import flat

from partbench.errors import InputError
from partbench.leaderboard.metric_cards.card import CHEATS, DOSE, IMAGES, LIMITS, ORDERS, OTHERS, WEIGHTS, Cards
from partbench.leaderboard.metric_cards.pages import card_pages, shown, stale_cards, write_cards
from partbench.leaderboard.sources import Sources
from partbench.results.planted import CHEAT
from partbench.results.store import write_cell


def test_a_page_for_each_metric_its_picture_and_the_index_are_made() -> None:
    made = card_pages(Cards(sources()))
    assert set(made) == {"README.md", f"{METRIC}.md", f"{METRIC}.svg"}
    assert f"| [{METRIC}]({METRIC}.md) ↑ | fauna | **ranks** |" in flat(made["README.md"])


def test_a_card_holds_the_numbers_that_it_is_made_of() -> None:
    page = flat(card_pages(Cards(sources()))[f"{METRIC}.md"])
    assert "* **fauna: ranks.** Tau 1.00 between categories" in page
    assert "| fauna/multi:bird | 0.950 | 0.700 | 0.500 | 0.300 | 0.100 | 0.050 |" in page
    assert "| fauna/multi:bird | 0.950 | d | 0.800 | random_maps | 0.200 |" in page
    assert "| a | fauna/multi:bird | 0.600 | 0.350 | 0.100 | yes |" in page
    assert "| fauna | categories | 1.000 | 1.000 | 1.000 | 4 | 6 |" in page
    assert "| copied_logit | 0.100 | no | yes |" in page


def test_bytes_do_not_depend_on_the_order_of_rows() -> None:
    given = sources()
    frames = (table.sample(frac=1, random_state=7) for table in (given.results, given.evidence, given.planted_runs))
    assert card_pages(Cards(Sources(*frames))) == card_pages(Cards(given))


def test_stale_absent_and_orphaned_cards_are_named(tmp_path: Path) -> None:
    assert stale_cards(tmp_path, Cards(sources())) == [
        "metrics/README.md",
        f"metrics/{METRIC}.md",
        f"metrics/{METRIC}.svg",
    ]
    write_cards(tmp_path, Cards(sources()))
    assert stale_cards(tmp_path, Cards(sources())) == []
    runs = [*oracle({"0": 0.94, "1": 0.1, "inverted": 0.0}), *random_weights(), *cheat()]
    assert stale_cards(tmp_path, Cards(sources(runs=runs))) == [f"metrics/{METRIC}.md", f"metrics/{METRIC}.svg"]
    (tmp_path / "metrics" / "gone.md").write_text((tmp_path / "metrics" / "README.md").read_text())
    (tmp_path / "metrics" / "notes.md").write_text("my own")
    assert stale_cards(tmp_path, Cards(sources())) == ["metrics/gone.md"]


def test_without_planted_runs_no_card_is_made(tmp_path: Path) -> None:
    assert card_pages(Cards(sources(runs=[]))) == {}
    assert write_cards(tmp_path, Cards(sources(runs=[]))) == []
    assert stale_cards(tmp_path, Cards(sources(runs=[]))) == []


def test_a_folder_that_cannot_be_written_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "metrics").write_text("a file")
    with pytest.raises(InputError, match="cannot write to"):
        write_cards(tmp_path, Cards(sources()))


def test_hostile_names_stay_text() -> None:
    name = "<script>|x"
    named = [row | {"explainer": name if row["explainer"] == "d" else row["explainer"]} for row in results()]
    runs = [*oracle(task="fauna/<b>"), *random_weights(), planted(CHEAT, name, "", 0.1)]
    made = card_pages(Cards(sources(named, runs)))
    assert "<script>" not in "".join(made.values())
    assert "<b>" not in "".join(made.values())


def test_a_picture_is_small_well_formed_and_shows_every_dose_and_the_floor() -> None:
    picture = card_pages(Cards(sources()))[f"{METRIC}.svg"]
    root = ElementTree.fromstring(picture)
    drawn = [re.sub("{.*}", "", element.tag) for element in root.iter()]
    assert drawn.count("circle") == 6
    assert drawn.count("title") == 1
    assert picture.count('stroke-dasharray="1 4"') == 1
    assert len(picture) < 4000


@pytest.mark.parametrize(
    ("value", "text"),
    [(-0.0001, "0.000"), (0.12345, "0.123"), (1234.5, "1234"), (float("inf"), "no number"), (float("nan"), "—")],
)
def test_numbers_are_short_and_never_minus_zero(value: float, text: str) -> None:
    assert shown(value) == text


def test_a_card_as_data_has_the_tables_of_the_page_and_no_nan() -> None:
    card = Cards(sources()).card(METRIC)
    data = card.as_json()
    assert list(data["tables"]) == [DOSE, LIMITS, WEIGHTS, ORDERS, CHEATS, IMAGES]
    assert data["verdicts"][0]["verdict"] == "ranks"
    assert data["tables"][CHEATS] == [
        {"cheat": "copied_logit", "value": 0.1, "better than every explainer": False, "marked": True}
    ]
    other = [row | {"metric": "accuracy", "value": row["value"] / 2} for row in results()]
    both = Cards(sources([*results(), *other])).card(METRIC).as_json()
    assert both["tables"][OTHERS] == [{"metric": "accuracy", "tau on fauna": 1.0, "remark": "repeats it"}]


def test_a_cell_that_cannot_be_read_is_told_once(tmp_path: Path) -> None:
    path = write_cell(tmp_path / "results", rows([1.0]), cell())
    path.write_bytes(b"damaged")
    with pytest.warns(UserWarning, match="ignored") as told:
        assert Sources.of(tmp_path / "results").results.empty
    assert len(told) == 1
