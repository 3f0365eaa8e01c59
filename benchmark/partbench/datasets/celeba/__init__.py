"""`celeba`: photographs of faces with forty attributes (Large-scale CelebFaces Attributes)."""

from __future__ import annotations

from partbench.datasets.celeba.dataset import CelebA

__all__ = ["CelebA"]
