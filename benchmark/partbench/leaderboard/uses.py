"""What a metric is good for on a dataset, as its card says; docs/metrics.md has the rules."""

from __future__ import annotations

from collections.abc import Mapping

RANKS, SCREENS, NOT_HERE = "ranks", "screens only", "do not use here"
Uses = Mapping[tuple[str, str], str]  # by metric and dataset; those without a card are missing
