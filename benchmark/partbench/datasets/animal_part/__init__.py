"""`animal_part`: photographs of animals with the places of head and legs (ILSVRC 2013 DET Animal-Part)."""

from __future__ import annotations

from partbench.datasets.animal_part.dataset import AnimalPart

__all__ = ["AnimalPart"]
