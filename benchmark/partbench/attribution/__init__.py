"""Read-outs of a network shared by explainers."""

from __future__ import annotations

from partbench.attribution.excitation_bp import ExcitationBP, contrastive_maps

__all__ = ["ExcitationBP", "contrastive_maps"]
