"""Interval bars as inline SVG."""

from __future__ import annotations

from markupsafe import Markup

from partbench.leaderboard.score import Score

WIDTH, WIDE, HEIGHT = 60, 180, 8  # as in site.css: in boards, in rankings


def bar(score: Score, width: int = WIDTH) -> Markup:
    """The interval as a line and the value as a tick, on the axis of the board's values in this metric."""
    if score.value is None:
        return Markup("")
    low, most = score.axis

    def at(value: float) -> int:
        share = (value - low) / (most - low) if most > low else 0.5
        return round(1.5 + share * (width - 3))

    line = "" if score.low is None or score.high is None else f"M{at(score.low)},4H{at(score.high)}"
    return Markup(f"<svg><path d={line}M{at(score.value)},0V{HEIGHT} /></svg>")
