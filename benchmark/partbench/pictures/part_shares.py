"""Contributions of the parts of the object to the explained logit, drawn as a pie with numbers beside it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.axes import Axes

from partbench.pictures.legend import outline_colour

NO_PART = "no part"
GREY = (0.75, 0.75, 0.75, 1.0)
FONT = 7
LINE = 0.11  # of the height of the axes


def shares(values: Sequence[float]) -> list[float]:
    """Each value over the sum of absolute values: in [-1, 1], the absolute ones sum to 1; all 0 where all values are.

    Where no value is negative these are the shares of the pies of the additive explainer, Fig. 5.
    """
    total = math.fsum(abs(value) for value in values)
    return [value / total if total else 0.0 for value in values]


def part_colour(part: int, names: Sequence[str]) -> tuple[float, float, float, float]:
    """The colour of the part's outline; grey for what follows the last part."""
    return outline_colour(part) if part < len(names) else GREY


def draw_pie(axis: Axes, values: Sequence[float], names: Sequence[str]) -> None:
    """A wedge for each part, and one for no part (the last value), of the size of its share; hatched if negative."""
    kept = [(part, share) for part, share in enumerate(shares(values)) if share]
    if not kept:
        return
    colours = [part_colour(part, names) for part, _ in kept]
    style = {"edgecolor": "white", "linewidth": 0.8}
    wedges = axis.pie(
        [abs(share) for _, share in kept], colors=colours, startangle=90, counterclock=False, wedgeprops=style
    )[0]
    for wedge, (_, share) in zip(wedges, kept, strict=True):
        if share < 0:
            wedge.set_hatch("////")


def draw_numbers(axis: Axes, values: Sequence[float], names: Sequence[str], logit: float | None = None) -> None:
    """A line for each part that adds something: its colour, name, contribution and share; below, the sum.

    `logit` is what the contributions are shares of; what they leave is the rest.
    """
    axis.set(xlim=(0, 1), ylim=(0, 1))
    axis.set_axis_off()
    rows = [(part, value, share) for part, (value, share) in enumerate(zip(values, shares(values), strict=True))]
    rows = [row for row in rows if row[1]]
    total = math.fsum(values)
    top = 0.5 + LINE * (len(rows) + (2 if logit is None else 3)) / 2
    for line, (part, value, share) in enumerate(rows):
        y = top - (line + 0.5) * LINE
        axis.plot(0.03, y, "s", markersize=5, color=part_colour(part, names))
        write(axis, y, [*names, NO_PART][part], value, f"{round(100 * share):+d} %")
    y = top - (len(rows) + 1) * LINE
    axis.plot([0.0, 1.0], [y + 0.6 * LINE] * 2, color="black", linewidth=0.5)
    write(axis, y, "sum", total)
    if logit is not None:
        write(axis, y - LINE, "rest of the logit", logit - total)


def write(axis: Axes, y: float, name: str, value: float, share: str = "") -> None:
    """One line of numbers."""
    axis.text(0.08, y, name, fontsize=FONT, va="center")
    axis.text(0.75, y, f"{round(value, 2) + 0.0:.2f}", fontsize=FONT, va="center", ha="right")
    axis.text(1.0, y, share, fontsize=FONT, va="center", ha="right")
