"""A small picture of dose and response, as SVG: a line a task, intervals, and the best floor of each task."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape

import numpy as np
import pandas as pd

from partbench.leaderboard.metric_cards.response import Dose
from partbench.results.planted import INVERTED

WIDTH, HEIGHT = 460, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 12, 12, 46
_INK = "#6e7781"  # legible on white and on black
_LINES = (("#0969da", ""), ("#bc4c00", "5 3"), ("#1a7f37", "2 2"))  # never by colour alone


def dose_picture(metric: str, found: Sequence[Dose], floors: pd.DataFrame) -> str:
    """The picture of a metric's doses; values in the metric's own direction. "" without any."""
    if not found:
        return ""
    levels = list(dict.fromkeys(level for dose in found for level in dose.table.index))
    values = np.concatenate([dose.table[["value", "low", "high"]].to_numpy(float).ravel() for dose in found])
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    span = (low, high if high > low else low + 1)
    shapes = [*_axes(levels, span)]
    for number, dose in enumerate(found):
        shapes += _line(dose, levels, span, number)
        if dose.task in floors.index and span[0] <= floors.loc[dose.task, "value"] <= span[1]:
            shapes += _floor(float(floors.loc[dose.task, "value"]), span, number)
    title = escape(f"{metric}: score of the truth mixed with noise")
    size = f'viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" font-family="sans-serif" font-size="11">'
    return "\n".join([head, f"<title>{title}</title>", *shapes, "</svg>"]) + "\n"


def _x(place: int, count: int) -> float:
    return _LEFT + 16 + (WIDTH - _LEFT - _RIGHT - 32) * place / max(1, count - 1)


def _y(value: float, span: tuple[float, float]) -> float:
    return HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * (value - span[0]) / (span[1] - span[0])


def _axes(levels: Sequence[str], span: tuple[float, float]) -> Iterator[str]:
    base = HEIGHT - _BOTTOM + 6
    yield f'<path d="M{_LEFT} {_TOP}V{base}H{WIDTH - _RIGHT}" fill="none" stroke="{_INK}"/>'
    for value in (span[0], (span[0] + span[1]) / 2, span[1]):
        yield _text(_LEFT - 6, _y(value, span) + 4, f"{value:.3g}", "end")
    for place, level in enumerate(levels):
        yield _text(_x(place, len(levels)), base + 14, level if level == INVERTED else f"{float(level):.0%} noise")


def _line(dose: Dose, levels: Sequence[str], span: tuple[float, float], number: int) -> Iterator[str]:
    colour, dash = _LINES[number % len(_LINES)]
    points = []
    for level, row in dose.table.iterrows():
        x, y = _x(levels.index(str(level)), len(levels)), _y(float(row["value"]), span)
        if np.isfinite(float(row["low"])):
            ends = f"{_y(float(row['low']), span):.1f}V{_y(float(row['high']), span):.1f}"
            yield f'<path d="M{x:.1f} {ends}" stroke="{colour}" stroke-width="1"/>'
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{colour}"/>'
        if level != INVERTED:
            points.append(f"{x:.1f},{y:.1f}")
    style = f'fill="none" stroke="{colour}" stroke-dasharray="{dash}"'
    yield f'<polyline points="{" ".join(points)}" {style}/>'
    at = _LEFT + 16 + number * 190
    yield f'<path d="M{at} {HEIGHT - 12}h22" stroke="{colour}" stroke-dasharray="{dash}"/>'
    yield _text(at + 28, HEIGHT - 8, dose.task, "start")


def _floor(value: float, span: tuple[float, float], number: int) -> Iterator[str]:
    y, colour = _y(value, span), _LINES[number % len(_LINES)][0]
    style = f'stroke="{colour}" stroke-dasharray="1 4"'
    yield f'<path d="M{_LEFT} {y:.1f}H{WIDTH - _RIGHT}" {style}/>'


def _text(x: float, y: float, text: str, anchor: str = "middle") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{_INK}" text-anchor="{anchor}">{escape(text)}</text>'
