"""`funnybirds`: rendered birds of fifty classes that differ in parts, with part maps and images without a part."""

from __future__ import annotations

from partbench.datasets.funnybirds.dataset import FunnyBirds

__all__ = ["FunnyBirds"]
