"""`places`: photographs of ten kinds of rooms with masks of the objects in them (Places365 and ADE20K)."""

from __future__ import annotations

from partbench.datasets.places.dataset import Places

__all__ = ["Places"]
