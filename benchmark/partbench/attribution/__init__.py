"""Read-outs of a network shared by explainers."""

from __future__ import annotations

from partbench.attribution.excitation_bp import ExcitationBP, contrastive_maps
from partbench.attribution.rules import NoContrast, NoRule

__all__ = ["ExcitationBP", "NoContrast", "NoRule", "contrastive_maps"]
