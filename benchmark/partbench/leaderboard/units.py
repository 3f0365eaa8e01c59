"""The units of metrics. The docstrings of the metrics have their formulas."""

from __future__ import annotations

_SHARE, _DIAGONAL = "share", "share of diagonal"
_UNITS = {
    "accuracy": _SHARE,
    "balanced_accuracy": _SHARE,
    "classification_error": _SHARE,
    "contribution_entropy": "share of ln k",
    "contribution_entropy@nats": "nats",
    "contribution_error": "share of mean logit",
    "faithfulness_classification": _SHARE,
    "faithfulness_regression": "logits",
    "locality": "nats",
    "location_instability": _DIAGONAL,
    "masked_accuracy": _SHARE,
    "part_effect_agreement": "Spearman's ρ",
    "part_following": _DIAGONAL,
    "part_interpretability": _SHARE,
    "part_interpretability@field": "px",
    "relative_deviation": "share of range",
    "training_seconds": "s",
}


def unit_of(metric: str) -> str:
    """The unit of a metric or of a variant that has one of its own; "" for those of no unit or of unknown unit."""
    return _UNITS.get(metric, "")
