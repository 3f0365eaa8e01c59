"""Ranks, marks, seconds and memory as texts; numbers are as in pages of Markdown."""

from __future__ import annotations

import math

from partbench.leaderboard.markdown import ABSENT
from partbench.leaderboard.score import Score


def ranks(score: Score) -> str:
    """`1`, `2–4`; `alone` where no other has a rank; what it is for those without rank: `floor`, `ablation`."""
    if score.ranks is None:
        return score.control if not score.method else ABSENT
    return score.rank if score.of > 1 else "alone"


def seconds(value: float | None) -> str:
    """`0.4 ms`, `12 ms`, `1.3 s`, `2.5 min`, `3.1 h`."""
    if value is None:
        return ABSENT
    if value < 0.0995:
        return f"{value * 1000:.0f} ms" if value >= 0.0095 else f"{value * 1000:.1f} ms"
    if value < 60:
        return f"{value:.1f} s" if value < 9.95 else f"{value:.0f} s"
    return f"{value / 60:.1f} min" if value < 3600 else f"{value / 3600:.1f} h"


def counted(count: int, noun: str) -> str:
    """`1 board`, `2 boards`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def span(bounds: tuple[float | None, float | None]) -> str:
    """`0 to 1`; `at least 0`, `at most 1` where one bound is missing or infinite, `unbounded` where both are."""
    low, high = (None if end is None or math.isinf(end) else f"{end:.4g}" for end in bounds)
    if low is None or high is None:
        return f"at least {low}" if low is not None else f"at most {high}" if high is not None else "unbounded"
    return f"{low} to {high}"


def memory(megabytes: float | None) -> str:
    """`950 MB`, `1.9 GB`."""
    if megabytes is None:
        return ABSENT
    return f"{megabytes:.0f} MB" if megabytes < 1000 else f"{megabytes / 1000:.1f} GB"


def marks(score: Score) -> str:
    """The marks of a score.

    † not surely better than every floor; ‡ the metric reads no maps, and the explainer's maps beat no floor; ¹ one
    seed.
    """
    seed = "¹" if score.one_seed and score.value is not None else ""
    return ("†" if score.beaten_by_control else "") + ("‡" if score.unsupported else "") + seed
