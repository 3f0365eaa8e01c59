"""Draws how much of a logit the additive explainer explains from few concepts and from many (its paper's Fig. 8).

    python scripts/capacity.py

From the results of `additive` and `additive -o subset=N` on the attribute tasks of fauna with seed 0; the picture is
docs/additive-capacity.png. The mean over tasks is drawn with the range.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from partbench.pictures.sheet import save
from partbench.results.store import load_results

REPOSITORY = Path(__file__).resolve().parents[1]
PICTURE = REPOSITORY / "docs" / "additive-capacity.png"
ALL = 22  # the other attributes of the network
DRAWN = {
    "relative_deviation": ("relative deviation", 1),
    "accuracy@difference": ("accuracy lost (performer - explainer)", -1),
}


def main() -> None:
    """Read, then draw a panel for each measure."""
    rows = subsets(load_results(REPOSITORY / "results"))
    if rows["count"].nunique() < 2:
        sys.exit("no results of additive -o subset=N; run bench with `--plugin additive -o subset=4` first")
    figure = Figure(figsize=(7, 2.8), dpi=110, layout="constrained")
    figure.suptitle("additive on fauna/attribute-*: mean and range over four attributes, seed 0", fontsize=9)
    for axis, (metric, (title, sign)) in zip(figure.subplots(1, 2), DRAWN.items(), strict=True):
        found = (sign * rows[rows["metric"] == metric].set_index("count")["value"]).groupby(level=0)
        axis.plot(found.mean().index, found.mean(), marker="o", markersize=4)
        axis.fill_between(found.mean().index, found.min(), found.max(), alpha=0.2, linewidth=0)
        axis.set_xticks(found.mean().index)
        axis.set_xlabel("number of concepts, drawn at random", fontsize=8)
        axis.set_title(title, fontsize=8)
        axis.tick_params(labelsize=8)
        axis.spines[["top", "right"]].set_visible(False)
    print(save(figure, PICTURE))


def subsets(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows of `additive` with nothing changed but the number of concepts, which `count` says."""
    rows = frame[(frame["explainer"] == "additive") & frame["task"].str.contains("attribute-") & (frame["seed"] == 0)]
    chosen = rows["variant"].map(lambda text: re.fullmatch(r"(?:subset=(\d+))?", text))
    counts = chosen[chosen.notna()].map(lambda match: int(match[1] or ALL))
    return rows.loc[counts.index].assign(count=counts)


if __name__ == "__main__":
    main()
