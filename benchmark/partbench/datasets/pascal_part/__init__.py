"""`pascal_part`: photographs of six animals with masks of their parts (Pascal-Part on the images of VOC 2010)."""

from __future__ import annotations

from partbench.datasets.pascal_part.dataset import PascalPart

__all__ = ["PascalPart"]
