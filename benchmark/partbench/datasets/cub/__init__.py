"""`cub`: photographs of birds of 200 species with fifteen landmarks (Caltech-UCSD Birds-200-2011)."""

from __future__ import annotations

from partbench.datasets.cub.dataset import Cub, CubCrops

__all__ = ["Cub", "CubCrops"]
