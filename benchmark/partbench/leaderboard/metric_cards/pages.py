"""Cards as pages of Markdown and pictures, and the index of all verdicts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from partbench.leaderboard.generated import differing, is_generated, write_files
from partbench.leaderboard.markdown import ABSENT, HEADER, escape, grid, number
from partbench.leaderboard.metric_cards.card import Card, Cards
from partbench.leaderboard.metric_cards.picture import dose_picture
from partbench.leaderboard.metric_cards.tables import CHEATS, DOSE, IMAGES, LIMITS, ORDERS, OTHERS, OWN, WEIGHTS
from partbench.results.schema import safe_name
from partbench.whole_files import writing

FOLDER, INDEX = "metrics", "README.md"
_RULES = "[how the verdicts are found](../../docs/metrics.md)"
_PICTURED = "In the picture, bars are 95 % intervals and a dotted line is the best floor."
TEXTS = {
    DOSE: "An explanation made from the truth, mixed with noise in these shares (0: the truth, 1: noise),"
    " and inverted.",
    LIMITS: "A good value is that of the truth. A value that costs nothing is that of the best floor.",
    WEIGHTS: "Explainers of a network whose weights are random from the top down to the layer named; none: trained."
    " Worse: with all weights random, the interval is apart from that of the trained network, on the worse side.",
    ORDERS: "Kendall's tau between the orders of the explainers, with their defaults and without floors and ablations."
    " 1: the same order, 0: unrelated. low, high: 95 % interval. Orders of fewer than four explainers do not count.",
    CHEATS: "Explanations that explain nothing; the value is the mean over tasks. Marked: a board marks them († or ‡).",
    OWN: "Kendall's tau between the order by the metric and the order by its variant.",
    IMAGES: "Separated: the paired difference of two explainers over the images of a board leaves out 0 at 95 %."
    " Neighbours are next to each other in the order; the median number of images that separate them in four cases of"
    " five. The noise of training is not counted.",
    OTHERS: "Kendall's tau between the order by this metric and the order by another one on the same tasks.",
}


def card_pages(cards: Cards) -> dict[str, str]:
    """Name and text of every page and picture of the cards; none without results, or without planted runs."""
    made: dict[str, str] = {}
    for card in cards.all:
        name = safe_name(card.metric)
        if picture := dose_picture(card.metric, card.doses, cards.sources.best_floors.of_metric(card.metric)):
            made[f"{name}.svg"] = picture
        made[f"{name}.md"] = card_page(card, bool(picture))
    if cards.all:
        made[INDEX] = _index(cards.all)
    return made


def write_cards(folder: Path, cards: Cards) -> list[Path]:
    """Write all cards into `folder`/metrics, made if absent. Raises InputError if it cannot be written."""
    place = Path(folder) / FOLDER
    with writing(place):
        return write_files(place, card_pages(cards))


def stale_cards(folder: Path, cards: Cards) -> list[str]:
    """Names of cards that are absent or differ from what the results make, and of generated ones without results."""
    made, place = card_pages(cards), Path(folder) / FOLDER
    orphans = {path.name for path in place.glob("*.md") if path.name not in made and is_generated(path)}
    stale = differing(place, made) | orphans
    return sorted(f"{FOLDER}/{name}" for name in stale)


def card_page(card: Card, pictured: bool) -> str:
    """A card in GitHub Markdown."""
    arrow = "↑" if card.higher_is_better else "↓"
    parts = [HEADER, f"# {escape(card.metric)} {arrow}"]
    parts += [f"* **{escape(row['dataset'])}: {row['verdict']}.** {escape(_sentence(row['reason']))}"
              for row in card.verdicts.to_dict("records")]  # fmt: skip
    if len(parts) > 2:
        parts[2:] = ["\n".join(parts[2:])]
    parts.append(f"Planted runs are of `fauna`; {_RULES}. [All metrics]({INDEX}).")
    for title, table in card.tables.items():
        parts += [f"## {title}", f"{TEXTS[title]} {_PICTURED}" if title == DOSE and pictured else TEXTS[title]]
        if title == DOSE and pictured:
            parts.append(f"![dose and response]({safe_name(card.metric)}.svg)")
        parts.append(grid([escape(name) for name in table.columns], _cells(table)))
    return "\n\n".join(parts) + "\n"


def _index(cards: list[Card]) -> str:
    rows = []
    for card in cards:
        link = f"[{escape(card.metric)}]({safe_name(card.metric)}.md) {'↑' if card.higher_is_better else '↓'}"
        rows += [[link, escape(row["dataset"]), f"**{row['verdict']}**", escape(row["reason"])]
                 for row in card.verdicts.to_dict("records")]  # fmt: skip
    about = (
        "*Ranks*: a better score is evidence for the better explainer. *Screens only*: a bad score is evidence against"
        f" an explainer, a good one is no evidence for it. *Do not use here*: neither. See {_RULES}."
    )
    return "\n\n".join([HEADER, "# What the metrics are worth", about,
                        grid(["metric", "dataset", "verdict", "why"], rows)]) + "\n"  # fmt: skip


def _cells(table: pd.DataFrame) -> list[list[str]]:
    return [[escape(shown(value)) for value in row] for row in table.itertuples(index=False, name=None)]


def shown(value: object) -> str:
    """A value of a table as a card shows it."""
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, float):
        if np.isinf(value):
            return "no number"
        return f"{value:.0f}" if value >= 100 or (value.is_integer() and value > 1) else number(value)
    return str(value) or ABSENT


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}." if text else ""
